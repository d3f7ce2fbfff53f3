"""TFRecord files on disk: compression, memory, and rows that cannot be written."""

import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pyarrow as pa
import pytest

from gdmix.data.formats.tensor_metadata import Tensor, read_metadata, write_metadata
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.data.formats.tfrecord_frames import CHECKSUMS, masked, read_records
from gdmix.data.source import open_source
from gdmix.errors import DataError

FORMAT = TFRecord()
SUFFIXES = ["tfrecord", "tfrecord.gz", "tfrecord.zst", "tfrecord.deflate", "tfrecord.zlib"]


def table(path, metadata=None):
    kind = TFRecord(metadata)
    schema = kind.read_schema(path)
    return pa.Table.from_batches(kind.read_batches(path, schema), schema)


def write(path, rows, schema=None):
    rows = rows if isinstance(rows, pa.Table) else pa.table(rows, schema)
    with FORMAT.open_writer(path, rows.schema) as writer:
        for batch in rows.to_batches():
            writer.write(batch)
    return path


def checked(data):
    return data + struct.pack("<I", masked(np.frombuffer(data, np.uint8), 0, len(data), CHECKSUMS))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_compressed_as_the_name_says(tmp_path, suffix):
    rows = {"x": list(range(3000)), "t": [f"text {k}" for k in range(3000)]}
    path = write(tmp_path / f"a.{suffix}", rows)
    assert table(path).to_pydict() == rows
    starts = {"gz": b"\x1f\x8b", "zst": b"\x28\xb5\x2f\xfd", "deflate": b"\x78", "zlib": b"\x78"}
    assert path.read_bytes().startswith(starts.get(suffix.split(".")[-1], b""))
    # equal rows give equal files
    assert write(tmp_path / f"b.{suffix}", rows).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_compressed_files_that_are_cut_off(tmp_path, suffix):
    whole = write(tmp_path / f"a.{suffix}", {"x": list(range(50))}).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cannot be read|ends within a record"):
            table(path)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_compressed_files_that_hold_other_things(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"these are words, and nothing else")
    with pytest.raises(DataError, match="cannot be read"):
        table(path)


def test_zlib_streams_one_after_the_other(tmp_path):
    whole = write(tmp_path / "a.tfrecord", {"x": list(range(500))}).read_bytes()
    path = tmp_path / "b.tfrecord.deflate"
    path.write_bytes(zlib.compress(whole[:999]) + zlib.compress(whole[999:]))
    assert table(path)["x"].to_pylist() == list(range(500))
    path.write_bytes(zlib.compress(whole) + b"what is this")
    with pytest.raises(DataError, match="cannot be read"):
        table(path)


def test_records_larger_than_what_is_read_at_once(tmp_path):
    rows = {"x": [[k] * 5000 for k in (1, 200, 3)], "y": [1, 2, 3]}
    path = write(tmp_path / "a.tfrecord", rows)
    found = []
    for records in read_records(path, 64):
        assert len(records.data) < 40_000
        found += [int(end - start) for start, end in zip(records.starts, records.ends, strict=True)]
    assert len(found) == 3
    assert sum(found) + 3 * 16 == path.stat().st_size
    assert table(path).to_pydict() == rows


def test_a_length_alone_takes_no_memory(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(checked(struct.pack("<Q", 2**31 - 1)) + b"x" * 100)
    (tmp_path / "b.tfrecord.gz").write_bytes(gzip.compress(path.read_bytes()))
    tracemalloc.start()
    try:
        for file in (path, tmp_path / "b.tfrecord.gz"):
            with pytest.raises(DataError, match="ends within a record"):
                table(file)
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()


def test_a_record_by_hand(tmp_path):
    """What TensorFlow writes for an integer, a float and two texts; an absent one is left out."""
    schema = pa.schema([("i", pa.int64()), ("f", pa.float64()), ("t", pa.list_(pa.string()))])
    rows = pa.table({"i": [300, None], "f": [None, 0.5], "t": [["a", ""], []]}, schema)
    path = write(tmp_path / "a.tfrecord", rows)
    (records,) = read_records(path)
    cut = [records.data[a:b].tobytes() for a, b in zip(records.starts, records.ends, strict=True)]
    one = bytes.fromhex("0a0b0a016912061a040a02ac02" + "0a0c0a017412070a050a01610a00")
    two = bytes.fromhex("0a0d0a016612081206" + "0a040000003f" + "0a070a017412020a00")
    assert cut == [b"\x0a" + bytes((len(one),)) + one, b"\x0a" + bytes((len(two),)) + two]


KINDS = [
    (pa.int8(), [-128, 127]),
    (pa.uint64(), [0, 2**63 - 1]),
    (pa.bool_(), [True, False]),
    (pa.float16(), [np.float16(1.5), np.float16(-2)]),
    (pa.float64(), [1.5, float("inf")]),
    (pa.decimal128(5, 2), None),
    (pa.large_string(), ["é", ""]),
    (pa.string_view(), ["é", "x" * 50]),
    (pa.dictionary(pa.int32(), pa.string()), ["a", "b"]),
    (pa.large_list(pa.int64()), [[1], [2, 3]]),
    (pa.list_(pa.int32(), 2), [[1, 2], [3, 4]]),
    (pa.list_(pa.dictionary(pa.int8(), pa.string())), [["a", "b"], []]),
]


@pytest.mark.parametrize(("kind", "values"), KINDS, ids=[str(kind) for kind, _ in KINDS])
def test_types_of_arrow(tmp_path, kind, values):
    """Slices and nulls, too: what lies outside or under them is not written."""
    if values is None:
        array = pa.array(["1.25", "-2.50"]).cast(kind)
        values = [1.25, -2.5]
    else:
        array = pa.array(values, kind)
    nothing = pa.nulls(1, kind)
    column = pa.concat_arrays([array, nothing, array, array])
    batch = pa.record_batch({"x": column, "n": pa.array(range(7))}).slice(1, 5)
    with FORMAT.open_writer(tmp_path / "a.tfrecord", batch.schema) as writer:
        writer.write(batch)
    expected = [values[1], None, *values, values[0]]
    if isinstance(values[0], list):
        expected = [x or [] for x in expected]
    found = table(tmp_path / "a.tfrecord")
    assert found["x"].to_pylist() == expected
    assert found["n"].to_pylist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([[1], [2, 3], [4, None]]), "row 3, column 'x': a null inside a list"),
        (pa.array([None, 1, 2**63], pa.uint64()), "row 3, column 'x': found an integer of 2"),
        (pa.array([[], [1.0, 1e39]]), "row 2, column 'x': found a number beyond 3.4e38"),
    ],
)
def test_rows_that_cannot_be_written(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "a.tfrecord", {"x": values})
    # rows are those of the file, not of the batch
    rows = pa.table({"x": values})
    earlier = rows.slice(0, 1)
    later = message.replace("row 3", "row 5").replace("row 2", "row 4")
    with pytest.raises(DataError, match=later):
        write(tmp_path / "b.tfrecord", pa.concat_tables([earlier, earlier, rows]))


# Examples whose feature x holds nothing of any kind, the integer 5, and 5 and 6
NOTHING = bytes.fromhex("0a070a050a01781200")
FIVE = bytes.fromhex("0a0c0a0a0a017812051a030a0105")
BOTH = bytes.fromhex("0a0d0a0b0a017812061a040a020506")


def write_records(path, *records):
    path.write_bytes(b"".join(checked(struct.pack("<Q", len(r))) + checked(r) for r in records))
    return path


def test_what_a_file_first_tells_nothing_of(tmp_path):
    """Of a column that is empty in the first file, the second tells the type."""
    write_records(tmp_path / "a.tfrecord", NOTHING, NOTHING)
    write_records(tmp_path / "b.tfrecord", NOTHING, BOTH)
    source = open_source(str(tmp_path))
    found = [batch.columns["x"].to_pylist() for batch in source.batches(["x"], frozenset())]
    assert found == [[[], []], [[], [5, 6]]]


def test_a_column_whose_values_come_late(tmp_path, monkeypatch):
    monkeypatch.setattr("gdmix.data.formats.tfrecord._HEAD_BYTES", 256)
    path = write_records(tmp_path / "a.tfrecord", *[NOTHING] * 50, FIVE)
    with pytest.raises(DataError, match=r"record 51, column 'x': found integers.*tensor metadata"):
        table(path)
    named = tmp_path / "m.json"
    for shape, expected in ((), [None, 5]), ((-1,), [[], [5]]):
        write_metadata(named, [Tensor("x", pa.int64(), shape, False)], [])
        assert table(path, named)["x"].to_pylist()[-2:] == expected
    write_records(path, BOTH)
    write_metadata(named, [Tensor("x", pa.int64(), (3,), False)], [])
    with pytest.raises(DataError, match=r"record 1, column 'x': found 2 values; expected 3"):
        table(path, named)


def test_metadata_holds_though_a_column_is_missing_at_first(tmp_path):
    path = write(tmp_path / "a.tfrecord", {"x": [1, 2]})
    tensors = [Tensor(name, pa.float32(), (), False) for name in ("x", "rare")]
    write_metadata(tmp_path / "tensor_metadata.json", tensors, [])
    assert table(path).to_pydict() == {"x": [1.0, 2.0], "rare": [None, None]}


def test_a_record_whose_index_is_out_of_range(tmp_path):
    rows = {"b_indices": [[0], [1, 2], [], [3, -1]], "b_values": [[1.0], [1.0] * 2, [], [1.0] * 2]}
    path = write(tmp_path / "a.tfrecord", rows)
    write_metadata(tmp_path / "tensor_metadata.json", [Tensor("b", pa.float32(), (4,), True)], [])
    with pytest.raises(DataError, match="record 4, column 'b_indices': found index -1"):
        table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"features": [{"name": "a", "dtype": ["int"]}]}', r"dtype: found \['int'\]"),
        ('{"features": [{"name": "a", "dtype": "int", "shape": [true]}]}', "whole numbers"),
        ('{"features": [{"name": "a", "dtype": "int", "shape": [1e3]}]}', "whole numbers"),
        ('{"features": [{"name": "a", "dtype": "int", "shape": [4294967296]}]}', "from 1 to 2147"),
        ('{"features": [{"name": "a", "dtype": "int", "shape": [65536, 65536]}]}', "at most"),
        ("[" * 100_000, "not JSON"),
        ("\udcff", "not JSON"),
        ("[1]", "no 'features'"),
    ],
)
def test_metadata_that_is_damaged(tmp_path, text, message):
    path = tmp_path / "m.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        read_metadata(path)


def test_names_that_are_not_text(tmp_path):
    path = write_records(tmp_path / "a.tfrecord", FIVE.replace(b"x", b"\xff"))
    with pytest.raises(DataError, match=r"found the name b'\\xff' of a feature; expected text"):
        table(path)
