"""`SparkEngine`: the verbs of an engine over partitions on a cluster."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.layout import Layout
from gdmix.data.reading import Indexes
from gdmix.data.sampling import Thinning
from gdmix.data.source import Source
from gdmix.engine import BlockMap, BlockSum, EntityTable, Grouping, Run
from gdmix.engines.blocks import loss_of_block
from gdmix.engines.spark import groups, regrouping, work
from gdmix.engines.spark.cluster import Cluster, Stored
from gdmix.engines.spark.columns import SparkColumn
from gdmix.engines.spark.reading import read_rows
from gdmix.engines.spark.rows import SparkRows, together
from gdmix.engines.spark.tables import cut, cut_ids, joined
from gdmix.errors import ConfigError
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Floats = NDArray[np.float64]
_T = TypeVar("_T")


class SparkEngine:
    """Runs on the executors of a Spark application; the driver holds coefficients alone.

    Parameters
    ----------
    session : SparkSession
    partitions : int, optional
        Into how many parts rows are cut; by default as Spark reads them.

    Attributes
    ----------
    grouping : float
        Seconds spent on bringing rows to the partitions of their entities.
    """

    def __init__(self, session: SparkSession, partitions: int | None = None) -> None:
        self.session = session
        self.cluster = Cluster(session.sparkContext)
        self.grouping = 0.0
        self._partitions = partitions
        self._plain: WeakKeyDictionary[SparkColumn, SparkColumn] = WeakKeyDictionary()

    def read(
        self,
        source: Source,
        layout: Layout,
        indexes: Indexes | None = None,
        *,
        earlier: Indexes | None = None,
    ) -> tuple[SparkRows, Indexes]:
        """Pack rows on the executors; see `Engine.read`."""
        if layout.texts:
            raise _needs_one_machine()
        return read_rows(self.cluster, source, layout, indexes, earlier, self._partitions)

    def digest(self, rows: SparkRows, *, uids: bool) -> bytes:
        """Return what tells the rows from others; it depends on how they are partitioned."""
        function = partial(work.digest_part, uids, rows.numbering)
        return hashlib.sha256(b"".join(self.cluster.run([rows.stored], function))).digest()

    def count(self, rows: SparkRows) -> int:
        """Return the number of rows."""
        return rows.rows

    def width(self, rows: SparkRows, shard: str) -> int:
        """Return the number of features of a shard."""
        return rows.widths[shard]

    def sample(
        self, rows: SparkRows, shard: str, by: Thinning
    ) -> tuple[SparkRows, Callable[[SparkColumn], SparkColumn]]:
        """Return the rows of a shard that are left; see `Engine.sample`."""
        key = ("thinned", shard, by)
        if key not in rows.kept:
            function = partial(work.thin_part, shard, by, rows.numbering)
            stored = self.cluster.store([rows.stored], function)
            told = self.cluster.run([stored], work.count_part)
            rows.kept[key] = SparkRows(
                stored,
                tuple(count for count, _ in told),
                {shard: rows.widths[shard]},
                {shard: all(full for _, full in told)},
                {},
                {},
                rows.has_label,
                has_uid=False,
            )
        left: SparkRows = rows.kept[key]

        def take(column: SparkColumn) -> SparkColumn:
            sources = [left.stored, rows.stored, *column.stored]
            write = partial(work.take_part, column.sum)
            return _column(self.cluster.store(sources, write, column=True))

        return left, take

    def full(self, rows: SparkRows, shard: str) -> int:
        """Return the number of features of a shard when every row holds all of them, else 0."""
        return rows.widths[shard] if rows.full[shard] else 0

    def reduce(
        self,
        function: BlockSum,
        rows: SparkRows,
        shard: str,
        columns: Sequence[SparkColumn] = (),
    ) -> tuple[Floats, ...]:
        """Add up what `function` returns for every block of rows, in the order of the blocks."""
        sources, operands = self._operands(rows, shard, columns)
        rdd = self.cluster.each(
            self.cluster.beside(sources), partial(work.reduce_part, function, operands)
        )
        # of no rows, the arrays are of the same shapes
        nothing = function(_NO_ROWS, *(np.empty(0) for _ in columns))
        shapes = [np.shape(array) for array in nothing]
        return self.cluster.add_up(rdd, rows.partitions, shapes)

    def merge(
        self,
        function: Callable[[Block], _T],
        join: Callable[[_T, _T], _T],
        rows: SparkRows,
        shard: str,
    ) -> _T:
        """Join what `function` returns for every block of rows, in the order of the blocks."""
        of_part = partial(work.merge_part, function, join, shard)
        parts: list[_T] = self.cluster.run([rows.stored], of_part)
        return functools.reduce(join, parts)

    def map(
        self,
        function: BlockMap,
        rows: SparkRows,
        shard: str,
        columns: Sequence[SparkColumn] = (),
    ) -> SparkColumn:
        """Return the column that `function` gives for every block of rows."""
        sources, operands = self._operands(rows, shard, columns)
        write = partial(work.map_part, function, operands)
        return _column(self.cluster.store(sources, write, column=True))

    def tell(self, share: float, note: str = "") -> None:
        """Hear how far an update is, and keep it: Spark tells of its jobs itself."""

    def offset(self, rows: SparkRows) -> SparkColumn:
        """Return the offset that the data gives."""
        if "offset" not in rows.kept:
            stored = self.cluster.store([rows.stored], work.save_offset, column=True)
            rows.kept["offset"] = stored
        return _column(rows.kept["offset"])

    def along(self, function: Callable[[Dataset], Floats], rows: SparkRows) -> SparkColumn:
        """Refuse: what takes whole parts of the rows is trained on one machine."""
        raise _needs_one_machine()

    def with_features(
        self,
        rows: SparkRows,
        shard: str,
        positions: NDArray[np.int32],
        function: Callable[[Dataset], NDArray[np.float32]],
    ) -> SparkRows:
        """Refuse: what networks make of rows is known on one machine."""
        raise _needs_one_machine()

    def gathered(self, rows: SparkRows, column: SparkColumn) -> tuple[Dataset, Floats]:
        """Refuse: rows stay on the executors."""
        raise _needs_one_machine()

    def labelled(self, rows: SparkRows, column: SparkColumn) -> tuple[Dataset, Floats]:
        """Return labels, weights and entities of all rows, and a column, on the driver."""
        if "labelled" not in rows.kept:
            rows.kept["labelled"] = together(self.cluster.run([rows.stored], work.labelled_part))
        sources = [rows.stored, *column.stored]
        values = self.cluster.run(sources, partial(work.values_part, column.sum))
        return rows.kept["labelled"], np.concatenate(values)

    def group(
        self,
        function: Callable[[Run], None],
        rows: SparkRows,
        by: Grouping,
        offset: SparkColumn,
        start: EntityTable | None,
        prior: EntityTable | None = None,
        known: pa.Array | None = None,
    ) -> tuple[EntityTable, SparkColumn]:
        """Call `function` on runs of whole entities; see `Engine.group`."""
        cluster, targets = self.cluster, rows.partitions
        started = time.perf_counter()
        grouped = groups.grouped(cluster, rows, by, known)
        self.grouping += time.perf_counter() - started
        emit = partial(regrouping.emit_column, by.entity, targets, offset.sum)
        offsets = cluster.exchange(cluster.beside([rows.stored, *offset.stored]), emit, targets)
        slices = [
            [None] * targets if table is None else cut(table, by.intercept, targets)
            for table in (start, prior)
        ]
        dealt = cluster.deal(zip(*slices, strict=True))
        rdd = cluster.zipped(grouped.rdd, offsets, dealt)
        solved = cluster.each(rdd, partial(regrouping.solve_part, function, by.intercept))
        found = joined(cluster.collect(solved), by.intercept)
        return found, self.entity_scores(rows, by.shard, by.entity, by.intercept, found)

    def entity_scores(
        self, rows: SparkRows, shard: str, entity: str, intercept: int, table: EntityTable
    ) -> SparkColumn:
        """Return the score of each row by its entity's model; see `Engine.entity_scores`."""
        cluster, targets = self.cluster, rows.partitions
        slices = cluster.deal(cut(table, intercept, targets))
        there = cluster.zipped(groups.regrouped(cluster, rows, entity, shard).rdd, slices)
        emit = partial(regrouping.emit_scores, entity, shard, intercept)
        back = cluster.exchange(there, emit, rows.partitions)
        write = partial(regrouping.save_scores, entity, targets)
        return _column(cluster.store([rows.stored], write, back, column=True))

    def strangers(self, rows: SparkRows, entity: str, known: pa.Array) -> int:
        """Return how many rows are of entities that are not in `known`."""
        shard = next((key[2] for key in rows.kept if key[:2] == ("regrouped", entity)), None)
        regrouped = groups.regrouped(self.cluster, rows, entity, shard or next(iter(rows.widths)))
        slices = self.cluster.deal(cut_ids(known, rows.partitions))
        there = self.cluster.zipped(regrouped.rdd, slices)
        counts = self.cluster.each(there, partial(regrouping.count_strangers, entity))
        return sum(self.cluster.collect(counts))

    def id_type(self, rows: SparkRows, entity: str) -> pa.DataType:
        """Return the type of an entity column's ids."""
        return rows.id_types[entity]

    def weighted_loss(self, loss: Loss, rows: SparkRows, scores: SparkColumn) -> float:
        """Return the weighted sum of losses at `scores`."""
        shard = next(iter(rows.widths))
        return float(self.reduce(partial(loss_of_block, loss), rows, shard, (scores,))[0])

    def _operands(
        self, rows: SparkRows, shard: str, columns: Sequence[SparkColumn]
    ) -> tuple[list[Stored], work.Operands]:
        plain = [self._taken(rows, column) for column in columns]
        sums = tuple((column.sum, len(column.stored)) for column in plain)
        stored = [each for column in plain for each in column.stored]
        # zipped RDDs cost a task more than most passes: one column brings its rows along
        sources = stored if len(stored) == 1 else [rows.stored, *stored]
        return sources, work.Operands(shard, sums)

    def _taken(self, rows: SparkRows, column: SparkColumn) -> SparkColumn:
        """Return a sum as one stored column: it may be asked for in many passes."""
        if column.is_plain or not column.stored:
            return column
        if column not in self._plain:
            sources = [rows.stored, *column.stored]
            write = partial(work.save_sum, column.sum)
            stored = self.cluster.store(sources, write, column=True)
            self._plain[column] = _column(stored)
        return self._plain[column]


_NO_ROWS = Block(
    np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0)
)


def _column(stored: Stored) -> SparkColumn:
    return SparkColumn({stored: 1.0})


def _needs_one_machine() -> ConfigError:
    return ConfigError(
        "engine: spark",
        "a deep effect is trained on one machine",
        hint="train it with `engine: local`, and give its scores to the others as `score`",
    )
