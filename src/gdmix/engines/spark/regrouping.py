"""Rows brought to the partition of their entity, once; offsets and scores then go there and back.

Where a row goes is told by its entity's id alone, so both ends know the order of what is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset
from gdmix.data.grouping import Grouped, counting_sort, gather_rows, group
from gdmix.data.packed import Packed, load_array, load_column, save, save_rows
from gdmix.data.reading import unified
from gdmix.engine import EntityTable, Grouping, Run
from gdmix.engines.blocks import entity_positions, scores_of_block
from gdmix.engines.solving import solve
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.columns import Sum, save_column
from gdmix.engines.spark.rows import Numbering, load
from gdmix.engines.spark.tables import targets_of
from gdmix.glm.kernels import Block

Floats = NDArray[np.float64]

_SENDERS = "senders.npy"


class Rows(NamedTuple):
    """Rows of one partition that go to another.

    Attributes
    ----------
    label, weight : float64[rows]
    entity : pa.DictionaryArray
    csr : Csr
    uid : pa.Array or None
        Where rows are chosen by it.
    """

    label: Floats
    weight: Floats
    entity: pa.DictionaryArray
    csr: Csr
    uid: pa.Array | None


class Route(NamedTuple):
    """Which rows of a partition go where.

    Attributes
    ----------
    order : int64[rows]
        Rows by target; within a target they keep their order.
    pointers : int64[targets + 1]
    """

    order: NDArray[np.int64]
    pointers: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Dataset, entity: str, targets: int) -> Route:
        """Return where the rows of a partition go."""
        ids, codes = rows.entities[entity]
        goes = targets_of(ids, targets)
        return cls(*counting_sort(goes[codes] if len(ids) else codes, targets))

    def to(self, target: int) -> NDArray[np.int64]:
        """Return the rows that go to a partition."""
        return self.order[self.pointers[target] : self.pointers[target + 1]]


def emit_rows(
    entity: str,
    shard: str,
    targets: int,
    numbering: Numbering | None,
    number: int,
    record: Record,
) -> Iterator[tuple[int, Rows]]:
    """Send rows to the partitions of their entities; with uids where there is a numbering."""
    rows = load(record)
    route, csr = Route.of(rows, entity, targets), rows.shards[shard]
    ids, codes = rows.entities[entity]
    uid = None if numbering is None else numbering.uids(rows, number)
    for target in range(targets):
        mine = route.to(target)
        gathered = gather_rows(csr.indptr, csr.indices, csr.values, mine)
        own, local = np.unique(codes[mine], return_inverse=True)
        coded = pa.DictionaryArray.from_arrays(
            pa.array(local.astype(np.int32)), ids.take(pa.array(own))
        )
        yield (
            target,
            Rows(
                rows.label[mine],
                rows.weight[mine],
                coded,
                Csr(*gathered, csr.width),
                None if uid is None else uid.take(pa.array(mine)),
            ),
        )


def save_regrouped(
    entity: str, shard: str, folder: Path, number: int, found: Sequence[tuple[int, Rows]]
) -> None:
    """Write the rows that all partitions sent, as one data set."""
    parts = [rows for _, rows in found]
    lengths = np.concatenate([np.diff(part.csr.indptr) for part in parts])
    csr = Csr(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        np.concatenate([part.csr.indices for part in parts]),
        np.concatenate([part.csr.values for part in parts]),
        parts[0].csr.width,
    )
    uids = [part.uid for part in parts if part.uid is not None]
    label = np.concatenate([part.label for part in parts])
    rows = Dataset(
        len(label),
        label,
        np.concatenate([part.weight for part in parts]),
        np.zeros(len(label)),
        uid=pa.chunked_array(uids).combine_chunks() if uids else None,
        entities={entity: unified([part.entity for part in parts])},
        shards={shard: csr},
    )
    save_rows(folder, rows)
    np.save(folder / _SENDERS, np.array([len(part.label) for part in parts]))


def save_grouped(
    by: Grouping, known: pa.Array | None, folder: Path, number: int, record: Record
) -> None:
    """Write the rows of a partition that train, in the order of entities."""
    rows = load(record)
    found = group(rows, by.entity, by.shard, by.sampling, known=known, intercept=by.intercept)
    arrays = {
        name: array
        for name, array in found._asdict().items()
        if name != "ids" and array is not None
    }
    save(folder, Packed(arrays, {"ids": found.ids}, {"arrays": list(arrays)}))


def load_grouped(record: Record) -> Grouped:
    """Map what `save_grouped` wrote."""
    folder = record.open()
    arrays = {path.stem: load_array(path) for path in folder.glob("*.npy")}
    return Grouped(ids=load_column(folder / "ids.arrow"), **arrays)


def emit_column(
    entity: str, targets: int, sum_: Sum, number: int, record: Record, *columns: Record
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Send the numbers of a column where the rows went."""
    rows = load(record)
    route, values = Route.of(rows, entity, targets), sum_.of(columns, rows.rows)
    for target in range(targets):
        yield target, values[route.to(target)]


def solve_part(
    function: Callable[[Run], None],
    intercept: int,
    number: int,
    grouped: Record,
    offsets: Sequence[tuple[int, Floats]],
    tables: tuple[EntityTable | None, EntityTable | None],
) -> EntityTable:
    """Solve the entities of a partition; `tables` are where to begin, and the prior."""
    rows = load_grouped(grouped)
    offset = np.concatenate([values for _, values in offsets])[rows.order]
    table, _ = solve(function, rows, intercept, offset, *tables)
    # arrays of the rows must not be looked at any more once this is sent
    return table._replace(feature_ptr=rows.feature_ptr.copy(), features=rows.features.copy())


def emit_scores(
    entity: str, shard: str, intercept: int, number: int, record: Record, table: EntityTable
) -> Iterator[tuple[int, Floats]]:
    """Send the scores of rows back to where they came from."""
    rows, csr = load(record), load(record).shards[shard]
    known = entity_positions(rows, entity, table.ids)
    block = Block(csr.indptr, csr.indices, csr.values, rows.label, rows.weight)
    scores = scores_of_block(table, intercept, block, known)
    senders = load_array(record.open() / _SENDERS)
    yield from enumerate(np.split(scores, np.cumsum(senders)[:-1]))


def save_scores(
    entity: str,
    targets: int,
    folder: Path,
    number: int,
    record: Record,
    found: Sequence[tuple[int, Floats]],
) -> None:
    """Write the scores that came back in the order of the rows."""
    rows = load(record)
    route, scores = Route.of(rows, entity, targets), np.empty(rows.rows)
    for target, values in found:
        scores[route.to(target)] = values
    save_column(folder, scores)


def count_strangers(entity: str, number: int, record: Record, known: pa.Array) -> int:
    """Count the rows of entities that are not known."""
    return int(np.count_nonzero(entity_positions(load(record), entity, known) < 0))
