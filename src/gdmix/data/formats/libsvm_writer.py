"""Record batches written as libsvm text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.formats.libsvm_lines import LARGEST_INDEX
from gdmix.data.formats.textstream import COMPRESSIONS
from gdmix.data.piece import first_null, row_of
from gdmix.errors import DataError

LABEL = pa.field("label", pa.float64())
QID = pa.field("qid", pa.int64())
FEATURES = pa.field(
    "features",
    pa.struct([("indices", pa.list_(pa.int64())), ("values", pa.list_(pa.float64()))]),
)

_PAIRS = 1 << 21


class LibsvmWriter:
    """Writes batches of one schema."""

    def __init__(self, path: Path, stream: pa.NativeFile) -> None:
        self._path, self._stream = path, stream
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one line for each row; a row whose features are null has none."""
        pairs = batch.column("features").field("indices")
        # text of more than 2 GiB is no array of Arrow's
        step = max(1, batch.num_rows * _PAIRS // (len(pairs.values) + 1))
        for first in range(0, batch.num_rows, step):
            self._write(batch.slice(first, step))

    def _write(self, batch: pa.RecordBatch) -> None:
        label = batch.column("label").cast(pa.float64())
        if label.null_count:
            raise self._wrong(first_null(label), "label", "the label is null", "a number")
        words = [label.cast(pa.string())]
        if "qid" in batch.schema.names:
            query = batch.column("qid").cast(pa.int64())
            named = pc.binary_join_element_wise("qid:", query.cast(pa.string()), "")
            words.append(named)
        words.append(self._pairs(batch.column("features")))
        text = pc.binary_join_element_wise(*words, " ", null_handling="skip")
        ended = pc.binary_join_element_wise(text, "", "\n")
        self._stream.write(_bytes_of(ended))
        self._rows += batch.num_rows

    def _pairs(self, features: pa.StructArray) -> pa.StringArray:
        """Return the pairs of each row as text, null where there are none."""
        indices, values = (pc.struct_field(features, [part]) for part in ("indices", "values"))
        lengths, others = (
            np.asarray(pc.fill_null(pc.list_value_length(part), 0)) for part in (indices, values)
        )
        uneven = np.flatnonzero(lengths != others)
        if len(uneven):
            row = int(uneven[0])
            found = f"{lengths[row]} indices and {others[row]} values"
            raise self._wrong(row, "features", found, "as many of one as of the other")
        number, value = indices.flatten(), values.flatten()
        for part in (number, value):
            if part.null_count:
                row = row_of(first_null(part), lengths)
                raise self._wrong(row, "features", "a null inside a list", "a value")
        outside = np.flatnonzero((np.asarray(number) < 0) | (np.asarray(number) > LARGEST_INDEX))
        if len(outside):
            row, found = row_of(int(outside[0]), lengths), f"found index {number[outside[0]]}"
            raise self._wrong(row, "features", found, f"from 0 to {LARGEST_INDEX}")
        pairs = pc.binary_join_element_wise(
            number.cast(pa.string()), value.cast(pa.float64()).cast(pa.string()), ":"
        )
        pointers = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=pointers[1:])
        joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(pointers), pairs), " ")
        return pc.if_else(pa.array(lengths > 0), joined, pa.scalar(None, pa.string()))

    def _wrong(self, row: int, column: str, found: str, expected: str) -> DataError:
        where = f"{self._path}, row {self._rows + row + 1}, column {column!r}"
        return DataError(where, found, expected)


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[LibsvmWriter]:
    """Write rows of label, query id and features to a file, compressed as its name says.

    Numbers are written with as many digits as tell them from all others.

    Raises
    ------
    DataError
        The columns are not ``label``, ``features`` and perhaps ``qid``.
    """
    for names in (("label", "features"), ("label", "qid", "features")):
        if sorted(schema.names) == sorted(names):
            break
    else:
        found = f"found the columns {', '.join(schema.names)}"
        raise DataError(str(path), found, "label, features and perhaps qid")
    with pa.output_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower())) as stream:
        yield LibsvmWriter(path, stream)


def _bytes_of(text: pa.StringArray) -> memoryview:
    """Return the strings of an array, one after the other."""
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])]
