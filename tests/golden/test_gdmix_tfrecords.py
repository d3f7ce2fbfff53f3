"""GDMix's own TFRecord files and metadata, values told by hand and by a plain decoder."""

import json
import struct

import pyarrow as pa
import pytest

from gdmix.data.formats.tensor_metadata import read_metadata
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.errors import DataError

RESOURCES = "gdmix-trainer/test/resources"


@pytest.fixture
def resources(shared_data):
    return shared_data("gdmix") / RESOURCES


def table(path, metadata=None):
    kind = TFRecord(metadata)
    schema = kind.read_schema(path)
    return pa.Table.from_batches(kind.read_batches(path, schema), schema)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Yield number and value of the fields of a message: bytes, or a number."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            size, at = varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            value, at = varint(data, at)
            yield key >> 3, value


def plain_features(features):
    found = {}
    for _, entry in fields(features):
        parts = dict(fields(entry))
        ((kind, values),) = fields(parts[2])
        if kind == 1:
            decoded = [value.decode() for _, value in fields(values)]
        elif kind == 2:
            ((_, packed),) = fields(values)
            decoded = list(struct.unpack(f"<{len(packed) // 4}f", packed))
        else:
            ((_, packed),) = fields(values)
            decoded, at = [], 0
            while at < len(packed):
                value, at = varint(packed, at)
                decoded.append(value)
        found[parts[1].decode()] = decoded
    return found


def plain_records(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


@pytest.mark.parametrize(
    "name", ["fe_lbfgs/training_data/test.tfrecord", "train/dataset/tfrecord/test.tfrecord"]
)
def test_examples(resources, name):
    path = resources / name
    expected = [plain_features(dict(fields(record))[1]) for record in plain_records(path)]
    found = table(path)
    assert found.num_rows == len(expected)
    for row, record in zip(found.to_pylist(), expected, strict=True):
        assert {k for k, v in row.items() if v is not None} == set(record)
        for column, values in record.items():
            mine = row[column] if isinstance(row[column], list) else [row[column]]
            assert mine == values


@pytest.mark.parametrize("metadata", [None, "data.json"])
def test_samples_grouped_by_entity(resources, metadata):
    """Two entities of two samples and of one; the numbers are those that GDMix's tests name."""
    folder = resources / "grouped_per_member_train"
    found = table(folder / "data.tfrecord", metadata and folder / metadata)
    assert found["memberId"].to_pylist() == [100034, 100034, 100]
    assert found["uid"].to_pylist() == [10, 20, 23]
    assert found["response"].to_pylist() == [0, 1, 1]
    assert found["offset"].to_pylist() == pytest.approx([0.5, 0.75, 0.2])
    assert found["weight"].to_pylist() == [1.0, 2.0, 1.0]
    assert found["per_member_indices"].to_pylist() == [[0, 7, 60, 80, 95], [34, 57], [10, 11]]
    values = found["per_member_values"].to_pylist()
    assert values[1] == [1.0, 2.0]
    assert values[2] == pytest.approx([-3.5, 2.3])


def test_only_what_the_metadata_names(resources):
    folder = resources / "grouped_per_member_train"
    found = table(folder / "data.tfrecord", folder / "data_intercept_only.json")
    assert found.schema.names == ["weight", "offset", "uid", "memberId", "response"]
    assert found["memberId"].to_pylist() == [100034, 100034, 100]


@pytest.mark.parametrize("name", ["valid.json", "valid_metadata.json", "tensor_metadata.json"])
def test_metadata_that_is_right(resources, name):
    path = resources / "metadata" / name
    plain = json.loads(path.read_text())
    names = [item["name"] for part in ("features", "labels") for item in plain[part]]
    assert [tensor.name for tensor in read_metadata(path)] == names


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("duplicated_names.json", "2 tensors are named 'weight'"),
        ("invalid_name.json", "name: found 9"),
        ("invalid_shape.json", "shape: found 7"),
        ("invalid_type.json", "dtype: found 'text'"),
    ],
)
def test_metadata_that_is_wrong(resources, name, message):
    with pytest.raises(DataError, match=message):
        read_metadata(resources / "metadata" / name)
