"""The local engine: rows in this process, serial kernels run by a pool of threads.

Kernels release the GIL. Rows are cut where the data says, never where the number of threads
says, and partial results are added in order: the same bits come out on any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.grouping import Grouped, group
from gdmix.data.ids import positions
from gdmix.engine import BlockMap, BlockSum, EntityTable, Grouping, Run
from gdmix.glm.alignment import copy_matching
from gdmix.glm.groups import Outcome
from gdmix.glm.kernels import Block, value_along
from gdmix.glm.losses import Loss

Floats = NDArray[np.float64]
_T = TypeVar("_T")


class LocalEngine:
    """Runs everything in this process.

    Parameters
    ----------
    threads : int, optional
        Threads that run kernels; by default as many as the process may use.
    progress : callable, optional
        Called with the share of entities solved, from 0 to 1, while `group` is at work.
    """

    def __init__(
        self, threads: int | None = None, progress: Callable[[float], None] | None = None
    ) -> None:
        self.threads = threads or available_threads()
        self._progress = progress
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="gdmix")
        self._grouped: WeakKeyDictionary[Dataset, dict[Grouping, Grouped]] = WeakKeyDictionary()

    def width(self, rows: Dataset, shard: str) -> int:
        """Return the number of features of a shard."""
        return rows.shards[shard].width

    def reduce(
        self, function: BlockSum, rows: Dataset, shard: str, columns: Sequence[Floats] = ()
    ) -> tuple[Floats, ...]:
        """Add up what `function` returns for every block of rows, in the order of the blocks."""
        total: tuple[Floats, ...] = ()
        for part in self._each(function, rows, shard, columns):
            total = tuple(a + b for a, b in zip(total, part, strict=True)) if total else part
        return total

    def map(
        self, function: BlockMap, rows: Dataset, shard: str, columns: Sequence[Floats] = ()
    ) -> Floats:
        """Return the column that `function` gives for every block of rows."""
        return np.concatenate(list(self._each(function, rows, shard, columns)))

    def group(
        self,
        function: Callable[[Run], None],
        rows: Dataset,
        by: Grouping,
        offset: Floats,
        start: EntityTable | None,
        prior: EntityTable | None = None,
    ) -> tuple[EntityTable, Floats]:
        """Call `function` on runs of whole entities; see `Engine.group`."""
        grouped = self._group(rows, by)
        pointers = grouped.feature_ptr + by.intercept * np.arange(grouped.entities + 1)
        coefficients = np.zeros(pointers[-1])
        _copy(grouped, by.intercept, start, "coefficients", coefficients)
        variances = np.zeros(pointers[-1])
        known: tuple[Floats, ...] = ()
        if prior is not None:
            known = np.full(pointers[-1], np.nan), np.full(pointers[-1], np.nan)
            _copy(grouped, by.intercept, prior, "coefficients", known[0])
            _copy(grouped, by.intercept, prior, "variances", known[1])
        entity_offset = offset[grouped.order]
        margin = np.empty_like(entity_offset)
        outcome = _empty_outcome(grouped.entities)
        block = Block(
            grouped.indptr, grouped.indices, grouped.values, grouped.label, grouped.weight
        )

        def run(bounds: tuple[int, int]) -> None:
            entities = (grouped.row_ptr, *bounds, grouped.feature_ptr, grouped.features)
            solution = (coefficients, pointers, margin, variances, outcome)
            function(Run(block, entity_offset, *entities, *solution, *known))

        runs = grouped.runs()
        for done, _ in enumerate(self._pool.map(run, runs), start=1):
            if self._progress is not None:
                self._progress(done / len(runs))
        scores = np.empty_like(margin)
        scores[grouped.order] = margin - entity_offset
        learnt = (grouped.feature_ptr, grouped.features, coefficients, outcome, variances)
        return EntityTable(grouped.ids, np.diff(grouped.row_ptr), *learnt), scores

    def entity_positions(self, rows: Dataset, entity: str, known: pa.Array) -> NDArray[np.int32]:
        """Return where each row's entity lies in `known`, -1 where it does not."""
        ids, codes = rows.entities[entity]
        return positions(ids, known)[codes]

    def weighted_loss(self, loss: Loss, rows: Dataset, scores: Floats) -> float:
        """Return the weighted sum of losses at `scores`."""
        shard = next(iter(rows.shards))

        def function(block: Block, margin: Floats) -> tuple[Floats, ...]:
            total = value_along(loss, block, 0, len(margin), margin, margin, 0.0)
            return (np.asarray(total),)

        return float(self.reduce(function, rows, shard, (scores,))[0])

    def _each(
        self, function: Callable[..., _T], rows: Dataset, shard: str, columns: Sequence[Floats]
    ) -> Iterator[_T]:
        csr = rows.shards[shard]

        def call(bounds: tuple[int, int]) -> _T:
            cut = slice(*bounds)
            indptr = csr.indptr[bounds[0] : bounds[1] + 1]
            block = Block(indptr, csr.indices, csr.values, rows.label[cut], rows.weight[cut])
            return function(block, *(column[cut] for column in columns))

        cuts = rows.bounds(shard).tolist()
        return self._pool.map(call, pairwise(cuts))

    def _group(self, rows: Dataset, by: Grouping) -> Grouped:
        cached = self._grouped.setdefault(rows, {})
        if by not in cached:
            cached[by] = group(rows, by.entity, by.shard)
        return cached[by]


def available_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _copy(
    grouped: Grouped, intercept: int, source: EntityTable | None, name: str, out: Floats
) -> None:
    """Write what `source` has under `name` for the same entity and feature."""
    if source is None or getattr(source, name) is None:
        return
    copy_matching(
        positions(grouped.ids, source.ids),
        grouped.feature_ptr,
        grouped.features,
        source.feature_ptr,
        source.features,
        getattr(source, name),
        intercept,
        out,
    )


def _empty_outcome(entities: int) -> Outcome:
    return Outcome(
        np.zeros(entities, np.int8),
        np.zeros(entities, np.int32),
        np.zeros(entities),
        np.zeros(entities),
        np.zeros(entities),
    )
