"""Conversions between all formats: nothing is lost, or one error says what would be."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdmix.cli.converting import Target, run_convert
from gdmix.cli.output import Output
from gdmix.data.conversion import Wish
from gdmix.data.feature_lists import list_text, read_list
from gdmix.data.piece import SEPARATOR
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError

QUIET = Output(quiet=True)
SUFFIXES = ("parquet", "csv", "avro", "tfrecord", "libsvm")


def convert(source, output, to=None, rows=None, overwrite=False, metadata=None, **wish):
    target = Target.of(output, to, rows)
    run_convert([str(source)], target, Wish(**wish), metadata, QUIET, overwrite=overwrite)
    return output


def read(path, names=None):
    source = open_source(str(path))
    names = source.schema.names if names is None else names
    batches = [batch.columns for batch in source.batches(names, frozenset())]
    return pa.Table.from_batches(batches).to_pydict()


def table(path, columns, schema=None):
    pq.write_table(pa.table(columns, schema), path)
    return path


FLOATS = st.floats(width=32, allow_nan=False)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
PAIRS = st.lists(st.tuples(st.integers(0, 2**31 - 1), FLOATS), max_size=4)


def sparse(rows):
    return [{"indices": [i for i, _ in row], "values": [v for _, v in row]} for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("conversions")


@pytest.mark.parametrize("first", ["parquet", "avro", "tfrecord", "libsvm"])
@pytest.mark.parametrize("second", ["parquet", "avro", "tfrecord.gz", "libsvm.zst"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FLOATS, st.integers(-(2**50), 2**50), PAIRS), min_size=1, max_size=9))
def test_sparse_features_through_any_two_formats(folder, first, second, rows):
    label, qid, features = zip(*rows, strict=True)
    held = {"label": list(label), "qid": list(qid), "features": sparse(features)}
    schema = pa.schema(
        [
            ("label", pa.float64()),
            ("qid", pa.int64()),
            (
                "features",
                pa.struct([("indices", pa.list_(pa.int64())), ("values", pa.list_(pa.float64()))]),
            ),
        ]
    )
    start = table(folder / "start.parquet", held, schema)
    one = convert(start, folder / "one" / f"x.{first}", overwrite=True)
    two = convert(one, folder / "two" / f"x.{second}", overwrite=True)
    back = read(convert(two, folder / "three" / "x.libsvm", overwrite=True))
    assert back == held


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x01"), max_size=4)
BAGS = st.lists(st.tuples(NAMES, st.none() | NAMES, FLOATS), max_size=4)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@pytest.mark.parametrize("first", ["parquet", "avro"])
@pytest.mark.parametrize("second", ["parquet", "avro"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | TEXT,
            st.none() | st.booleans(),
            st.none() | BAGS,
            st.none() | st.lists(st.integers(-9, 9), max_size=3),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_all_columns_through_formats_that_hold_them(folder, first, second, rows):
    names = ("x", "n", "s", "b", "bag", "many")
    kinds = (pa.float64(), pa.int64(), pa.string(), pa.bool_(), BAG, pa.list_(pa.int64()))
    held = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    held["bag"] = [
        None if bag is None else [dict(zip(("name", "term", "value"), f, strict=True)) for f in bag]
        for bag in held["bag"]
    ]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    start = table(folder / "start.parquet", held, schema)
    one = convert(start, folder / f"one.{first}", overwrite=True)
    two = convert(one, folder / f"two.{second}", overwrite=True)
    assert read(two) == held


BAG = pa.list_(pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())]))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4).map("z".__add__)


@pytest.mark.parametrize("first", ["parquet", "avro", "csv", "tsv.gz", "tfrecord"])
@pytest.mark.parametrize("second", ["csv.zst", "tsv", "tfrecord", "parquet"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.none() | FLOATS, st.none() | st.integers(-(2**40), 2**40), st.none() | WORDS),
        min_size=1,
        max_size=9,
    )
)
def test_flat_columns_through_any_two_formats(folder, first, second, rows):
    # a file without types tells them by what it holds
    rows = [(0.5, 7, "word"), *rows]
    held = dict(zip("xns", map(list, zip(*rows, strict=True)), strict=True))
    schema = pa.schema([("x", pa.float64()), ("n", pa.int64()), ("s", pa.string())])
    start = table(folder / "start.parquet", held, schema)
    one = convert(start, folder / "1" / f"x.{first}", overwrite=True)
    two = convert(one, folder / "2" / f"x.{second}", overwrite=True)
    assert read(convert(two, folder / "3.parquet", overwrite=True)) == held


LISTED = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=4)


@pytest.mark.parametrize("through", ["libsvm", "tfrecord"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.tuples(LISTED, LISTED), FINITE, max_size=4), min_size=1, max_size=9)
)
def test_names_become_numbers_and_names_again(folder, through, bags):
    rows = [[{"name": n, "term": t, "value": v} for (n, t), v in sorted(b.items())] for b in bags]
    # a place's order is that of the joined name and term
    rows = [sorted(row, key=lambda f: f"{f['name']}{SEPARATOR}{f['term']}") for row in rows]
    held = {"label": [1.0] * len(rows), "bag": rows}
    schema = pa.schema([("label", pa.float64()), ("bag", BAG)])
    start = table(folder / "start.parquet", held, schema)
    out = convert(start, folder / through / f"x.{through}", overwrite=True)
    column = "features" if through == "libsvm" else "bag"
    names = folder / through / f"x.{column}.txt"
    back = convert(out, folder / "back.avro", overwrite=True, lists={"": str(names)})
    assert read(back) == {"label": held["label"], column: rows}
    # other data by the same list
    again = convert(start, folder / "again" / out.name, overwrite=True, lists={"": str(names)})
    assert again.read_bytes() == out.read_bytes()
    assert not (folder / "again" / names.name).exists()


@given(st.lists(st.tuples(LISTED, LISTED), unique=True, max_size=6))
def test_feature_lists_are_read_as_they_are_written(tmp_path_factory, pairs):
    keys = pa.array([SEPARATOR.join(pair) for pair in pairs], pa.string())
    path = tmp_path_factory.mktemp("x") / "list.txt"
    path.write_text(list_text(keys, "here"), encoding="utf-8")
    assert read_list(str(path)).to_pylist() == keys.to_pylist()


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\u2028b", "b\r"])
def test_a_name_that_fits_on_no_line(name):
    with pytest.raises(DataError, match=r"here: .* holds a tab or a line break"):
        list_text(pa.array([f"{name}{SEPARATOR}"]), "here")


def test_numbers_by_their_columns_names(tmp_path):
    start = table(tmp_path / "a.parquet", {"y": [1, 0], "b": [0.5, None], "a": [2, 3]})
    out = convert(start, tmp_path / "a.libsvm", label="y")
    assert out.read_text() == "1 0:2 1:0.5\n0 0:3\n"
    assert (tmp_path / "a.features.txt").read_text() == "a,\nb,\n"


def test_part_files(tmp_path):
    start = table(tmp_path / "a.parquet", {"x": list(range(10))})
    for to in ("avro", "csv.gz", "parquet", "tfrecord"):
        out = convert(start, tmp_path / to, to=to, rows=4)
        parts = [p for p in sorted(out.iterdir()) if p.name != "tensor_metadata.json"]
        assert [p.name for p in parts] == [f"part-0000{k}.{to}" for k in range(3)]
        assert [len(read(p)["x"]) for p in parts] == [4, 4, 2]
        assert read(out)["x"] == list(range(10))


def test_tensor_metadata_is_written(tmp_path):
    columns = {"label": [1.0, 0.0], "dense": [[1, 2], [3, 4]], "s": ["a", None]}
    columns["f"] = sparse([[(3, 1.0)], [(7, 0.5)]])
    columns["ragged"] = [[1.5], []]
    start = table(tmp_path / "a.parquet", columns)
    out = convert(start, tmp_path / "t", to="tfrecord")
    found = json.loads((out / "tensor_metadata.json").read_text())
    shapes = {t["name"]: (t["dtype"], t["shape"], t["isSparse"]) for t in found["features"]}
    assert shapes == {
        "dense": ("long", [2], False),
        "s": ("string", [], False),
        "f": ("float", [8], True),
        "ragged": ("float", [-1], False),
    }
    assert [t["name"] for t in found["labels"]] == ["label"]
    # a second file of the same columns may have more features
    columns["f"] = sparse([[(9, 1.0)], [(1, 0.5)]])
    for name in ("a", "b"):
        convert(table(tmp_path / f"{name}.parquet", columns), tmp_path / f"{name}.tfrecord")
    assert '"shape": [\n        10' in (tmp_path / "tensor_metadata.json").read_text()
    other = table(tmp_path / "other.parquet", {"x": [1]})
    with pytest.raises(DataError, match="write to a folder of its own"):
        convert(other, tmp_path / "other.tfrecord")
    assert not (tmp_path / "other.tfrecord").exists()


ONE = {"label": [1.0], "f": sparse([[(1, 0.1)]]), "s": ["007"], "n": [3]}


@pytest.mark.parametrize(
    ("columns", "output", "wish", "message"),
    [
        (ONE, "x.csv", {}, "column 'f': type struct"),
        (ONE, "x.csv", {"columns": ("s",)}, "would be read back as int64"),
        ({"s": ["a", ""]}, "x.csv", {}, "row 2, column 's': found an empty text"),
        ({"x": [0.25, 0.1]}, "x.tfrecord", {}, "row 2, column 'x': found 0.1, which 32 bits"),
        (ONE, "x.tfrecord", {"columns": ("f",)}, "row 1, column 'f': found 0.1, which 32 bits"),
        ({"x": [[1, None]]}, "x.avro", {}, "row 1, column 'x': a null inside a list"),
        ({"x": [[1, None]]}, "x.tfrecord", {}, "row 1, column 'x': a null inside a list"),
        (
            {"x": pa.array([2**63], pa.uint64())},
            "x.avro",
            {},
            "column 'x': cannot be read as int64",
        ),
        ({"x": pa.nulls(1)}, "x.tfrecord", {}, "column 'x': holds nothing that tells its type"),
        ({"x": [{"a": 1}]}, "x.tfrecord", {}, "cannot be a feature of an Example"),
        (ONE, "x.libsvm", {}, "libsvm cannot hold 'f', 's' with the rest"),
        ({"label": [1], "uid": [3]}, "x.libsvm", {}, "libsvm cannot hold 'uid' with the rest"),
        ({"label": [1]}, "x.libsvm", {}, "libsvm has no features"),
        ({"x": [1]}, "x.libsvm", {}, "--label: found no column of labels"),
        (ONE, "x.libsvm", {"label": "lable"}, "--label: found 'lable'"),
        (ONE, "x.libsvm", {"columns": ("f", "label"), "label": "f"}, "for the label"),
        (ONE, "x.libsvm", {"qid": "s"}, "found type string for the qid"),
        (ONE, "x.avro", {"columns": ("nn",)}, "--columns: column 'nn' not found"),
        (ONE, "x.avro", {"lists": {"n": "list"}}, "--feature-list: no column of"),
        (ONE, "x.avro", {"lists": {"": "nowhere"}}, "nowhere: no such file"),
        ({"label": [1.0], "f": sparse([[(-1, 1.0)]])}, "x.libsvm", {}, "found index -1"),
        ({"label": [1.0], "f": sparse([[(2**31, 1.0)]])}, "x.libsvm", {}, "found index 2147483648"),
        ({"label": [None, 1.0], "n": [1, 2]}, "x.libsvm", {}, "row 1, column 'label'"),
        ({"a b": [1]}, "x.avro", {}, "cannot be written to Avro"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path, columns, output, wish, message):
    start = table(tmp_path / "a.parquet", columns)
    with pytest.raises((DataError, ConfigError)) as error:
        convert(start, tmp_path / output, **wish)
    assert message in str(error.value)
    # nothing is left behind, and nobody hears of where it was written
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert ".part." not in str(error.value)


def test_what_is_lost_when_asked_for(tmp_path):
    start = table(tmp_path / "a.parquet", {"x": [0.1, None, 1e300], "s": ["", "007", None]})
    back = read(convert(start, tmp_path / "a.tfrecord", lossy=True))
    assert back == {"x": [float(np.float32(0.1)), None, float("inf")], "s": ["", "007", None]}
    back = read(convert(start, tmp_path / "a.csv", lossy=True))
    assert back == {"x": [0.1, None, 1e300], "s": [None, 7, None]}


def test_features_that_a_list_lacks(tmp_path):
    start = table(tmp_path / "a.parquet", {"label": [1, 0], "a": [1, 2], "b": [3, 4]})
    names = tmp_path / "names"
    names.write_text("b,\n")
    with pytest.raises(DataError, match="row 1: the feature 'a,' is not in the feature list"):
        convert(start, tmp_path / "a.libsvm", lists={"": str(names)})
    out = convert(start, tmp_path / "a.libsvm", lists={"": str(names)}, lossy=True)
    assert out.read_text() == "1 0:3\n0 0:4\n"


@pytest.mark.parametrize(
    ("output", "to", "rows", "message"),
    [
        ("x", None, None, "x: says no format"),
        ("x", "xlsx", None, "--to: found 'xlsx'"),
        ("x.avro", "csv", None, "--to: found 'csv', but"),
        ("x.avro", None, 5, "--rows-per-file: found"),
        ("x.avro.gz", None, None, "avro is not written as .gz; expected no further suffix"),
        ("x.tfrecord.zst", None, None, "expected no further suffix or .gz"),
        ("x", "parquet.gz", None, "parquet is not written as .gz"),
    ],
)
def test_where_to(tmp_path, output, to, rows, message):
    with pytest.raises(ConfigError) as error:
        Target.of(tmp_path / output, to, rows)
    assert message in str(error.value)


def test_nothing_is_replaced_unasked(tmp_path):
    start = table(tmp_path / "a.parquet", {"label": [1], "x": [1]})
    with pytest.raises(ConfigError, match="is one of the input files"):
        convert(start, start, overwrite=True)
    folder = convert(start, tmp_path / "parts", to="csv")
    with pytest.raises(ConfigError, match="exists already; --overwrite"):
        convert(start, folder, to="csv")
    with pytest.raises(ConfigError, match="holds input files"):
        convert(folder, folder, to="csv", overwrite=True)
    convert(start, folder, to="csv", overwrite=True)
    out = convert(start, tmp_path / "a.libsvm")
    with pytest.raises(ConfigError, match="exists already"):
        convert(start, out)
    out.unlink()
    with pytest.raises(ConfigError, match=r"a.features.txt: exists already; --feature-list"):
        convert(start, out)
    convert(start, out, overwrite=True)
