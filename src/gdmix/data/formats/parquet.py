"""Parquet files as record batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gdmix.errors import DataError

IS_TEXT = False
_BATCH_ROWS = 1 << 19
_BATCH_VALUES = 1 << 21
_BUFFER_BYTES = 1 << 20
_GROUP_ROWS = 1 << 17
_GROUP_BYTES = 1 << 26


def read_schema(path: Path) -> pa.Schema:
    """Return the schema in the file's footer."""
    return _open(path).schema_arrow


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, a few row groups in memory at a time."""
    file = _open(path)
    try:
        for groups in _runs(file, schema.names):
            for batch in file.iter_batches(_rows(file, schema.names), groups, schema.names):
                yield batch.select(schema.names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"cannot be read: {error}", hint="write it again") from None


class ParquetWriter:
    """Writes batches of one schema, small ones together."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, once there is enough for a row group."""
        self._held.append(batch)
        rows = sum(held.num_rows for held in self._held)
        if rows >= _GROUP_ROWS or sum(held.nbytes for held in self._held) >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group."""
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held = []


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[ParquetWriter]:
    """Write rows to a file, its pages compressed.

    Raises
    ------
    DataError
        A column is of a type that Parquet does not have.
    """
    try:
        writer = pq.ParquetWriter(path, schema, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise DataError(str(path), f"the columns cannot be written to Parquet ({error})") from None
    with writer:
        held = ParquetWriter(writer)
        yield held
        held.flush()


def _rows(file: pq.ParquetFile, names: list[str]) -> int:
    """Return the rows to read at once: fewer where rows hold long lists."""
    values = rows = 1
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        rows += group.num_rows
        chunks = [group.column(at) for at in range(group.num_columns)]
        values += sum(c.num_values for c in chunks if c.path_in_schema.split(".")[0] in names)
    return max(1, min(_BATCH_ROWS, _BATCH_VALUES * rows // values))


def _runs(file: pq.ParquetFile, names: list[str]) -> list[list[int]]:
    """Return the row groups to read at once: all, but where Arrow cannot join nested codes."""
    groups = list(range(file.num_row_groups))
    kinds = [str(field.type) for field in file.schema_arrow if field.name in names]
    if any("dictionary" in kind and not kind.startswith("dictionary") for kind in kinds):
        return [[group] for group in groups]
    return [groups]


def _open(path: Path) -> pq.ParquetFile:
    try:
        # else whole column chunks of a row group would be held in memory
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            str(path), f"not a Parquet file ({error})", hint="is it complete? write it again"
        ) from None
