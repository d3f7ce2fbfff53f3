"""The `Engine` protocol: the verbs a coordinate needs, without saying who holds the rows.

`Rows` is an engine's own handle on a data set, `Column` its handle on one number per row
(scores, curvatures); a column supports ``+`` and ``-`` with another and with a number. The
functions handed to a verb take NumPy arrays of one part of the rows and call kernels, so the
mathematics is the same everywhere. They may be called in another process: functions of a module,
or `functools.partial` of one, with all that they need as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.index import FeatureIndex
from gdmix.data.sampling import Sampling, Thinning
from gdmix.glm.groups import Outcome
from gdmix.glm.kernels import Block

Floats = NDArray[np.float64]
Rows = Any
Column = Any
# what solves knows nothing of how tables are read: a `Source` and a `Layout` of `gdmix.data`
Table = Any
Layout = Any
_T = TypeVar("_T")

BlockSum = Callable[..., tuple[Floats, ...]]
"""``fn(block, *columns) -> arrays``; the arrays of all blocks are added up."""

BlockMap = Callable[..., Floats]
"""``fn(block, *columns) -> one number per row``."""


class Run(NamedTuple):
    """Consecutive entities with all their rows, as a function given to `Engine.group` gets them.

    Attributes
    ----------
    block : Block
        Rows in entity order; features are numbered within each entity.
    offset : float64[rows]
    row_ptr : int64[entities + 1]
    first, last : int
        The entities of this run.
    feature_ptr : int64[entities + 1]
    features : int32
        Index in the shard of every entity's features.
    coefficients : float64
        Starting point; the solution is written over it. The intercept comes first.
    coefficient_ptr : int64[entities + 1]
    margin : float64[rows]
        For the function to write offset plus own score to.
    variances : float64
        As long as `coefficients`, for the function to write to.
    outcome : Outcome
        For the function to write to.
    prior_mean, prior_variance : float64 or None
        As long as `coefficients`; NaN where nothing is known.
    """

    block: Block
    offset: Floats
    row_ptr: NDArray[np.int64]
    first: int
    last: int
    feature_ptr: NDArray[np.int64]
    features: NDArray[np.int32]
    coefficients: Floats
    coefficient_ptr: NDArray[np.int64]
    margin: Floats
    variances: Floats
    outcome: Outcome
    prior_mean: Floats | None = None
    prior_variance: Floats | None = None


class EntityTable(NamedTuple):
    """What was learnt for each entity.

    Attributes
    ----------
    ids : pa.Array
        Entity ids, sorted.
    samples : int64[entities]
        Rows that each entity's model was trained on.
    feature_ptr : int64[entities + 1]
        Where each entity's features lie.
    features : int32
        Index in the shard of every entity's features, ascending within an entity.
    coefficients : float64
        Entity after entity: the intercept, if any, then one for each of its features.
    outcome : Outcome
    variances : float64 or None
        Of the coefficients, where they were asked for.
    """

    ids: pa.Array
    samples: NDArray[np.int64]
    feature_ptr: NDArray[np.int64]
    features: NDArray[np.int32]
    coefficients: Floats
    outcome: Outcome
    variances: Floats | None = None


class Grouping(NamedTuple):
    """How a random effect groups its rows; engines keep what they grouped by it.

    Attributes
    ----------
    entity : str
        Entity column.
    shard : str
    intercept : int
        1 when coefficients begin with an intercept.
    sampling : Sampling
        Which rows train, and which features an entity's model has.
    """

    entity: str
    shard: str
    intercept: int
    sampling: Sampling = Sampling()


class Engine(Protocol):
    """Who holds the rows and runs functions over them."""

    def read(
        self,
        source: Table,
        layout: Layout,
        indexes: Mapping[str, FeatureIndex] | None = None,
        *,
        earlier: Mapping[str, FeatureIndex] | None = None,
    ) -> tuple[Rows, Mapping[str, FeatureIndex]]:
        """Read labelled rows; see `gdmix.data.reading.read`.

        Raises
        ------
        DataError
            A column is missing or of a wrong type, or a value is out of its range.
        """

    def digest(self, rows: Rows, *, uids: bool) -> bytes:
        """Return what tells the rows from others; `uids` tells whether theirs count."""

    def count(self, rows: Rows) -> int:
        """Return the number of rows."""

    def width(self, rows: Rows, shard: str) -> int:
        """Return the number of features of a shard."""

    def sample(
        self, rows: Rows, shard: str, by: Thinning
    ) -> tuple[Rows, Callable[[Column], Column]]:
        """Return the rows of a shard that are left, weighted to stand for all.

        The function returned takes what is left of a column.
        """

    def full(self, rows: Rows, shard: str) -> int:
        """Return the number of features of a shard when every row holds all of them, in order.

        Kernels then need no indices. Otherwise 0.
        """

    def reduce(
        self, function: BlockSum, rows: Rows, shard: str, columns: Sequence[Column] = ()
    ) -> tuple[Floats, ...]:
        """Add up what `function` returns for every block of rows, in the order of the blocks."""

    def merge(
        self, function: Callable[[Block], _T], join: Callable[[_T, _T], _T], rows: Rows, shard: str
    ) -> _T:
        """Join what `function` returns for every block of rows, in the order of the blocks."""

    def map(
        self, function: BlockMap, rows: Rows, shard: str, columns: Sequence[Column] = ()
    ) -> Column:
        """Return the column that `function` gives for every block of rows."""

    def tell(self, share: float, note: str = "") -> None:
        """Hear from a long update which share of it is done, and what it says of itself."""

    def offset(self, rows: Rows) -> Column:
        """Return the offset that the data gives."""

    def along(self, function: Callable[[Dataset], Floats], rows: Rows) -> Column:
        """Return the column that `function` gives for whole parts of the rows."""

    def with_features(
        self,
        rows: Rows,
        shard: str,
        positions: NDArray[np.int32],
        function: Callable[[Dataset], NDArray[np.float32]],
    ) -> Rows:
        """Return rows with more features in a shard, at `positions`: what `function` gives."""

    def gathered(self, rows: Rows, column: Column) -> tuple[Dataset, Floats]:
        """Return all rows, and a column of them, in this process."""

    def labelled(self, rows: Rows, column: Column) -> tuple[Dataset, Floats]:
        """Return labels, weights and entities of all rows, and a column, in this process."""

    def group(
        self,
        function: Callable[[Run], None],
        rows: Rows,
        by: Grouping,
        offset: Column,
        start: EntityTable | None,
        prior: EntityTable | None = None,
        known: pa.Array | None = None,
    ) -> tuple[EntityTable, Column]:
        """Call `function` on runs of whole entities.

        Parameters
        ----------
        function : callable
            Solves the entities of a `Run` in place.
        rows : Rows
        by : Grouping
        offset : Column
            The score of everything else.
        start : EntityTable or None
            Where to begin; matched by entity and feature, zero where it has none.
        prior : EntityTable or None
            What is known already; matched in the same way, NaN where it knows nothing.
        known : pa.Array, optional
            Ids of entities that had a model before this training; None where nothing went before.

        Returns
        -------
        EntityTable, Column
            What was learnt of entities with rows that train, and each row's own score, whether it
            trains or not.
        """

    def entity_scores(
        self, rows: Rows, shard: str, entity: str, intercept: int, table: EntityTable
    ) -> Column:
        """Return the score of each row by the model of its entity; 0 where there is none."""

    def strangers(self, rows: Rows, entity: str, known: pa.Array) -> int:
        """Return how many rows are of entities that are not in `known`."""

    def id_type(self, rows: Rows, entity: str) -> pa.DataType:
        """Return the type of an entity column's ids."""

    def weighted_loss(self, loss: Any, rows: Rows, scores: Column) -> float:  # noqa: ANN401
        """Return the weighted sum of losses at `scores`."""
