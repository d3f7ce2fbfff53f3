"""Parquet files as record batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gdmix.errors import DataError

_BATCH_ROWS = 1 << 17


def read_schema(path: Path) -> pa.Schema:
    """Return the schema in the file's footer."""
    return _open(path).schema_arrow


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, a few row groups in memory at a time."""
    file = _open(path)
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=schema.names):
            yield batch.select(schema.names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"cannot be read: {error}", hint="write it again") from None


def _open(path: Path) -> pq.ParquetFile:
    try:
        # pre_buffer would hold every column chunk of a row group in memory
        return pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            str(path), f"not a Parquet file ({error})", hint="is it complete? write it again"
        ) from None
