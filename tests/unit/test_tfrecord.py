"""TFRecord files: framing, examples, metadata, and what is broken."""

import gzip
import json
import struct
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix import FixedEffect, MixedModel
from gdmix.data.formats import tfrecord_frames
from gdmix.data.formats.tensor_metadata import Tensor, read_metadata, write_metadata
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.data.formats.tfrecord_frames import CHECKSUMS, is_tfrecord, masked, read_records
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.errors import DataError

FORMAT = TFRecord()

# an Example with the feature "a" of the integers 1, 300, as protoc writes it
ONE = bytes.fromhex("0a0e0a0c0a016112071a050a0301ac02")
# the same, unpacked
UNPACKED = bytes.fromhex("0a0e0a0c0a016112071a05080108ac02")


def crc(data):
    """CRC-32C bit by bit, masked."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def framed(*records):
    out = b""
    for record in records:
        head = struct.pack("<Q", len(record))
        out += head + struct.pack("<I", crc(head)) + record + struct.pack("<I", crc(record))
    return out


def table(path, names=None):
    schema = FORMAT.read_schema(path)
    schema = schema if names is None else pa.schema([schema.field(name) for name in names])
    batches = list(FORMAT.read_batches(path, schema))
    return pa.Table.from_batches(batches, schema)


def write(path, rows, schema=None):
    rows = rows if isinstance(rows, pa.Table) else pa.table(rows, schema)
    with FORMAT.open_writer(path, rows.schema) as writer:
        for batch in rows.to_batches(max_chunksize=7):
            writer.write(batch)
    return path


@given(st.binary(max_size=70))
def test_checksums(data):
    array = np.frombuffer(data, np.uint8)
    for run in (masked, masked.py_func):
        assert run(array, 0, len(array), CHECKSUMS) == crc(data)


def test_a_known_checksum():
    """RFC 3720, B.4: 32 bytes of zeros have 0x8A9136AA; masked by TensorFlow's rule."""
    plain = 0x8A9136AA
    expected = (((plain >> 15) | (plain << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked(np.zeros(32, np.uint8), 0, 32, CHECKSUMS) == expected


@pytest.mark.parametrize("record", [ONE, UNPACKED])
def test_packed_or_not(tmp_path, record):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(record, record))
    assert table(path).to_pydict() == {"a": [[1, 300]] * 2}


@pytest.mark.parametrize("suffix", ["tfrecord", "tfrecords", "tfrecord.gz", "tfrecord.deflate"])
def test_compressed_files(tmp_path, suffix):
    data = framed(*[ONE] * 300)
    packed = {"gz": gzip.compress(data[:5000]) + gzip.compress(data[5000:])}
    packed["deflate"] = zlib.compress(data)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(packed.get(suffix.split(".")[-1], data))
    assert table(path)["a"].to_pylist() == [[1, 300]] * 300


def test_records_are_found_however_the_file_is_cut(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = [bytes([k]) * k for k in range(40)]
    path.write_bytes(framed(*records))
    assert is_tfrecord(path.read_bytes()[:12])
    for chunk in (1, 13, 64, 1 << 20):
        cut = []
        for found in read_records(path, chunk):
            assert found.first == len(cut)
            places = zip(found.starts, found.ends, strict=True)
            cut += [found.data[start:end].tobytes() for start, end in places]
        assert cut == records


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x01"), min_size=1, max_size=6)
FLOATS = st.floats(width=32, allow_nan=False)
KINDS = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): FLOATS,
    pa.string(): st.text(st.characters(codec="utf-8"), max_size=5),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 20))
    columns = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from(list(KINDS)))
        items = KINDS[kind]
        if draw(st.booleans()):
            # a length that varies tells lists from single values
            lists = draw(st.lists(st.lists(items, max_size=4), min_size=rows, max_size=rows))
            columns[name] = pa.array([[*lists[0], *lists[0], draw(items), draw(items)], *lists[1:]])
            columns[name] = columns[name].cast(pa.list_(kind))
        else:
            values = draw(st.lists(items, min_size=rows, max_size=rows))
            values[1:] = [draw(st.sampled_from([v, None])) for v in values[1:]]
            columns[name] = pa.array(values, kind)
    return pa.table(columns)


@given(tables())
def test_round_trips(tmp_path_factory, rows):
    path = write(tmp_path_factory.mktemp("x") / "a.tfrecord", rows)
    back = table(path, rows.schema.names)
    assert back.schema.types == rows.schema.types
    assert back.to_pydict() == rows.to_pydict()


def test_numbers_as_the_metadata_has_them(tmp_path):
    path = write(tmp_path / "a.tfrecord", {"x": [1, 2], "y": [1.0, 2.0], "s": ["a", "b"]})
    tensors = [Tensor("x", pa.float32(), (), False), Tensor("y", pa.int64(), (), False)]
    write_metadata(tmp_path / "metadata" / "tensor_metadata.json", tensors, [])
    assert table(path).to_pydict() == {"x": [1.0, 2.0], "y": [1, 2]}
    assert table(path).schema.types == [pa.float32(), pa.int64()]


def test_metadata_of_other_data_is_left_alone(tmp_path):
    path = write(tmp_path / "a.tfrecord", {"x": [1, 2]})
    other = [Tensor("z", pa.int64(), (), False)]
    write_metadata(tmp_path / "tensor_metadata.json", other, [])
    assert table(path).schema.names == ["x"]
    # one that is named is held to
    named = TFRecord(tmp_path / "tensor_metadata.json")
    assert named.read_schema(path).names == ["z"]


def test_a_feature_index_outside_its_tensor(tmp_path):
    rows = {"b_indices": [[0, 5], [9]], "b_values": [[1.0, 2.0], [3.0]], "y": [0, 1]}
    path = write(tmp_path / "a.tfrecord", rows)
    tensors = [Tensor("b", pa.float32(), (9,), True)]
    write_metadata(tmp_path / "tensor_metadata.json", tensors, [Tensor("y", pa.int64(), (), False)])
    with pytest.raises(DataError, match=r"'b_indices': found index 9; expected from 0 to 8"):
        table(path)


def test_features_by_the_names_of_a_list(tmp_path):
    rows = {"b_indices": [[0, 2], [1]], "b_values": [[1.0, 2.0], [3.0]], "y": [0, 1]}
    path = write(tmp_path / "a.tfrecord", rows)
    names = tmp_path / "names"
    names.write_text('age,\n"a,b",x\ncity,Zürich\n')
    feature = {"column": "b", "names": str(names)}

    def found(**changes):
        model = MixedModel(label="y", coordinates={"g": FixedEffect(features=[feature | changes])})
        return read(open_source(str(path)), model.options.layout())

    data, indexes = found()
    assert indexes["g"].keys.to_pylist() == ["a,b\x01x", "age\x01", "city\x01Zürich"]
    csr = data.shards["g"]
    assert (csr.indices.tolist(), csr.values.tolist()) == ([1, 2, 0], [1.0, 2.0, 3.0])
    only = tmp_path / "only"
    only.write_text("age\t\ncity\tZürich\n")
    data, indexes = found(only=str(only))
    assert indexes["g"].names.to_pylist() == ["age", "city"]
    assert data.shards["g"].indptr.tolist() == [0, 2, 2]
    names.write_text("age,\nheight,\n")
    with pytest.raises(DataError, match="found index 2; expected from 0 to 1, a line of"):
        found()
    names.write_text("a,b,c\n")
    with pytest.raises(
        DataError, match="names, line 1: found 3 values; expected a name and a term"
    ):
        found()


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"name": 9, "dtype": "int"}, r"features\[0\].name: found 9; expected text"),
        ({"name": "a", "dtype": "text"}, r"\(a\).dtype: found 'text'; expected one of int, long"),
        ({"name": "a", "dtype": "int", "shape": 7}, r"\(a\).shape: found 7; expected a list"),
        ({"name": "a", "dtype": "int", "shape": [0]}, "expected lengths from 1"),
        ({"name": "a", "dtype": "int", "isSparse": "yes"}, "isSparse: found 'yes'"),
        ({"name": "a", "dtype": "int", "shape": [], "isSparse": True}, "one length"),
        ("a", "found 'a'; expected a mapping"),
    ],
)
def test_wrong_metadata(tmp_path, tensor, message):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"features": [tensor], "labels": []}))
    with pytest.raises(DataError, match=message):
        read_metadata(path)


def test_metadata_round_trips(tmp_path):
    tensors = [
        Tensor("a", pa.int64(), (), False),
        Tensor("b", pa.float32(), (7,), True),
        Tensor("c", pa.string(), (-1,), False),
        Tensor("d", pa.float64(), (2, 3), False),
    ]
    write_metadata(tmp_path / "m.json", tensors[:3], tensors[3:])
    assert read_metadata(tmp_path / "m.json") == tensors


def sample(tmp_path):
    rows = {
        "uid": [1, 2, 3],
        "b_indices": [[1, 200], [], [3]],
        "b_values": [[1.0, 2.0], [], [0.5]],
        "s": ["a", "bc", ""],
    }
    return write(tmp_path / "a.tfrecord", rows).read_bytes()


def test_cut_off_anywhere(tmp_path):
    data = sample(tmp_path)
    whole = [0]
    for record in read_records(tmp_path / "a.tfrecord"):
        whole += [int(end) + 4 for end in record.ends]
    path = tmp_path / "cut.tfrecord"
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        if size in whole:
            assert table(path).num_rows == whole.index(size)
            continue
        with pytest.raises(DataError, match=r"byte \d+ \(record \d\): the file ends within"):
            table(path)


def test_any_byte_that_changed_is_noticed(tmp_path):
    data = sample(tmp_path)
    path = tmp_path / "wrong.tfrecord"
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x41
        path.write_bytes(bytes(changed))
        with pytest.raises(DataError, match=r"checksum of the record's (length|data) does not fit"):
            table(path)


@given(st.data())
def test_records_that_are_no_examples(tmp_path_factory, data):
    """Checksums fit, yet what they hold is damaged: an error, or some other values."""
    path = tmp_path_factory.mktemp("x") / "a.tfrecord"
    record = bytearray(data.draw(st.sampled_from([ONE, UNPACKED, ONE + ONE])))
    for _ in range(data.draw(st.integers(1, 3))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    record = bytes(record[: data.draw(st.integers(0, len(record)))])
    path.write_bytes(framed(ONE, record))
    with suppress(DataError):
        assert table(path).num_rows == 2


def test_absurd_lengths(tmp_path):
    path = tmp_path / "a.tfrecord"
    head = struct.pack("<Q", 1 << 60)
    path.write_bytes(head + struct.pack("<I", crc(head)) + b"x" * 20)
    with pytest.raises(DataError, match="longer than 2 GiB"):
        table(path)
    # within a record: a field that claims to be longer than the record
    for length in (b"\x7f", b"\xff\xff\xff\xff\x7f", b"\xff" * 9 + b"\x01", b"\xff" * 12):
        path.write_bytes(framed(b"\x0a" + length + b"abc"))
        with pytest.raises(DataError, match=r"record 1, byte \d+: this is no tf.train.Example"):
            table(path)


@pytest.mark.parametrize("more", [9, 10])
def test_integers_of_too_many_bytes(tmp_path, more):
    """Ten bytes are the most that protocol buffers have."""
    packed = b"\xff" * more + b"\x01"
    feature = bytes((0x1A, len(packed) + 2, 0x0A, len(packed))) + packed
    entry = b"\x0a\x01a\x12" + bytes((len(feature),)) + feature
    example = b"\x0a" + bytes((len(entry),)) + entry
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(ONE, b"\x0a" + bytes((len(example),)) + example))
    if more == 9:
        assert table(path)["a"].to_pylist() == [[1, 300], [-1]]
        return
    with pytest.raises(DataError, match="record 2, column 'a': the feature is broken"):
        table(path)


def test_a_deflated_file_that_is_cut_off(tmp_path):
    path = tmp_path / "a.tfrecord.deflate"
    path.write_bytes(zlib.compress(framed(*[ONE] * 500))[:-8])
    with pytest.raises(DataError, match="cannot be read"):
        table(path)


def test_text_that_is_not_utf8(tmp_path):
    rows = pa.table({"s": pa.array([b"ok", b"\xff"])})
    with pytest.raises(DataError, match="'s': the text is not UTF-8"):
        table(write(tmp_path / "a.tfrecord", rows))


def test_what_cannot_be_written(tmp_path):
    rows = pa.table({"s": [{"a": 1}]})
    with pytest.raises(DataError, match="column 's': type struct<a: int64> cannot be a feature"):
        write(tmp_path / "a.tfrecord", rows)


def test_kinds_that_disagree(tmp_path):
    other = write(tmp_path / "b.tfrecord", {"a": [["x"], ["y", "z"]]})
    for record in read_records(other):
        records = [
            record.data[a:b].tobytes() for a, b in zip(record.starts, record.ends, strict=True)
        ]
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(ONE, *records))
    with pytest.raises(DataError, match=r"record 2, column 'a': found bytes; expected int64"):
        table(path)


def test_the_records_of_one_read_have_bounded_size(tmp_path, monkeypatch):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(framed(*[ONE] * 1000))
    monkeypatch.setattr(tfrecord_frames, "_CHUNK", 1 << 10)
    assert max(len(r.data) for r in read_records(path, 1 << 10)) < 1200
