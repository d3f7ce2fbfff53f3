"""Record batches written as ``tf.train.Example`` records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from gdmix.data.formats.examples_encode import (
    add_feature_sizes,
    begin_records,
    end_records,
    put_integers,
    put_plain,
    put_texts,
)
from gdmix.data.formats.examples_wire import BYTES, INTEGERS
from gdmix.data.formats.feature_columns import FeatureColumn, feature_column, require_feature
from gdmix.data.formats.streams import Writable, open_output
from gdmix.data.formats.tfrecord_frames import CHECKSUMS, Bytes

_AT_ONCE = 1 << 14


class TFRecordWriter:
    """Writes batches of one schema."""

    def __init__(self, path: Path, stream: Writable, schema: pa.Schema) -> None:
        self._path, self._stream = path, stream
        self._names = [np.frombuffer(name.encode(), np.uint8) for name in schema.names]
        self._rows = 0
        for field in schema:
            require_feature(path, field)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one record for each row; a null is a feature that the record lacks.

        Raises
        ------
        DataError
            A list holds a null, or a number is too large for what records have.
        """
        for first in range(0, batch.num_rows, _AT_ONCE):
            part = batch.slice(first, _AT_ONCE)
            columns = [
                feature_column(self._path, self._rows, name, array)
                for name, array in zip(part.schema.names, part.columns, strict=True)
            ]
            self._stream.write(_records(part.num_rows, self._names, columns).data)
            self._rows += part.num_rows


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[TFRecordWriter]:
    """Write records to a file, compressed where its name ends so: ``.gz``, ``.zst``, ``.deflate``.

    Floating point is kept in 32 bits, which is all that these records have.

    Raises
    ------
    DataError
        A column holds what a feature cannot: lists of lists, structs.
    """
    with open_output(path) as stream:
        yield TFRecordWriter(path, stream, schema)


def _records(rows: int, names: list[Bytes], columns: list[FeatureColumn]) -> Bytes:
    """Return the bytes of records with their frames."""
    sizes = np.zeros(rows, np.int64)
    for name, column in zip(names, columns, strict=True):
        add_feature_sizes(column.sizes, column.kind, len(name), sizes)
    ends = np.empty(rows, np.int64)
    slots = np.empty(rows, np.int64)
    total = begin_records(sizes, CHECKSUMS, np.empty(0, np.uint8), slots, ends)
    out = np.empty(total, np.uint8)
    begin_records(sizes, CHECKSUMS, out, slots, ends)
    for name, column in zip(names, columns, strict=True):
        offsets, content = column.offsets, column.sizes
        if column.kind == INTEGERS:
            put_integers(column.whole, offsets, content, name, out, slots)
        elif column.kind == BYTES:
            put_texts(column.plain, column.places, offsets, content, name, out, slots)
        else:
            put_plain(column.plain, offsets, content, name, out, slots)
    end_records(CHECKSUMS, ends, out)
    return out
