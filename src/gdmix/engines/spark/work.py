"""What tasks do with one partition of rows and its columns."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.fingerprint import digest_of
from gdmix.data.packed import load_array, save_rows
from gdmix.data.sampling import Thinning
from gdmix.data.thinning import thin
from gdmix.engines.blocks import calls, total
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.columns import Sum, save_column
from gdmix.engines.spark.rows import Numbering, load

Floats = NDArray[np.float64]

_POSITIONS = "positions.npy"


class Operands(NamedTuple):
    """What a task takes of its partition: rows, and columns beside them.

    Attributes
    ----------
    shard : str
    sums : tuple of (Sum, int)
        How each column is made, and of how many records.
    """

    shard: str
    sums: tuple[tuple[Sum, int], ...]

    def of(self, records: Sequence[Record]) -> tuple[Dataset, list[NDArray[Any]]]:
        """Return rows and columns; a column alone knows its rows."""
        if records[0].rows:
            rows = load(Record(records[0].rows))
        else:
            rows, records = load(records[0]), records[1:]
        columns, first = [], 0
        for sum_, count in self.sums:
            columns.append(sum_.of(records[first : first + count], rows.rows))
            first += count
        return rows, columns


def reduce_part(
    function: Callable[..., tuple[Floats, ...]],
    operands: Operands,
    number: int,
    *records: Record,
) -> tuple[Floats, ...]:
    """Add up what `function` returns for the blocks of a partition."""
    rows, columns = operands.of(records)
    work = calls(function, rows, operands.shard, columns)
    return total(call() for call in work)


def map_part(
    function: Callable[..., Floats],
    operands: Operands,
    folder: Path,
    number: int,
    *records: Record,
) -> None:
    """Write the column that `function` gives for the blocks of a partition."""
    rows, columns = operands.of(records)
    work = calls(function, rows, operands.shard, columns)
    save_column(folder, np.concatenate([call() for call in work]))


def merge_part(
    function: Callable[..., Any],
    join: Callable[[Any, Any], Any],
    shard: str,
    number: int,
    record: Record,
) -> Any:  # noqa: ANN401 - what `function` returns
    """Join what `function` returns for the blocks of a partition."""
    return functools.reduce(join, (call() for call in calls(function, load(record), shard, ())))


def save_sum(sum_: Sum, folder: Path, number: int, record: Record, *columns: Record) -> None:
    """Write a sum of columns as one."""
    save_column(folder, sum_.of(columns, load(record).rows))


def save_offset(folder: Path, number: int, record: Record) -> None:
    """Write the offsets that the data gives."""
    save_column(folder, load(record).offset)


def thin_part(
    shard: str, by: Thinning, numbering: Numbering, folder: Path, number: int, record: Record
) -> None:
    """Write the rows of a partition that are left, and where they were."""
    rows = load(record)
    left = thin(named(rows, numbering, number), shard, by)
    save_rows(folder, left.rows)
    np.save(folder / _POSITIONS, left.positions)


def take_part(
    sum_: Sum, folder: Path, number: int, left: Record, record: Record, *columns: Record
) -> None:
    """Write what is left of a column."""
    positions = load_array(left.open() / _POSITIONS)
    save_column(folder, sum_.of(columns, load(record).rows)[positions])


def count_part(number: int, record: Record) -> tuple[int, bool]:
    """Return how many rows a partition has, and whether all hold all features."""
    rows = load(record)
    return rows.rows, all(rows.full.values())


def digest_part(uids: bool, numbering: Numbering, number: int, record: Record) -> bytes:
    """Return a digest of a partition."""
    rows = load(record)
    return digest_of(named(rows, numbering, number) if uids else rows, uids=uids)


def values_part(sum_: Sum, number: int, record: Record, *columns: Record) -> NDArray[Any]:
    """Return the numbers of a column, to be sent."""
    return np.array(sum_.of(columns, load(record).rows))


def labelled_part(number: int, record: Record) -> Dataset:
    """Return all but the features of a partition, to be sent."""
    rows = load(record)
    return Dataset(
        rows.rows,
        np.array(rows.label),
        np.array(rows.weight),
        np.array(rows.offset),
        has_label=rows.has_label,
        entities={
            name: column._replace(codes=column.codes.copy())
            for name, column in rows.entities.items()
        },
    )


def named(rows: Dataset, numbering: Numbering, number: int) -> Dataset:
    """Return the rows with their numbers in the whole as uids, where they have none."""
    return Dataset(
        rows.rows,
        rows.label,
        rows.weight,
        rows.offset,
        has_label=rows.has_label,
        uid=numbering.uids(rows, number),
        entities=rows.entities,
        shards=rows.shards,
    )
