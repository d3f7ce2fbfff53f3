"""Labels, weights, offsets, uids and entity ids: exact places of what is wrong."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data import source as source_module
from gdmix.data.index import FeatureIndex
from gdmix.data.reading import read, read_stream
from gdmix.data.source import open_source
from gdmix.errors import DataError
from tests.unit.test_reading import layout


@pytest.fixture(autouse=True)
def tiny_batches(monkeypatch):
    monkeypatch.setattr(source_module, "_BATCH_ROWS", 2)


@pytest.fixture
def two_files(tmp_path):
    """Return a function that writes a good first file and a second one with these values."""

    def write(values):
        good = next(value for value in values if value is not None and value == value)
        column = pa.array(values)
        first = pa.array([good] * 5, column.type)
        pq.write_table(pa.table({"c": first}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"c": column}), tmp_path / "b.parquet")
        return tmp_path

    return write


def error_of(data, **options):
    with pytest.raises(DataError) as caught:
        read(open_source(data), layout(**options))
    return str(caught.value)


BAD = [
    ([0.0, 1.0, float("nan")], "label", "the label is nan; expected a finite number"),
    ([0.0, 1.0, float("inf")], "weight", "the weight is inf; expected a finite number"),
    ([0.0, 1.0, float("-inf")], "offset", "the offset is -inf; expected a finite number"),
    ([0.0, 1.0, None], "label", "the label is null; expected a number"),
    ([0.0, 1.0, None], "weight", "the weight is null; expected a number"),
    ([0, 1, None], "offset", "the offset is null; expected a number"),
    ([0.0, 1.0, 2.0], "label", "the label is 2; expected 0 or 1 for task 't'"),
    ([0.0, 1.0, 0.5], "label", "the label is 0.5; expected 0 or 1"),
    ([0.0, 1.0, -1.0], "label", "the label is -1; expected 0 or 1"),
    ([0.0, 1.0, -1.0], "weight", "the weight is -1; expected 0 or more"),
    (
        [-1.0, 1.0, 0.0],
        "label",
        "the label is 0; expected -1 or 1, as in the rows before, for task",
    ),
]


@pytest.mark.parametrize("values", [[1.0, -1.0, -1.0], [-1.0] * 3, [1.0] * 3, [0.0, 1.0, 1.0]])
def test_labels_of_minus_one_are_those_of_zero(values):
    source = open_source({"c": values})
    found, indexes = read(source, layout(label="c", labels="binary"))
    expected = [max(value, 0.0) for value in values]
    assert found.label.tolist() == expected
    streamed = read_stream(source, layout(label="c", labels="binary"), indexes, label=True)
    assert [label for rows in streamed for label in rows.label.tolist()] == expected
    assert read(source, layout(label="c"))[0].label.tolist() == values


@pytest.mark.parametrize(("values", "role", "words"), BAD)
def test_row_of_a_bad_number(values, role, words, two_files):
    columns = pa.table({"c": values})
    options = {role: "c", "labels": "binary", "labels_of": "task 't'"}
    assert error_of(columns, **options).startswith(f"data, row 3, column 'c': {words}")
    folder = two_files(values)
    place = f"{folder / 'b.parquet'}, row 3, column 'c': {words}"
    assert error_of(folder, **options).startswith(place)

    def stream():
        indexes = {"s": FeatureIndex.build([])[0]}
        return list(read_stream(open_source(columns), layout(**options), indexes, label=True))

    if role == "label":
        # a label that is only carried along while scoring may be anything, or missing
        found = np.array([np.nan if value is None else value for value in values], float)
        found = np.where(found == -1.0, 0.0, found)
        carried = np.concatenate([rows.label for rows in stream()])
        assert np.array_equal(carried, found, equal_nan=True)
    else:
        with pytest.raises(DataError, match="row 3, column 'c'"):
            stream()


@pytest.mark.parametrize("role", ["label", "weight", "offset"])
@pytest.mark.parametrize(
    "values",
    [["0", "1"], ["yes", "no"], [[1.0], [0.0]], [datetime.date(2020, 1, 1)], [b"1"], [{"a": 1}]],
)
def test_types_that_are_no_numbers(role, values):
    message = error_of({"c": values}, **{role: "c"})
    assert message.startswith("data, column 'c': found type ")
    assert f"for the {role}; expected numbers" in message


def test_text_among_labels_is_named():
    message = error_of({"c": ["1", "0", "x"]}, label="c")
    # rows 1 and 2 are a batch of their own
    assert message.startswith("data, column 'c': found type string for the label")
    assert error_of({"c": ["1", "x"]}, label="c").endswith("row 2 holds 'x'")


def test_labels_of_any_range():
    dataset, _ = read(open_source({"c": [-3.5, 7.0]}), layout(label="c"))
    assert dataset.label.tolist() == [-3.5, 7.0]


def test_row_of_a_null_entity(two_files):
    words = "column 'c': the entity id is null; expected an id; drop such rows"
    assert error_of({"c": ["a", "b", None]}, entities=["c"]).startswith(f"data, row 3, {words}")
    assert error_of({"c": [None]}, entities=["c"]).startswith(f"data, row 1, {words}")
    nullish = pa.DictionaryArray.from_arrays([0, 0, 1], ["a", None])
    assert error_of({"c": nullish}, entities=["c"]).startswith(f"data, row 3, {words}")
    folder = two_files([1, 2, None])
    assert error_of(folder, entities=["c"]).startswith(f"{folder / 'b.parquet'}, row 3, {words}")
    assert "(coordinates.per-c.entity)" in error_of({"c": [None]}, entities=["c"])


@pytest.mark.parametrize(
    "values", [[1.0, 2.0], [True], [["a"]], [datetime.date(2020, 1, 1)], [b"a"], [{"a": 1}]]
)
def test_types_that_are_no_entity_ids(values):
    message = error_of({"c": values}, entities=["c"])
    assert message.startswith("data, column 'c': found type ")
    assert "for an entity id; expected whole numbers or strings" in message


def test_entity_ids_beyond_int64():
    message = error_of({"c": pa.array([1, 2**63], pa.uint64())}, entities=["c"])
    assert "an entity id is too large" in message


def test_uids_that_repeat(two_files):
    options = {"uid": "c", "unique_uid": True}
    message = error_of({"c": ["a", "b", "d", "b"]}, **options)
    assert message.startswith("data, row 4, column 'c': uid 'b' repeats that of row 2; expected")
    folder = two_files([2, 3, 2])
    pq.write_table(pa.table({"c": [7, 8, 9]}), folder / "a.parquet")
    message = error_of(folder, **options)
    assert message.startswith(
        f"{folder / 'b.parquet'}, row 3, column 'c': uid 2 repeats that of row 1;"
    )
    pq.write_table(pa.table({"c": [7, 3, 9]}), folder / "a.parquet")
    message = error_of(folder, **options)
    assert "row 2, column 'c': uid 3 repeats that of row 2 of " in message
    assert read(open_source(folder), layout(uid="c"))[0].rows == 6


def test_unique_uids_of_other_types():
    options = {"uid": "c", "unique_uid": True}
    for values in (pa.array(["a", "b", "c"]).dictionary_encode(), pa.array([1.5, 2.5, 3.5])):
        assert read(open_source({"c": values}), layout(**options))[0].uid.to_pylist()
    assert error_of({"c": ["a", "b", None]}, **options).startswith(
        "data, row 3, column 'c': the uid"
    )
    assert "for the uid" in error_of({"c": [["a"]]}, **options)
    assert "repeats" in error_of({"c": pa.array(["a", "a"], pa.string_view())}, **options)
