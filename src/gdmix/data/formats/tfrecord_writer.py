"""Record batches written as ``tf.train.Example`` records, with the tensor metadata beside them."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from gdmix.data.arrowtypes import is_list, is_string, plain, plain_type
from gdmix.data.formats.tfrecord_frames import frames
from gdmix.errors import DataError

_BYTES, _FLOATS, _INTEGERS = 1, 2, 3


class TFRecordWriter:
    """Writes batches of one schema."""

    def __init__(self, path: Path, stream: BinaryIO | gzip.GzipFile, schema: pa.Schema) -> None:
        self._path, self._stream = path, stream
        self._names = [_field(1, field.name.encode()) for field in schema]
        self._encoders = [_encoder(path, field) for field in schema]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one record for each row; a null is a feature that the record lacks."""
        columns = [plain(column).to_pylist() for column in batch.columns]
        records = []
        for row in zip(*columns, strict=True):
            entries = [
                _field(1, name + _field(2, encode(value)))
                for name, encode, value in zip(self._names, self._encoders, row, strict=True)
                if value is not None
            ]
            records.append(_field(1, b"".join(entries)))
        ends = np.fromiter(accumulate(map(len, records)), np.int64, len(records))
        self._stream.write(frames(np.frombuffer(b"".join(records), np.uint8), ends))


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[TFRecordWriter]:
    """Write records to a file, compressed where its name ends in ``.gz``.

    Floating point is kept in 32 bits, which is all that these records have.

    Raises
    ------
    DataError
        A column holds what a feature cannot: lists of lists, structs.
    """
    with path.open("wb") as stream:
        if path.suffix.lower() != ".gz":
            yield TFRecordWriter(path, stream, schema)
            return
        with gzip.GzipFile(fileobj=stream, mode="wb") as compressed:
            yield TFRecordWriter(path, compressed, schema)


def _encoder(path: Path, field: pa.Field) -> Callable[[Any], bytes]:
    kind = plain_type(field.type)
    many = is_list(kind)
    item = plain_type(kind.value_type) if many else kind
    encode = _list_encoder(item)
    if encode is None:
        raise DataError(
            f"{path}, column {field.name!r}",
            f"type {field.type} cannot be a feature of an Example",
            "numbers, strings, or lists of these",
            "give sparse features as two columns, x_indices and x_values",
        )
    return encode if many else lambda value: encode([value])


def _list_encoder(item: pa.DataType) -> Callable[[list[Any]], bytes] | None:
    if pat.is_integer(item) or pat.is_boolean(item):
        return _integers
    if pat.is_floating(item) or pat.is_decimal(item):
        return _floats
    if is_string(item):
        return lambda values: _texts([value.encode() for value in values])
    if pat.is_binary(item) or pat.is_large_binary(item):
        return _texts
    return None


def _integers(values: list[int]) -> bytes:
    packed = b"".join(_varint(value & 0xFFFFFFFFFFFFFFFF) for value in values)
    return _field(_INTEGERS, _field(1, packed))


def _floats(values: list[float]) -> bytes:
    return _field(_FLOATS, _field(1, struct.pack(f"<{len(values)}f", *values)))


def _texts(values: list[bytes]) -> bytes:
    return _field(_BYTES, b"".join(_field(1, value) for value in values))


def _field(number: int, payload: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
