"""Parquet and CSV files: what is read, and exact words for what cannot be."""

import gzip

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data.formats import csv, format_of, parquet, require_format
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.errors import DataError
from gdmix.schema import Feature
from tests.unit.test_reading import decode, error_of, layout

ROWS = [
    {("n", ""): 1.0, ("s", "a"): 1.0, ("l", "p"): 1.0, ("l", "q"): 1.0, ("c", "7"): 1.0},
    {("b", "true"): 1.0, ("c", "8"): 1.0},
]
FEATURES = ["n", "s", Feature("l", separator="|"), "b", Feature("c", kind="categorical")]


def write(path, text):
    data = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".zst":
        data = bytes(pa.Codec("zstd").compress(data))
    path.write_bytes(data)
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 64)


@pytest.mark.parametrize(
    "name",
    ["t.csv", "t.tsv", "t.csv.gz", "t.tsv.gz", "t.csv.zst", "t.tsv.zst", "T.CSV", "T.CSV.GZ"],
)
def test_text_files(name, tmp_path):
    text = "n,s,l,b,c,e,y\n1,a,p|q,,7,u,1\nNA,,,true,8,v,0\n"
    if "tsv" in name:
        text = text.replace(",", "\t")
    data = text.encode()
    if name.endswith(".GZ"):
        data = gzip.compress(data)
    dataset, indexes = read(
        open_source(write(tmp_path / name, data)), layout(*FEATURES, entities=["e"], label="y")
    )
    assert decode(tmp_path / name, *FEATURES) == ROWS
    assert dataset.entities["e"].ids.to_pylist() == ["u", "v"]
    assert dataset.label.tolist() == [1.0, 0.0]
    assert len(indexes["s"]) == 7


def test_na_is_a_word_in_text(tmp_path):
    rows = decode(write(tmp_path / "t.csv", "country,n\nNA,1\nUS,NA\n,3\n"), "country", "n")
    assert rows == [
        {("country", "NA"): 1.0, ("n", ""): 1.0},
        {("country", "US"): 1.0},
        {("n", ""): 3.0},
    ]


def test_text_details(tmp_path, small_blocks):
    text = '\ufeffs,n\r\n"a, ""b""\nc",1\r\n\r\nd,2.5\r\n' + "e,3\r\n" * 50
    rows = decode(write(tmp_path / "t.csv", text), "s", "n")
    assert rows[0] == {("s", 'a, "b"\nc'): 1.0, ("n", ""): 1.0}
    assert rows[1] == {("s", "d"): 1.0, ("n", ""): 2.5}
    assert len(rows) == 52


def test_whole_numbers_in_the_head_of_a_text_file(tmp_path, small_blocks):
    text = "n,e\n" + "3,7\n" * 60 + "3.5,8\n"
    dataset, _ = read(open_source(write(tmp_path / "t.csv", text)), layout("n", entities=["e"]))
    assert dataset.shards["s"].values[-1] == 3.5
    assert dataset.entities["e"].ids == pa.array([7, 8])


HEAD = "a,b,c\n" + "1,2,x\n" * 40


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("1,abc,x", "row 41, column 'b'", "found 'abc'; expected a number, as in the head"),
        ("1,2", "row 41", "found 2 values; expected 3, as in the header; quote"),
        ("1,2,x,y", "row 41", "found 4 values; expected 3, as in the header"),
        ("1,2,\udcff", "row 41, column 'c'", "the text is not UTF-8"),
        ("1.5,2,x", "row 41, column 'a'", "found '1.5'; expected a whole number"),
        (
            "99999999999999999999,2,x",
            "row 41, column 'a'",
            "found '99999999999999999999'; expected a whole number",
        ),
        ("1,nan,x", "row 41, column 'b'", "found nan; expected a finite number"),
        ("1,1e999,x", "row 41, column 'b'", "found inf; expected a finite number"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.zst"])
@pytest.mark.parametrize("blocks", ["one", "many"])
def test_place_in_a_text_file(line, place, words, name, blocks, tmp_path, monkeypatch):
    if blocks == "many":
        monkeypatch.setattr(csv, "_BLOCK_BYTES", 64)
        text = HEAD + line + "\n" + "1,2,x\n" * 40
    else:
        # the types of one block are inferred from all its rows: let a first file set them
        write(tmp_path / "a.csv", HEAD)
        text = HEAD + line + "\n"
    path = write(tmp_path / name, text.encode("utf-8", "surrogateescape"))
    data = path if blocks == "many" else [tmp_path / "a.csv", path]
    features = [Feature("a", kind="categorical"), "b", "c"]
    message = error_of(data, *features)
    assert message.startswith(f"{path}, {place}: {words}")


def test_late_boolean_and_late_value_of_an_empty_column(tmp_path, small_blocks):
    flags = "f,g\n" + "true,1\n" * 30 + "maybe,1\n"
    message = error_of(write(tmp_path / "t.csv", flags), "f")
    assert "row 31, column 'f': found 'maybe'; expected bool" in message
    late = "f,g\n" + ",1\n" * 60 + "5,1\n"
    message = error_of(write(tmp_path / "t.csv", late), "f")
    assert "row 61, column 'f': found '5'; expected nothing" in message


def test_columns_that_are_not_read_may_be_wrong(tmp_path, small_blocks):
    text = "a,b\n" + "1,2\n" * 40 + "1,abc\n" + "1,\udcff\n"
    path = write(tmp_path / "t.csv", text.encode("utf-8", "surrogateescape"))
    assert len(decode(path, "a")) == 42


def test_text_that_is_not_utf8_in_the_head(tmp_path):
    path = write(tmp_path / "t.csv", b"s,n\nok,1\ncaf\xe9,2\n")
    assert error_of(path, "s").startswith(f"{path}, row 2, column 's': the text is not UTF-8")
    assert error_of(path, entities=["s"]).startswith(f"{path}, row 2, column 's'")


def test_dates_in_text_are_no_features(tmp_path):
    path = write(tmp_path / "t.csv", "d\n2020-01-01\n")
    assert "type date32[day] cannot be a feature" in error_of(path, "d")


def test_columns_of_one_name_in_text(tmp_path):
    path = write(tmp_path / "t.csv", "a,a,b\n1,2,3\n")
    assert error_of(path, "a").startswith(f"{path}: 2 columns are named 'a'")
    assert decode(path, "b") == [{("b", ""): 3.0}]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "the file is empty; expected a header and rows"),
        ("t.csv", b"\n\n", "the file is empty"),
        ("t.csv", b"x,y\n", "no rows; is this the right path?"),
        ("t.csv.gz", b"x,y\n", "cannot be read"),
        ("t.csv.zst", b"x,y\n", "cannot be read"),
        ("t.parquet", b"", "not a Parquet file"),
        ("t.parquet", b"x,y\n1,2\n", "not a Parquet file"),
        ("t.json", b"{}", "unknown format '.json'; expected one of .avro, .csv, .libsvm, .parquet"),
        ("table", b"x", "unknown format ''"),
    ],
)
def test_files_that_hold_nothing(name, content, words, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    message = error_of(path, "x", label="y", entities=["x"])
    assert message.startswith(f"{path}: ")
    assert words in message


def test_truncated_files(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": list(range(10_000))}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "not a Parquet file" in error_of(path, "x")
    path.write_bytes(whole[:100] + b"\x00" * 500 + whole[600:])
    assert error_of(path, "x").startswith(f"{path}: cannot be read")
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(b"x,y\n" + b"1,2\n" * 50_000)[:-200])
    assert error_of(packed, "x").startswith(f"{packed}: cannot be read")


def test_parquet_without_rows(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), path)
    assert error_of(path, "x") == f"{path}: no rows; is this the right path?"


def test_batches_of_parquet(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_BATCH_ROWS", 3)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1.0] * 6 + [float("nan")] + [1.0] * 3}), path, row_group_size=4)
    assert error_of(path, "x").startswith(f"{path}, row 7, column 'x': found nan")


def test_large_whole_numbers(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.array([2**63 + 2**11, 1], pa.uint64())}), path)
    assert decode(path, "x") == [{("x", ""): float(2**63 + 2**11)}, {("x", ""): 1.0}]


def test_pandas_and_polars_files(tmp_path):
    import polars

    frame = pd.DataFrame({"c": pd.Categorical(["a", None]), "i": pd.array([1, None], "Int64")})
    frame.to_parquet(tmp_path / "a.parquet")
    polars.DataFrame(
        {"c": ["a", None], "i": [1, None]}, schema={"c": polars.Categorical, "i": polars.Int8}
    ).write_parquet(tmp_path / "b.parquet")
    one = [{("c", "a"): 1.0, ("i", ""): 1.0}, {}]
    assert decode([tmp_path / "a.parquet", tmp_path / "b.parquet"], "c", "i") == one + one
    assert decode([tmp_path / "b.parquet", tmp_path / "a.parquet"], "c", "i") == one + one


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.parquet", True),
        ("a.pq", True),
        ("a.b.csv", True),
        ("a.TSV.GZ", True),
        ("a.gz", False),
        ("a", False),
        ("a.txt", False),
        (".csv", False),
    ],
)
def test_format_by_name(name, known, tmp_path):
    assert (format_of(tmp_path / name) is not None) == known


def test_error_type(tmp_path):
    with pytest.raises(DataError):
        open_source(tmp_path / "none.csv")


def written(tmp_path, name, suffix):
    """Write two rows as a format's suffix says, and rename the file."""
    table = pa.table({"label": [1.0, 0.0], "features": FEATURES_OF_TWO})
    if suffix == "tfrecord":
        table = pa.table({"label": pa.array([1.0, 0.0], pa.float32())})
    path = tmp_path / f"x.{suffix}"
    with require_format(path).open_writer(path, table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return path.rename(tmp_path / name)


FEATURES_OF_TWO = [{"indices": [3, 1], "values": [0.5, 2.0]}, {"indices": [], "values": []}]


@pytest.mark.parametrize("suffix", ["parquet", "avro", "tfrecord", "libsvm"])
@pytest.mark.parametrize("name", ["part-r-00000", "a1a.t"])
def test_a_name_that_says_nothing(tmp_path, name, suffix):
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "README.md").write_text("label 1:2\n")
    path = written(tmp_path, name, suffix)
    for place in (path, tmp_path):
        (batch,) = open_source(place).batches(["label"], frozenset())
        assert batch.columns["label"].to_pylist() == [1.0, 0.0]


def test_compressed_text_without_a_name(tmp_path):
    path = written(tmp_path, "S1.txt.gz", "libsvm.gz")
    assert open_source(path).schema.names == ["label", "features"]


def test_names_go_before_bytes_in_a_folder(tmp_path):
    (tmp_path / "a.csv").write_text("label\n5\n")
    written(tmp_path, "notes.txt", "libsvm")
    (batch,) = open_source(tmp_path).batches(["label"], frozenset())
    assert batch.columns["label"].to_pylist() == [5]


@pytest.mark.parametrize(
    "content",
    [b"1 2 3\n", b"a 1:2\n", b"1 1:2\nsome words\n", b"\0\1\2\n", b"7\n8\n", b"1,2\n3,4\n"],
)
def test_text_that_is_not_libsvm(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"unknown format '\.txt'"):
        open_source(tmp_path / "a.txt")


def test_small_batches_share_a_row_group(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 10)
    table = pa.table({"x": range(32)})
    with parquet.open_writer(tmp_path / "a.parquet", table.schema) as writer:
        for batch in table.to_batches(max_chunksize=4):
            writer.write(batch)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == [12, 12, 8]
    assert file.read()["x"].to_pylist() == list(range(32))
