"""From tables in memory, of any kind, to an Arrow table."""

from __future__ import annotations

import sys
from typing import Any

import pyarrow as pa

from gdmix.errors import DataError


def as_table(data: Any, name: str) -> pa.Table:  # noqa: ANN401 - that is the question
    """Return `data` as an Arrow table, without a copy where that can be.

    Raises
    ------
    DataError
        The object is no table, or a column is none.
    """
    try:
        table = _convert(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            name,
            f"the {type(data).__name__} cannot be read as a table ({reason})",
            "columns of one length, each of one type, with distinct names",
        ) from None
    if table is None:
        raise DataError(
            name,
            f"found {type(data).__name__}",
            "a path, a list of paths, a dict of columns, or a pyarrow, pandas or polars table",
        )
    return table


def _convert(data: Any) -> pa.Table | None:  # noqa: ANN401
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, dict):
        return pa.table(data)
    # a frame can only come from a library that is loaded
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return pa.Table.from_pandas(data, preserve_index=False)
    if polars is not None and isinstance(data, polars.LazyFrame):
        data = data.collect()
    if polars is not None and isinstance(data, polars.DataFrame):
        return data.to_arrow()
    return None


def is_spark(data: object) -> bool:
    """Tell whether data is a Spark data frame, without importing Spark."""
    return type(data).__module__.startswith("pyspark.sql.")
