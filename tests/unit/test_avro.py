"""Avro files: fastavro is the reference for what they hold."""

import bz2
import io
import json
import lzma
import time
import zlib

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.data.formats import avro, avro_container
from gdmix.data.formats.avro_records import read_records, write_records
from gdmix.data.reading import read
from gdmix.data.source import FrameSource, open_source
from gdmix.errors import DataError

BAG = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Feature",
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "term", "type": ["null", "string"], "default": None},
            {"name": "value", "type": "double"},
        ],
    },
}
EXAMPLE = {
    "type": "record",
    "name": "TrainingExampleAvro",
    "fields": [
        {"name": "uid", "type": ["null", "string", "long", "int"], "default": None},
        {"name": "response", "type": ["double", "float", "int", "long", "string"]},
        {"name": "features", "type": BAG},
        {"name": "others", "type": ["null", {"type": "array", "items": "Feature"}]},
        {"name": "weight", "type": ["null", "double"], "default": None},
        {"name": "metadataMap", "type": ["null", {"type": "map", "values": "string"}]},
    ],
}


def row(k):
    return {
        "uid": k,
        "response": k % 2,
        "features": [
            {"name": "a", "term": None, "value": 1.0 * k},
            {"name": "b", "term": f"t{k % 3}", "value": 1.0},
        ][: k % 3],
        "others": None if k % 4 == 0 else [{"name": "c", "term": "x", "value": 2.0}],
        "weight": None if k == 1 else 0.5,
        "metadataMap": {"userId": f"u{k % 5}", "other": "z"} if k % 7 else {"userId": "u9"},
    }


ROWS = [row(k) for k in range(40)]


def table(path, names=None):
    schema = avro.read_schema(path)
    names = schema.names if names is None else names
    asked = pa.schema([schema.field(name) for name in names])
    return pa.Table.from_batches(list(avro.read_batches(path, asked)), asked)


@pytest.fixture
def example(tmp_path):
    write_records(tmp_path / "a.avro", EXAMPLE, ROWS)
    return tmp_path / "a.avro"


def test_records_as_columns(example):
    found = table(example)
    assert found.schema.field("uid").type == pa.int64()
    assert found["features"].to_pylist() == [r["features"] for r in ROWS]
    assert found["others"].to_pylist() == [r["others"] for r in ROWS]
    assert found["weight"].to_pylist() == [r["weight"] for r in ROWS]
    maps = found["metadataMap"].to_pylist()
    assert [dict(pairs) for pairs in maps] == [r["metadataMap"] for r in ROWS]


@pytest.mark.parametrize("names", [["response"], ["others", "uid"], ["metadataMap"], []])
def test_some_columns(example, names):
    found = table(example, names)
    assert (found.num_rows, found.schema.names) == (40, names)


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_codecs(tmp_path, codec):
    write_records(tmp_path / "a.avro", EXAMPLE, ROWS, codec)
    assert list(read_records(tmp_path / "a.avro")) == ROWS


def test_zstandard(tmp_path, monkeypatch):
    """fastavro needs another package to write it, so the block is packed here."""
    from cramjam import zstd

    data = container(b"zstandard", bytes(zstd.compress(PLAIN)), PLAIN_COUNT)
    (tmp_path / "a.avro").write_bytes(data)
    monkeypatch.setattr(avro_container, "_FIRST_GUESS", 16)
    assert list(read_records(tmp_path / "a.avro")) == ROWS


def plain_block():
    stream = io.BytesIO()
    for record in ROWS:
        fastavro.schemaless_writer(stream, fastavro.parse_schema(EXAMPLE), record)
    return stream.getvalue()


PLAIN, PLAIN_COUNT, SYNC = plain_block(), len(ROWS), b"0123456789abcdef"


def long(value):
    value = (value << 1) ^ (value >> 63)
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def container(codec, block, count, schema=EXAMPLE, size=None):
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    head = b"Obj\x01" + long(2)
    for key, value in ((b"avro.schema", text), (b"avro.codec", codec)):
        head += long(len(key)) + key + long(len(value)) + value
    size = len(block) if size is None else size
    return head + long(0) + SYNC + long(count) + long(size) + block + SYNC


def test_a_header_without_a_codec_and_a_default_that_is_wrong(tmp_path):
    """As Photon-ML's older models have it: text whose default is null."""
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "modelClass", "type": "string", "default": None}],
    }
    text = json.dumps(schema).encode()
    head = b"Obj\x01" + long(1) + long(11) + b"avro.schema" + long(len(text)) + text + long(0)
    block = long(3) + b"abc"
    path = tmp_path / "a.avro"
    path.write_bytes(head + SYNC + long(1) + long(len(block)) + block + SYNC)
    with pytest.raises(fastavro.schema.SchemaParseException), path.open("rb") as stream:
        list(fastavro.reader(stream))
    assert list(read_records(path)) == [{"modelClass": "abc"}]
    assert table(path)["modelClass"].to_pylist() == ["abc"]


def test_no_records_at_all(tmp_path):
    write_records(tmp_path / "a.avro", EXAMPLE, [])
    assert list(read_records(tmp_path / "a.avro")) == []
    assert table(tmp_path / "a.avro").num_rows == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PAR1" + b"x" * 30, "not an Avro file"),
        (container(b"lzo", PLAIN, 40), "found the codec 'lzo'; expected one of null, deflate"),
        (container(b"null", PLAIN, 40, b"{"), "the schema is not JSON"),
        (container(b"null", PLAIN, 40, b'"string"'), "the file holds no records"),
        (container(b"null", PLAIN, 40, b'{"type": "recrd"}'), "the schema is wrong"),
        (container(b"null", PLAIN, 1 << 40), "the block claims 1099511627776 records"),
        (container(b"null", PLAIN, -1), "the block claims -1 records"),
        (container(b"null", PLAIN, 40, size=1 << 50), "records in 1125899906842624 bytes"),
        (container(b"null", PLAIN, 41), "the records cannot be decoded"),
        (container(b"deflate", PLAIN, 40), "the block cannot be unpacked"),
        (container(b"snappy", PLAIN, 40), "the block cannot be unpacked"),
        (container(b"null", PLAIN, 40)[:-1] + b"?", "does not end with the file's mark"),
    ],
)
def test_files_that_are_wrong(tmp_path, data, message):
    path = tmp_path / "a.avro"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        table(path)


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz"])
def test_a_block_that_unpacks_to_too_much(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(avro_container, "_LARGEST", 1 << 20)
    much = bytes(1 << 24)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = {
        "deflate": packer.compress(much) + packer.flush(),
        "bzip2": bz2.compress(much),
        "xz": lzma.compress(much),
    }[codec]
    path = tmp_path / "a.avro"
    path.write_bytes(container(codec.encode(), packed, 40))
    with pytest.raises(DataError, match="larger than 1 GiB"):
        table(path)


def test_cut_off_anywhere(tmp_path):
    data = container(b"deflate", *packed_block())
    path = tmp_path / "a.avro"
    header = data.index(SYNC) + len(SYNC)
    for size in range(0, len(data) - 1, 3):
        path.write_bytes(data[:size])
        if size == header:
            assert table(path).num_rows == 0
            continue
        with pytest.raises(DataError, match=r"a\.avro"):
            table(path)


def packed_block():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(PLAIN) + packer.flush(), PLAIN_COUNT


@given(st.integers(0, len(PLAIN) - 1), st.integers(1, 255))
def test_any_damage_ends_in_an_error_or_in_rows(tmp_path_factory, at, change):
    data = bytearray(PLAIN)
    data[at] ^= change
    path = tmp_path_factory.mktemp("x") / "a.avro"
    path.write_bytes(container(b"null", bytes(data), PLAIN_COUNT))
    started = time.monotonic()
    try:
        rows = table(path).num_rows
    except DataError:
        rows = PLAIN_COUNT
    assert rows == PLAIN_COUNT
    # no absurd length is believed
    assert time.monotonic() - started < 20


TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
KINDS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.string(): TEXT,
    pa.binary(): st.binary(max_size=4),
    pa.list_(pa.string()): st.lists(TEXT, max_size=3),
    pa.map_(pa.string(), pa.int64()): st.dictionaries(TEXT, st.integers(0, 9), max_size=3).map(
        lambda found: list(found.items())
    ),
    pa.list_(
        pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())])
    ): st.lists(
        st.fixed_dictionaries(
            {"name": TEXT, "term": st.none() | TEXT, "value": st.floats(allow_nan=False)}
        ),
        max_size=3,
    ),
    pa.struct([("indices", pa.list_(pa.int64())), ("values", pa.list_(pa.float32()))]): st.just(
        {"indices": [1, 2], "values": [0.5, 1.0]}
    ),
}


@given(st.data())
def test_round_trips(tmp_path_factory, data):
    rows = data.draw(st.integers(1, 12))
    columns = {}
    for k, kind in enumerate(data.draw(st.lists(st.sampled_from(list(KINDS)), min_size=1))):
        values = st.lists(st.none() | KINDS[kind], min_size=rows, max_size=rows)
        columns[f"c{k}"] = pa.array(data.draw(values), kind)
    made = pa.table(columns)
    path = tmp_path_factory.mktemp("x") / "a.avro"
    with avro.open_writer(path, made.schema) as writer:
        for batch in made.to_batches(max_chunksize=5):
            writer.write(batch)
    back = table(path)
    assert back.to_pydict() == made.to_pydict()
    assert back.schema.types == made.schema.types
    with path.open("rb") as stream:
        assert len(list(fastavro.reader(stream))) == rows


def test_ids_and_features_within_maps_and_structs(example):
    """Of any format: a key of a map, a field of a struct."""
    coordinates = {
        "g": FixedEffect(features=["features", "others"]),
        "u": RandomEffect("metadataMap.userId"),
    }
    model = MixedModel(label="response", uid="uid", coordinates=coordinates)
    rows, indexes = read(open_source(str(example)), model.options.layout())
    column = rows.entities["metadataMap.userId"]
    expected = [r["metadataMap"]["userId"] for r in ROWS]
    assert [column.ids[int(code)].as_py() for code in column.codes] == expected
    assert indexes["g"].keys.to_pylist() == ["a\x01", "b\x01t2", "c\x01x"]
    nested = pa.table({"s": [{"x": {"y": k}, "z": k % 2} for k in range(4)]})
    plain = MixedModel(label="s.z", coordinates={"g": FixedEffect(features=["s.x.y"])})
    rows, indexes = read(FrameSource(nested), plain.options.layout())
    assert rows.label.tolist() == [0, 1, 0, 1]
    assert rows.shards["g"].values.tolist() == [0, 1, 2, 3]
    assert indexes["g"].names.to_pylist() == ["s.x.y"]


def test_a_key_that_no_row_has(example):
    coordinates = {"u": RandomEffect("metadataMap.usrId")}
    model = MixedModel(label="response", coordinates=coordinates)
    with pytest.raises(DataError, match=r"column 'metadataMap.usrId': the entity id is null"):
        read(open_source(str(example)), model.options.layout())
    coordinates = {"u": RandomEffect("metadata.userId")}
    model = MixedModel(label="response", coordinates=coordinates)
    with pytest.raises(DataError, match=r"column 'metadata.userId' not found in"):
        read(open_source(str(example)), model.options.layout())
