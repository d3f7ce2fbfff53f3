"""Columns of other tables by a key."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gdmix
from gdmix.data.joining import JoinedSource, Other
from gdmix.data.source import FrameSource, open_source
from gdmix.errors import DataError


def rows_of(source, names):
    batches = [batch.columns for batch in source.batches(names, frozenset())]
    return pa.Table.from_batches(batches).to_pydict()


def joined(rows, other, **options):
    other = Other(FrameSource(pa.table(other), "other"), **options)
    return JoinedSource(FrameSource(pa.table(rows), "rows"), [other])


ROWS = {"uid": [3, 1, 2], "y": [0, 1, 1]}


def test_columns_by_key():
    source = joined(ROWS, {"uid": ["1", "2", "3"], "s": [0.1, 0.2, 0.3], "l": [[1], [], [3, 3]]})
    assert source.schema.names == ["uid", "y", "s", "l"]
    assert source.has("s")
    assert source.type_of("l") == pa.list_(pa.int64())
    expected = {"l": [[3, 3], [1], []], "s": [0.3, 0.1, 0.2], "y": [0, 1, 1]}
    assert rows_of(source, ["l", "s", "y"]) == expected
    assert source.notes == []
    # it can be read again
    assert rows_of(source, ["s"]) == {"s": [0.3, 0.1, 0.2]}


def test_own_columns_come_first():
    other = {"uid": [1, 2, 3], "y": [7, 8, 9]}
    assert rows_of(joined(ROWS, other), ["y"]) == {"y": [0, 1, 1]}
    assert rows_of(joined(ROWS, other, columns=("y",)), ["y"]) == {"y": [9, 7, 8]}


def test_several_tables():
    rows = FrameSource(pa.table({"uid": [1, 2], "item": ["a", "b"]}))
    scores = Other(FrameSource(pa.table({"uid": [2, 1], "s": [0.2, 0.1]})))
    items = Other(FrameSource(pa.table({"item": ["b", "a"], "t": [["x"], ["y"]]})), "item")
    source = JoinedSource(rows, [scores, items])
    assert rows_of(source, ["s", "t"]) == {"s": [0.1, 0.2], "t": [["y"], ["x"]]}


OTHER = {"uid": [1, 2, 3, 4, 2], "s": [0.1, 0.2, 0.3, 0.4, 0.5]}


@pytest.mark.parametrize(
    ("other", "allow", "message"),
    [
        ({"uid": [1, 2]}, (), r"rows, row 1, column 'uid': other has no row for 3; .*\[missing\]"),
        ({"uid": [1, 2, 3, 2]}, (), r"other: 1 rows repeat a key \(column 'uid'\), such as '2'"),
        ({"uid": [1, 2, 3, 4]}, (), r"other: 1 keys belong to no row .* such as '4'.*\[extra\]"),
        ({"uid": [1, None, 3]}, (), r"other, row 2, column 'uid': the key of a join is null"),
        ({"uid": [1.5, 2.5, 3.5]}, (), r"column 'uid': found keys of type double"),
        ({"id": [1]}, (), r"join by 'uid': other: there is no column 'uid'"),
        (OTHER, ("extra",), r"1 rows repeat a key"),
        (OTHER, ("duplicate",), r"1 keys belong to no row"),
    ],
)
def test_what_does_not_fit(other, allow, message):
    with pytest.raises(DataError, match=message):
        rows_of(
            joined(ROWS, {"s": [0.0] * len(next(iter(other.values())))} | other, allow=allow), ["s"]
        )


def test_what_is_allowed_is_told():
    rows = {"uid": [3, 1, 2, 9], "y": [0, 1, 1, 0]}
    source = joined(rows, OTHER, allow=("missing", "duplicate", "extra"))
    # of equal keys the last counts
    assert rows_of(source, ["s"]) == {"s": [0.3, 0.1, 0.5, None]}
    missing, repeated, extra = source.notes
    assert missing.startswith("1 rows of rows have no match in other")
    assert repeated.startswith("1 rows of other repeat a key")
    assert extra.startswith("1 rows of other belong to no row")


@given(st.data())
def test_order_and_files_do_not_matter(tmp_path_factory, data):
    size = data.draw(st.integers(1, 30))
    uids = data.draw(st.permutations(range(size)))
    there = data.draw(st.permutations(range(size)))
    cut = data.draw(st.integers(0, size))
    folder = tmp_path_factory.mktemp("x")
    for part, chosen in (("a", there[:cut]), ("b", there[cut:])):
        if chosen:
            table = pa.table({"uid": list(chosen), "s": [float(k) for k in chosen]})
            pq.write_table(table, folder / f"{part}.parquet")
    source = gdmix.join({"uid": [str(k) for k in uids]}, folder)
    assert rows_of(source, ["s"]) == {"s": [float(k) for k in uids]}


def test_a_model_of_joined_data():
    rng = np.random.default_rng(0)
    rows = {"uid": np.arange(60), "y": rng.integers(0, 2, 60), "u": np.arange(60) % 7}
    age = rng.normal(size=60)
    model = gdmix.MixedModel(
        label="y",
        uid="uid",
        coordinates={"g": gdmix.FixedEffect(features=["age"]), "u": gdmix.RandomEffect("u")},
    )
    order = rng.permutation(60)
    other = {"uid": np.arange(60)[order], "age": age[order]}
    here = model.fit(rows | {"age": age}).model_.parts["g"].coefficients
    scores = model.predict(gdmix.join(rows, other))
    there = model.fit(gdmix.join(rows, other)).model_.parts["g"].coefficients
    assert np.array_equal(here, there)
    assert scores["uid"].to_pylist() == list(range(60))
    assert open_source(gdmix.join(rows, other)).name == "data"
