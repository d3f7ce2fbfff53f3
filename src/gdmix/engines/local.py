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
from functools import partial
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.fingerprint import digest_of
from gdmix.data.grouping import Grouped, group
from gdmix.data.layout import Layout
from gdmix.data.reading import Indexes, read
from gdmix.data.sampling import Thinning
from gdmix.data.source import Source
from gdmix.data.thinning import Thinned, thin
from gdmix.data.widening import with_numbers
from gdmix.engine import BlockMap, BlockSum, EntityTable, Grouping, Run
from gdmix.engines.blocks import (
    calls,
    entity_positions,
    loss_of_block,
    scores_of_block,
    total,
)
from gdmix.engines.solving import Bounds, solve
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss

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

    def read(
        self,
        source: Source,
        layout: Layout,
        indexes: Indexes | None = None,
        *,
        earlier: Indexes | None = None,
    ) -> tuple[Dataset, Indexes]:
        """Read all rows into memory; see `Engine.read`."""
        return read(source, layout, indexes, earlier=earlier)

    def digest(self, rows: Dataset, *, uids: bool) -> bytes:
        """Return what tells the rows from others; see `Engine.digest`."""
        return digest_of(rows, uids=uids)

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
        self, function: BlockSum, rows: Dataset, shard: str, columns: Sequence[NDArray[Any]] = ()
    ) -> tuple[Floats, ...]:
        """Add up what `function` returns for every block of rows, in the order of the blocks."""
        return total(self._each(function, rows, shard, columns))

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
        self, function: BlockMap, rows: Dataset, shard: str, columns: Sequence[NDArray[Any]] = ()
    ) -> Floats:
        """Return the column that `function` gives for every block of rows."""
        return np.concatenate(list(self._each(function, rows, shard, columns)))

    def tell(self, share: float, note: str = "") -> None:
        """Hand on how far an update is."""
        if self._progress is not None:
            self._progress(share, note)

    def offset(self, rows: Dataset) -> Floats:
        """Return the offset that the data gives."""
        return rows.offset

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

    def labelled(self, rows: Dataset, column: Floats) -> tuple[Dataset, Floats]:
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
        entity_offset = offset[grouped.order]
        table, own = solve(
            function, grouped, by.intercept, entity_offset, start, prior, self._each_run
        )
        scores: Floats = np.empty(rows.rows)
        if grouped.passive is not None:
            of_block = partial(scores_of_block, table, by.intercept)
            scores = self.map(of_block, rows, by.shard, (grouped.passive,))
        scores[grouped.order] = own
        return table, scores

    def entity_scores(
        self, rows: Dataset, shard: str, entity: str, intercept: int, table: EntityTable
    ) -> Floats:
        """Return the score of each row by its entity's model; see `Engine.entity_scores`."""
        known = entity_positions(rows, entity, table.ids)
        return self.map(partial(scores_of_block, table, intercept), rows, shard, (known,))

    def strangers(self, rows: Dataset, entity: str, known: pa.Array) -> int:
        """Return how many rows are of entities that are not in `known`."""
        return int(np.count_nonzero(entity_positions(rows, entity, known) < 0))

    def id_type(self, rows: Dataset, entity: str) -> pa.DataType:
        """Return the type of an entity column's ids."""
        return rows.entities[entity].ids.type

    def weighted_loss(self, loss: Loss, rows: Dataset, scores: Floats) -> float:
        """Return the weighted sum of losses at `scores`."""
        shard = next(iter(rows.shards))
        return float(self.reduce(partial(loss_of_block, loss), rows, shard, (scores,))[0])

    def _each(
        self,
        function: Callable[..., _T],
        rows: Dataset,
        shard: str,
        columns: Sequence[NDArray[Any]],
    ) -> Iterator[_T]:
        return self._pool.map(lambda call: call(), calls(function, rows, shard, columns))

    def _each_run(self, run: Callable[[Bounds], None], runs: list[Bounds]) -> Iterator[None]:
        for done, _ in enumerate(self._pool.map(run, runs), start=1):
            self.tell(done / len(runs))
            yield

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
