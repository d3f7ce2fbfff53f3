"""Paths, globs, folders, lists and frames; files that must agree."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data.source import open_source
from gdmix.errors import DataError
from gdmix.schema import Feature
from tests.unit.test_reading import decode, error_of, layout


def put(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if path.suffix == ".csv":
        table.to_pandas().to_csv(path, index=False)
    else:
        pq.write_table(table, path)
    return path


def values(data):
    return [row["x", ""] for row in decode(data, "x")]


@pytest.fixture
def folder(tmp_path):
    """Return a folder as a Spark job may leave one, with a CSV file among the rest."""
    put(tmp_path / "d" / "b.parquet", x=[3.0])
    put(tmp_path / "d" / "a.parquet", x=[1.0, 2.0])
    put(tmp_path / "d" / "day=2" / "c.csv", x=[4.0])
    put(tmp_path / "d" / "_tmp" / "part.parquet", x=[99.0])
    put(tmp_path / "d" / ".hidden.parquet", x=[99.0])
    (tmp_path / "d" / "_SUCCESS").touch()
    (tmp_path / "d" / "README.txt").write_text("about")
    return tmp_path / "d"


def test_folders_files_and_globs(folder):
    assert values(folder) == values(str(folder)) == [1.0, 2.0, 3.0, 4.0]
    assert values(folder / "*.parquet") == [1.0, 2.0, 3.0]
    assert values(folder / "**" / "*.csv") == [4.0]
    assert values(str(folder / "**" / "?.*")) == [1.0, 2.0, 3.0, 4.0]
    assert values([folder / "b.parquet", str(folder / "a.parquet")]) == [3.0, 1.0, 2.0]
    assert values((folder / "day=*",)) == [4.0]
    assert values(folder.parent / "*") == [1.0, 2.0, 3.0, 4.0]


def test_glob_passes_over_marker_files_but_no_others(folder):
    assert "README.txt: unknown format '.txt'" in error_of(folder / "*", "x")
    (folder / "README.txt").unlink()
    assert values(folder / "*") == [1.0, 2.0, 3.0, 4.0]


def test_names_with_marks_of_globs(tmp_path):
    assert values(put(tmp_path / "a[1].parquet", x=[1.0])) == [1.0]


def test_typos_name_the_nearest(folder):
    message = error_of(folder / "a.parqet", "x")
    assert message == f"{folder / 'a.parqet'}: no such file; did you mean 'a.parquet'?"
    assert "no such file; did you mean 'd'?" in error_of(str(folder) + "d", "x")
    missing = folder / "nowhere" / "a.parquet"
    assert error_of(missing, "x") == f"{missing}: no such file; no folder {missing.parent}"
    assert "no such file" in error_of(folder / "z*.parquet", "x")


def test_paths_that_cannot_be(tmp_path):
    assert error_of("", "x") == "data: found an empty path; expected a file, a glob or a folder"
    assert "cannot be opened (File name too long)" in error_of(tmp_path / ("a" * 5000), "x")


def test_folder_without_data(tmp_path):
    (tmp_path / "_SUCCESS").touch()
    assert "the folder holds no data files; expected .parquet" in error_of(tmp_path, "x")


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        [],
        [1, 2],
        [pa.table({"x": [1]})],
        np.ones(3),
        pd.Series([1.0]),
        pl.Series([1.0]),
        iter(["a"]),
        pa.array([1]),
    ],
)
def test_objects_that_are_no_tables(data):
    with pytest.raises(DataError, match=r"train: found .*; expected a path") as caught:
        open_source(data, "train")
    assert type(data).__name__ in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {"x": [1.0, 2.0], "y": [1.0]},
        {"x": [1.0, "a"]},
        {"x": 3},
        {"x": np.ones((2, 2))},
        pd.DataFrame({"x": [1.0, "a"]}),
        pd.DataFrame([[1.0, 2.0]], columns=["x", "x"]),
    ],
)
def test_tables_that_cannot_be(data):
    with pytest.raises(DataError, match=r"train: the .* cannot be read as a table") as caught:
        open_source(data, "train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [{}, {"x": []}, pd.DataFrame({"x": []}), pl.DataFrame()])
def test_tables_without_rows(data):
    with pytest.raises(DataError, match=r"train: no rows"):
        open_source(data, "train")


def test_files_without_rows_among_others(tmp_path):
    put(tmp_path / "a.csv", x=pa.array([], pa.float64()))
    put(tmp_path / "b.csv", x=[1.0])
    put(tmp_path / "c.parquet", x=pa.array([], pa.float64()))
    assert values(tmp_path) == [1.0]


def test_columns_null_throughout_in_some_files(tmp_path):
    put(tmp_path / "a.parquet", x=pa.array([None]), t=pa.array([[]], pa.list_(pa.null())), e=["u"])
    put(tmp_path / "b.parquet", x=["p"], t=[["q"]], e=["v"])
    one, two = {}, {("x", "p"): 1.0, ("t", "q"): 1.0}
    assert decode(tmp_path, "x", "t") == [one, two]
    back = [tmp_path / "b.parquet", tmp_path / "a.parquet"]
    assert decode(back, "x", "t", entities=["e"]) == [two, one]


def test_files_of_other_widths_of_type(tmp_path):
    struct = pa.struct([("values", pa.list_(pa.float32())), ("indices", pa.list_(pa.int32()))])
    put(
        tmp_path / "a.parquet",
        i=pa.array([1], pa.int32()),
        f=pa.array([1], pa.int8()),
        s=pa.array(["a"]).dictionary_encode(),
        d=pa.array([[1, 2]], pa.list_(pa.int32())),
        p=pa.array([{"indices": [1], "values": [2.0]}]),
        u=pa.array([5], pa.int32()),
    )
    put(
        tmp_path / "b.parquet",
        i=pa.array([2**40]),
        f=pa.array([0.1]),
        s=pa.array(["b"], pa.large_string()),
        d=pa.array([[3.5, 4.5]], pa.list_(pa.float64(), 2)),
        p=pa.array([{"indices": [1], "values": [3.0]}], struct),
        u=pa.array([2**50]),
    )
    features = ["f", "s", "d", "p", Feature("u", kind="categorical")]
    first, second = decode(tmp_path, *features, entities=["i"], uid="i")
    assert first["f", ""] == 1.0
    assert second == {
        ("f", ""): 0.1,
        ("s", "b"): 1.0,
        ("d", "0"): 3.5,
        ("d", "1"): 4.5,
        ("p", "1"): 3.0,
        ("u", str(2**50)): 1.0,
    }


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"x": [1.0], "y": [1.0]}, {"y": [1.0]}, ("column 'x' is missing, though",) * 2),
        ({"x": [1.0]}, {"x": ["a"]}, ("found type string; expected double as in", "found 'a'")),
        ({"x": [True]}, {"x": ["a"]}, ("found type string; expected bool as in", "found 'a'")),
    ],
)
def test_files_that_do_not_agree(first, second, words, suffix, tmp_path):
    put(tmp_path / f"a.{suffix}", **first)
    path = put(tmp_path / f"b.{suffix}", **second)
    message = error_of(tmp_path, "x")
    assert message.startswith(str(path))
    assert words[suffix == "csv"] in message


def test_files_of_strings_and_numbers(tmp_path):
    put(tmp_path / "a.parquet", x=["a"])
    put(tmp_path / "b.parquet", x=[1])
    assert "found type int64; expected string as in" in error_of(tmp_path, "x")
    put(tmp_path / "b.parquet", x=[[1]])
    assert "found type list" in error_of(tmp_path, "x")
    # text is text, though one file holds digits alone
    put(tmp_path / "a.csv", x=["a"])
    put(tmp_path / "b.csv", x=[12])
    assert decode(tmp_path / "*.csv", "x") == [{("x", "a"): 1.0}, {("x", "12"): 1.0}]


def test_fractions_among_whole_codes(tmp_path):
    put(tmp_path / "a.parquet", x=[1])
    path = put(tmp_path / "b.parquet", x=[2.0])
    code = Feature("x", kind="categorical")
    assert decode(tmp_path, code) == [{("x", "1"): 1.0}, {("x", "2"): 1.0}]
    put(path, x=[2.5])
    assert f"{path}, column 'x': type double cannot be read as int64" in error_of(tmp_path, code)


def test_column_of_one_name_in_a_later_file(tmp_path):
    put(tmp_path / "a.parquet", x=[1.0])
    twice = pa.Table.from_arrays([pa.array([1.0])] * 2, names=["x", "x"])
    pq.write_table(twice, tmp_path / "b.parquet")
    assert f"{tmp_path / 'b.parquet'}: 2 columns are named 'x'" in error_of(tmp_path, "x")


def test_frames_are_not_copied():
    table = pa.table({"x": [1.0, 2.0]})
    assert open_source(table).table is table
    assert open_source(table).schema is not None
    assert layout("x").features == (Feature("x"),)
