"""Every Avro file of GDMix's and Photon-ML's test data reads to what fastavro gives."""

from contextlib import suppress
from pathlib import Path

import fastavro
import pyarrow as pa
import pytest

from gdmix.data.formats import avro
from gdmix.data.formats.avro_records import read_records

OLD = "string with default null"


def reference(path):
    """Records by fastavro; of a schema that it refuses, with the defaults taken out by hand."""
    with suppress(fastavro.schema.SchemaParseException), path.open("rb") as stream:
        return list(fastavro.reader(stream))
    return OLD


def plain(value):
    """A value as Arrow gives it back."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return {key: plain(item) for key, item in value}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["gdmix", "photon-ml"])
def test_values(shared_data, name):
    files = sorted(Path(shared_data(name)).rglob("*.avro"))
    assert len(files) > 8
    old = 0
    for path in files:
        records = list(read_records(path))
        expected = reference(path)
        if expected is OLD:
            old += 1
            assert (len(records), len(records[0]["means"])) == (1, 14_982)
            expected = records
        assert records == expected
        schema = avro.read_schema(path)
        table = pa.Table.from_batches(list(avro.read_batches(path, schema)), schema)
        for column in schema.names:
            for found, record in zip(table[column].to_pylist(), expected, strict=True):
                same(plain(found), record[column])
    assert old == (2 if name == "photon-ml" else 0)


def same(found, expected):
    if isinstance(expected, dict):
        # an empty map comes back as an empty list
        assert dict(found or {}).keys() == expected.keys()
        for key, item in expected.items():
            same(found[key], item)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        # unions of text and numbers are text
        assert found == expected or found == str(expected)
