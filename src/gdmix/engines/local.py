"""The local engine: rows in this process, serial kernels run by a pool of threads.

Kernels release the GIL. Rows are cut where the data says, never where the number of threads
says, and partial results are added in order: the same bits come out on any number of threads.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.grouping import Grouped, group
from gdmix.data.ids import positions
from gdmix.data.sampling import Thinning
from gdmix.data.thinning import Thinned, thin
from gdmix.data.widening import with_numbers
from gdmix.engine import BlockMap, BlockSum, EntityTable, Grouping, Run
from gdmix.glm.alignment import copy_matching
from gdmix.glm.groups import Outcome
from gdmix.glm.kernels import Block, value_along
from gdmix.glm.losses import Loss
from gdmix.models.entity import EntityModel

Floats = NDArray[np.float64]
_T = TypeVar("_T")
_By = TypeVar("_By")
_Kept: TypeAlias = WeakKeyDictionary[Dataset, dict[_By, _T]]


class LocalEngine:
    """Runs everything in this process.

    Parameters
    ----------
    threads : int, optional
        Threads that run kernels; by default as many as the process may use.
    progress : callable, optional
        Called while an update goes on, with the share of it that is done, from 0 to 1, and what it
        says of itself: nothing while `group` is at work on entities.

    Attributes
    ----------
    grouping : float
        Seconds spent on bringing rows into the order of entities.
    """

    def __init__(
        self, threads: int | None = None, progress: Callable[[float, str], None] | None = None
    ) -> None:
        self.threads = threads or available_threads()
        self.grouping = 0.0
        self._progress = progress
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="gdmix")
        self._grouped: _Kept[Grouping, tuple[pa.Array | None, Grouped]] = WeakKeyDictionary()
        self._thinned: _Kept[tuple[str, Thinning], Thinned] = WeakKeyDictionary()

    def count(self, rows: Dataset) -> int:
        """Return the number of rows."""
        return rows.rows

    def width(self, rows: Dataset, shard: str) -> int:
        """Return the number of features of a shard."""
        return rows.shards[shard].width

    def sample(
        self, rows: Dataset, shard: str, by: Thinning
    ) -> tuple[Dataset, Callable[[Floats], Floats]]:
        """Return the rows of a shard that are left; see `Engine.sample`."""
        cached = self._thinned.setdefault(rows, {})
        if (shard, by) not in cached:
            cached[shard, by] = thin(rows, shard, by)
        left = cached[shard, by]
        return left.rows, lambda column: column[left.positions]

    def full(self, rows: Dataset, shard: str) -> int:
        """Return the number of features of a shard when every row holds all of them, else 0."""
        return rows.shards[shard].width if rows.full[shard] else 0

    def reduce(
        self, function: BlockSum, rows: Dataset, shard: str, columns: Sequence[Floats] = ()
    ) -> tuple[Floats, ...]:
        """Add up what `function` returns for every block of rows, in the order of the blocks."""
        total: tuple[Floats, ...] = ()
        for part in self._each(function, rows, shard, columns):
            if total:
                for sum_, addend in zip(total, part, strict=True):
                    np.add(sum_, addend, out=sum_)
            else:
                # copied, as what a function returns may be its own
                total = tuple(np.array(array) for array in part)
        return total

    def merge(
        self,
        function: Callable[[Block], _T],
        join: Callable[[_T, _T], _T],
        rows: Dataset,
        shard: str,
    ) -> _T:
        """Join what `function` returns for every block of rows, in the order of the blocks."""
        return functools.reduce(join, self._each(function, rows, shard, ()))

    def map(
        self, function: BlockMap, rows: Dataset, shard: str, columns: Sequence[Floats] = ()
    ) -> Floats:
        """Return the column that `function` gives for every block of rows."""
        return np.concatenate(list(self._each(function, rows, shard, columns)))

    def tell(self, share: float, note: str = "") -> None:
        """Hand on how far an update is."""
        if self._progress is not None:
            self._progress(share, note)

    def along(self, function: Callable[[Dataset], Floats], rows: Dataset) -> Floats:
        """Return the column that `function` gives for the rows."""
        return function(rows)

    def with_features(
        self,
        rows: Dataset,
        shard: str,
        positions: NDArray[np.int32],
        function: Callable[[Dataset], NDArray[np.float32]],
    ) -> Dataset:
        """Return rows with more features in a shard; see `Engine.with_features`."""
        return with_numbers(rows, shard, positions, function(rows))

    def gathered(self, rows: Dataset, column: Floats) -> tuple[Dataset, Floats]:
        """Return the rows and the column as they are."""
        return rows, column

    def group(
        self,
        function: Callable[[Run], None],
        rows: Dataset,
        by: Grouping,
        offset: Floats,
        start: EntityTable | None,
        prior: EntityTable | None = None,
        known: pa.Array | None = None,
    ) -> tuple[EntityTable, Floats]:
        """Call `function` on runs of whole entities; see `Engine.group`."""
        grouped = self._group(rows, by, known)
        pointers = grouped.feature_ptr + by.intercept * np.arange(grouped.entities + 1)
        coefficients = np.zeros(pointers[-1])
        _copy(grouped, by.intercept, start, "coefficients", coefficients)
        variances = np.zeros(pointers[-1])
        believed: tuple[Floats, ...] = ()
        if prior is not None:
            believed = np.full(pointers[-1], np.nan), np.full(pointers[-1], np.nan)
            _copy(grouped, by.intercept, prior, "coefficients", believed[0])
            _copy(grouped, by.intercept, prior, "variances", believed[1])
        entity_offset = offset[grouped.order]
        margin = np.empty_like(entity_offset)
        outcome = _empty_outcome(grouped.entities)
        block = Block(
            grouped.indptr, grouped.indices, grouped.values, grouped.label, grouped.weight
        )

        def run(bounds: tuple[int, int]) -> None:
            entities = (grouped.row_ptr, *bounds, grouped.feature_ptr, grouped.features)
            solution = (coefficients, pointers, margin, variances, outcome)
            function(Run(block, entity_offset, *entities, *solution, *believed))

        runs = grouped.runs()
        for done, _ in enumerate(self._pool.map(run, runs), start=1):
            self.tell(done / len(runs))
        learnt = (grouped.feature_ptr, grouped.features, coefficients, outcome, variances)
        table = EntityTable(grouped.ids, np.diff(grouped.row_ptr), *learnt)
        scores = np.empty(rows.rows)
        if grouped.passive is not None:
            part = EntityModel(by.shard, by.entity, by.intercept, table)
            scores = part.score_at(self, rows, grouped.passive)
        scores[grouped.order] = margin - entity_offset
        return table, scores

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

    def _group(self, rows: Dataset, by: Grouping, known: pa.Array | None) -> Grouped:
        cached = self._grouped.setdefault(rows, {})
        if not by.sampling.spare_new:
            known = None
        # what is known holds for a whole descent: one array, not many equal ones
        if by not in cached or cached[by][0] is not known:
            started = time.perf_counter()
            grouped = group(
                rows, by.entity, by.shard, by.sampling, known=known, intercept=by.intercept
            )
            self.grouping += time.perf_counter() - started
            cached[by] = known, grouped
        return cached[by][1]


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
