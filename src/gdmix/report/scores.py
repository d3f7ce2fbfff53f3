"""The validation scores that a run wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gdmix.tasks import Task

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Labels and scores of the validation rows.

    Attributes
    ----------
    folder : Path
        Read again for the columns of each coordinate: at most one coordinate's are held.
    task : Task
    label, score, weight : float64[rows]
    entity_columns : tuple of str
        Names of the columns of entity ids.
    """

    folder: Path
    task: Task
    label: Floats
    score: Floats
    weight: Floats
    entity_columns: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, task: Task, *, weighted: bool = False) -> Scores | None:
        """Read a split's scores; None when there are none, or none with labels.

        `weighted` tells whether rows have weights: an entity column may be named weight too.
        """
        files = _files(folder)
        if not files:
            return None
        names = pq.read_schema(files[0]).names
        if "label" not in names:
            return None
        weight = ["weight"] if weighted else []
        table = _table(folder, ["label", "score", *weight])
        # they come last
        entities = names[names.index("label") + 1 + len(weight) :]
        label, score = _floats(table, "label"), _floats(table, "score")
        weights = _floats(table, "weight") if weight else np.ones(len(label))
        return cls(folder, task, label, score, weights, tuple(entities))

    def own(self, coordinate: str) -> Floats:
        """Return a coordinate's own score of every row."""
        name = f"score_{coordinate}"
        return _floats(_table(self.folder, [name]), name)

    def entities(self, column: str) -> tuple[NDArray[np.int64], pa.Array]:
        """Return each row's entity as a position, -1 for a null, and the distinct ids."""
        name = entity_column(self.entity_columns, column)
        ids = _table(self.folder, [name])[name].combine_chunks()
        encoded = pc.dictionary_encode(ids)
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        return codes.astype(np.int64), encoded.dictionary


def entity_column(written: Sequence[str], column: str) -> str:
    """Return the name under which an entity column was written: its own, unless a score has it.

    >>> entity_column(["user_id", "entity_score"], "score")
    'entity_score'
    """
    return column if column in written else f"entity_{column}"


def _table(folder: Path, columns: list[str]) -> pa.Table:
    # a folder of the path may look like a Hive partition: it is none
    tables = [pq.read_table(file, columns=columns, partitioning=None) for file in _files(folder)]
    return pa.concat_tables(tables)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
