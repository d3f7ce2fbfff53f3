"""TFRecords whose records are lists: a row for each item, against loops in Python."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.formats.tfrecord import TFRecord
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError
from gdmix.schema import Lists

LISTS = Lists(
    length="label",
    each={"title": 1, "numbers": 2},
    once=("query", "weight"),
    sparse={"bag": 6},
    group="which",
)
TYPES = pa.schema(
    {
        "label": pa.list_(pa.float32()),
        "title": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float32()),
        "query": pa.list_(pa.string()),
        "weight": pa.list_(pa.float32()),
        "bag_indices0": pa.list_(pa.int64()),
        "bag_indices1": pa.list_(pa.int64()),
        "bag_values": pa.list_(pa.float32()),
    }
)
small = st.integers(-4, 4).map(float)


@st.composite
def record(draw):
    size = draw(st.integers(0, 4))
    bag = draw(
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, 5), small), max_size=6)
        if size
        else st.just([])
    )
    return {
        "label": draw(st.lists(small, min_size=size, max_size=size)),
        "title": draw(st.lists(st.text("aé ", max_size=3), min_size=size, max_size=size)),
        "numbers": draw(st.lists(small, min_size=2 * size, max_size=2 * size)),
        "query": draw(st.lists(st.text("xyz", max_size=3), max_size=1)),
        "weight": [draw(st.sampled_from([0.5, 2.0]))],
        "bag_indices0": [place for place, _, _ in bag],
        "bag_indices1": [feature for _, feature, _ in bag],
        "bag_values": [value for _, _, value in bag],
    }


def write(path, records):
    table = pa.Table.from_pylist(records, TYPES)
    with TFRecord().open_writer(path, table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return path


def rows_of(records, path):
    """Return what a loop makes of the records."""
    found = []
    for number, values in enumerate(records):
        for item, label in enumerate(values["label"]):
            parts = zip(
                *(values[f"bag_{part}"] for part in ("indices0", "indices1", "values")),
                strict=True,
            )
            mine = [(feature, value) for place, feature, value in parts if place == item]
            found.append(
                {
                    "label": label,
                    "title": values["title"][item],
                    "numbers": values["numbers"][2 * item : 2 * item + 2],
                    "query": values["query"][0] if values["query"] else None,
                    "weight": values["weight"][0],
                    "bag_indices": [feature for feature, _ in mine],
                    "bag_values": [value for _, value in mine],
                    "which": f"{path}:{number + 1}",
                }
            )
    return found


def read(path, lists=LISTS):
    file_format = TFRecord(lists)
    schema = file_format.read_schema(path)
    return pa.Table.from_batches(file_format.read_batches(path, schema), schema)


@given(st.lists(record(), min_size=1, max_size=6))
def test_rows_are_those_of_a_loop(tmp_path_factory, records):
    path = write(tmp_path_factory.mktemp("lists") / "a.tfrecord", records)
    if any(values["label"] for values in records):
        assert read(path).to_pylist() == rows_of(records, path)


def test_the_golden_records(shared_data):
    """DeText's own: the lengths that its labels have, three numbers for each document."""
    folder = shared_data("gdmix") / "gdmix-trainer" / "test" / "resources" / "train" / "dataset"
    lists = Lists(
        length="label",
        each={"doc_completedQuery": 1, "wide_ftrs": 3},
        once=("query", "weight"),
    )
    source = open_source(folder, metadata=lists)
    whole = open_source(folder)
    names = ["label", "doc_completedQuery", "wide_ftrs", "weight"]
    (records,) = [batch.to_pylist() for batch, _ in whole.batches(names, frozenset())]
    (rows,) = [batch.to_pylist() for batch, _ in source.batches([*names, "list"], frozenset())]
    assert [row["label"] for row in rows] == [y for item in records for y in item["label"]]
    flat = [text for item in records for text in item["doc_completedQuery"]]
    assert [row["doc_completedQuery"] for row in rows] == flat
    numbers = [number for item in records for number in item["wide_ftrs"]]
    assert [number for row in rows for number in row["wide_ftrs"]] == numbers
    assert len({row["list"] for row in rows}) == len(records) == 10


GOOD = {
    "label": [1.0, 0.0],
    "title": ["a", "b"],
    "numbers": [1.0, 2.0, 3.0, 4.0],
    "query": ["q"],
    "weight": [1.0],
    "bag_indices0": [1],
    "bag_indices1": [5],
    "bag_values": [2.0],
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"title": ["a"]}, "record 2, column 'title': found 1 values; expected 2, 1 for each row"),
        ({"numbers": [1.0] * 3}, "column 'numbers': found 3 values; expected 4, 2 for each"),
        ({"query": ["a", "b"]}, "column 'query': found 2 values; expected 1, once for a list"),
        ({"bag_indices0": [2]}, "'bag_indices0': found index 2; expected from 0 to 1"),
        ({"bag_indices0": [-1]}, "'bag_indices0': found index -1"),
        ({"bag_indices1": [6]}, "'bag_indices1': found index 6; expected from 0 to 5"),
        ({"bag_values": []}, "'bag_values': found 0 values; expected 1, as many as in"),
    ],
)
def test_what_does_not_fit_names_record_and_column(tmp_path, changed, expected):
    path = write(tmp_path / "a.tfrecord", [GOOD, GOOD | changed])
    with pytest.raises(DataError) as caught:
        read(path)
    assert expected in str(caught.value)


def test_no_column_of_the_lists_length(tmp_path):
    path = write(tmp_path / "a.tfrecord", [GOOD])
    with pytest.raises(DataError, match=r"no column 'labels'.*did you mean 'label'"):
        read(path, Lists(length="labels"))


@pytest.mark.parametrize("at", range(0, 400, 23))
def test_damage_is_an_error(tmp_path, at):
    path = write(tmp_path / "a.tfrecord", [GOOD, GOOD])
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 16
    path.write_bytes(data)
    with pytest.raises(DataError):
        read(path)


def test_metadata_beside_the_data_may_say_it(tmp_path):
    path = write(tmp_path / "a.tfrecord", [GOOD])
    (tmp_path / "tensor_metadata.json").write_text(json.dumps({"lists": LISTS.plain()}))
    assert read(path, None).to_pylist() == rows_of([GOOD], path)
    (tmp_path / "tensor_metadata.json").write_text('{"lists": {"lenght": "label"}}')
    with pytest.raises(DataError, match=r"tensor_metadata\.json, lists.*'length'"):
        read(path, None)


def test_a_column_has_one_role():
    with pytest.raises(ConfigError, match=r"'a' in two places"):
        Lists(length="a", once=("a",))


def test_the_one_dimension_of_a_row(tmp_path):
    """Records that are rows: ``x_indices0`` is what everywhere else is ``x_indices``."""
    rows = pa.table({"x_indices0": [[3], [4]], "x_values": [[1.0], [2.0]], "y_indices0": [7, 8]})
    path = tmp_path / "a.tfrecord"
    with TFRecord().open_writer(path, rows.schema) as writer:
        for batch in rows.to_batches():
            writer.write(batch)
    found = read(path, None)
    assert found.schema.names == ["x_indices", "x_values", "y_indices0"]
    assert found["x_indices"].to_pylist() == [[3], [4]]
    np.testing.assert_array_equal(found["y_indices0"], [7, 8])
