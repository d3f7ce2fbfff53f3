"""How tables of scores are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gdmix.config import ModelOptions
from gdmix.data.formats import avro
from gdmix.errors import ConfigError
from gdmix.store.foreign_scores import PHOTON_RECORD, gdmix_record, gdmix_scores, photon_scores

ScoreLayout = Literal["gdmix", "photon"]


class TableWriter(Protocol):
    """Takes tables of scores, one after the other."""

    def write_table(self, table: pa.Table) -> None:
        """Write the rows of a table."""


def scores_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a Parquet file for tables of scores.

    Entity ids, labels and weights repeat; uids and scores hardly do, and to look for repeats
    among them costs more than all else.
    """
    repeated = [field.name for field in schema if _repeats(field)]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated)


class _AvroScores:
    """Scores in the columns of another project."""

    def __init__(self, writer: avro.AvroWriter, layout: ScoreLayout, options: ModelOptions) -> None:
        self._writer, self._layout, self._options = writer, layout, options

    def write_table(self, table: pa.Table) -> None:
        """Write a record for each row."""
        for batch in _converted(table, self._layout, self._options).to_batches():
            self._writer.write(batch)


@contextmanager
def open_scores(
    path: Path, first: pa.Table, layout: ScoreLayout | None, options: ModelOptions
) -> Iterator[TableWriter]:
    """Open a file for tables of scores, as ours in Parquet or as another project's in Avro.

    Parameters
    ----------
    path : Path
    first : pa.Table
        Some scores, whose columns the following ones have.
    layout : str or None
        Whose columns; None for ours.
    options : ModelOptions
        Of the model.

    Raises
    ------
    ConfigError
        Another project's files have no place for such scores.
    """
    if layout is None:
        with scores_writer(path, first.schema) as parquet:
            yield parquet
        return
    if options.kind.several:
        found = f"found {layout!r} for a model of task {options.task!r}"
        raise ConfigError("--layout", found, hint="leave it out: they know one score a row")
    table = _converted(first, layout, options)
    record = gdmix_record(table) if layout == "gdmix" else PHOTON_RECORD
    with avro.open_writer(path, table.schema, record) as writer:
        yield _AvroScores(writer, layout, options)


def _converted(table: pa.Table, layout: ScoreLayout, options: ModelOptions) -> pa.Table:
    return (gdmix_scores if layout == "gdmix" else photon_scores)(table, options)


def _repeats(field: pa.Field) -> bool:
    if field.name in ("label", "weight"):
        return True
    return field.name != "uid" and not pa.types.is_floating(field.type)
