"""How tables of scores are written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def scores_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a Parquet file for tables of scores.

    Entity ids, labels and weights repeat; uids and scores hardly do, and to look for repeats
    among them costs more than all else.
    """
    repeated = [field.name for field in schema if _repeats(field)]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated)


def _repeats(field: pa.Field) -> bool:
    if field.name in ("label", "weight"):
        return True
    return field.name != "uid" and not pa.types.is_floating(field.type)
