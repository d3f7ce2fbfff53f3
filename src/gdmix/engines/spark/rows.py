"""`SparkRows`: a data set on the executors, a `Dataset` in each partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.dataset import Dataset, EntityColumn
from gdmix.data.packed import load_rows, save_indices
from gdmix.data.reading import unified
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.cluster import Stored


class Numbering(NamedTuple):
    """What is known of a whole data set, for tasks that open one partition of it.

    Attributes
    ----------
    first : tuple of int
        Number of the first row of each partition.
    """

    first: tuple[int, ...]

    def uids(self, rows: Dataset, number: int) -> pa.Array:
        """Return uids of a partition, row numbers of the whole where there is none."""
        start = self.first[number]
        numbers = pa.array(np.arange(start, start + rows.rows))
        if rows.uid is None:
            return numbers
        if not rows.uid.null_count:
            return rows.uid
        return pc.coalesce(rows.uid.cast(pa.large_string()), numbers.cast(pa.large_string()))


@dataclass(frozen=True, eq=False)
class SparkRows:
    """A handle on the rows of a data set.

    Attributes
    ----------
    stored : Stored
        Records of `load` for each partition.
    counts : tuple of int
        Rows of each partition.
    widths : dict of str to int
        Features by shard.
    full : dict of str to bool
        Whether every row holds every feature, in order, by shard.
    unseen : dict of str to int
        Feature values dropped, by shard.
    id_types : dict of str to pa.DataType
        By entity column.
    has_label : bool
    has_uid : bool
    kept : dict
        What the engine keeps as long as the rows.
    """

    stored: Stored
    counts: tuple[int, ...]
    widths: dict[str, int]
    full: dict[str, bool]
    unseen: dict[str, int]
    id_types: dict[str, pa.DataType]
    has_label: bool
    has_uid: bool
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.counts)

    @property
    def partitions(self) -> int:
        """Number of partitions."""
        return len(self.counts)

    @property
    def numbering(self) -> Numbering:
        """Where each partition's rows begin."""
        first = np.concatenate([[0], np.cumsum(self.counts)])[:-1]
        return Numbering(tuple(int(at) for at in first))


def load(record: Record) -> Dataset:
    """Map the rows of a partition; a process that did so before has them still."""
    return _mapped(record.open())


@lru_cache(maxsize=64)
def _mapped(folder: Path) -> Dataset:
    base = folder / "base"
    if base.is_file():
        return load_rows(Path(base.read_text(encoding="utf-8")), folder)
    return load_rows(folder)


def save_renumbered(folder: Path, base: Path, rows: Dataset) -> None:
    """Write other indices for the rows in `base`."""
    save_indices(folder, rows.shards)
    (folder / "base").write_text(str(base), encoding="utf-8")


def together(parts: Sequence[Dataset]) -> Dataset:
    """Return the rows of all partitions as one data set."""
    entities: dict[str, EntityColumn] = {}
    for name in parts[0].entities:
        columns = [part.entities[name] for part in parts]
        coded = [pa.DictionaryArray.from_arrays(pa.array(codes), ids) for ids, codes in columns]
        entities[name] = unified(coded)
    return Dataset(
        sum(part.rows for part in parts),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.offset for part in parts]),
        has_label=parts[0].has_label,
        entities=entities,
    )
