"""`DeepModel`: what a deep effect learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.ids import positions
from gdmix.deep.examples import Examples
from gdmix.engine import Column, Engine, Rows
from gdmix.errors import DataError

if TYPE_CHECKING:
    from gdmix.deep.trained import Trained

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """Where a network's inputs lie in a data set.

    Attributes
    ----------
    wide : str
        Shard of the linear tower.
    dense : str or None
        Shard of the numbers given to the hidden layers.
    fields : dict of str to str
        Column of ids or embedded features to its shard.
    texts : tuple of str
        Text columns.
    task : str or None
        Column that tells which head scores a row.
    """

    wide: str
    dense: str | None
    fields: dict[str, str]
    texts: tuple[str, ...]
    task: str | None = None


@dataclass(frozen=True, eq=False)
class DeepModel:
    """A network.

    Attributes
    ----------
    inputs : Inputs
    trained : Trained
    heads : pa.Array or None
        The tasks that have a head of their own, in its order.
    """

    inputs: Inputs
    trained: Trained
    heads: pa.Array | None = None

    @property
    def shard(self) -> str:
        """The features of the linear tower."""
        return self.inputs.wide

    @property
    def parameters(self) -> int:
        """How many numbers were learnt."""
        return sum(int(tensor.numel()) for tensor in self.trained.state.values())

    @property
    def units(self) -> int:
        """Units of the last hidden layer, which other coordinates may read; 0 without one."""
        hidden = self.trained.shape.network.hidden
        return hidden[-1] if hidden else 0

    def represent(self, rows: Dataset) -> NDArray[np.float32]:
        """Return the last hidden layer of rows: float32[rows, units]."""
        from gdmix.deep.scoring import BATCH, represent
        from gdmix.deep.threads import fitting_threads

        examples = examples_of(rows, self.inputs, np.zeros(rows.rows), self.heads)
        with fitting_threads(self.trained.shape.network, BATCH):
            return represent(self.trained, examples)

    def widened(self, widths: Mapping[str, int]) -> DeepModel:
        """Return the same network with room for more features, of which it knows nothing.

        Parameters
        ----------
        widths : mapping of shard to int
            Features of the tower and of each field; none has fewer than before.
        """
        from gdmix.deep.widening import widened

        fields = {column: widths[shard] for column, shard in self.inputs.fields.items()}
        return replace(self, trained=widened(self.trained, widths[self.inputs.wide], fields))

    def score(self, engine: Engine, rows: Rows) -> Column:
        """Return the score of this part alone."""
        return self.scores(engine, rows)[:, 0].copy()

    def scores(self, engine: Engine, rows: Rows) -> Column:
        """Return the scores of this part alone, as many a row as it has: 1, or its classes."""
        from gdmix.deep.scoring import BATCH, score
        from gdmix.deep.threads import fitting_threads

        def own(rows: Dataset) -> Floats:
            examples = examples_of(rows, self.inputs, np.zeros(rows.rows), self.heads)
            with fitting_threads(self.trained.shape.network, BATCH):
                return score(self.trained, examples)

        return engine.along(own, rows)


def examples_of(
    rows: Dataset,
    inputs: Inputs,
    offset: Floats,
    heads: pa.Array | None = None,
    group: str | None = None,
) -> Examples:
    """Return rows as a network reads them.

    Parameters
    ----------
    rows : Dataset
    inputs : Inputs
    offset : float64[rows]
    heads : pa.Array, optional
        The tasks that have heads.
    group : str, optional
        Column of the ids of groups, where rows are ranked.

    Raises
    ------
    DataError
        A row is of a task that has no head.
    """
    task = None
    if inputs.task is not None and heads is not None:
        ids, codes = rows.entities[inputs.task]
        known = positions(ids, heads)
        if (known < 0).any():
            wrong = ids[int(np.argmax(known < 0))].as_py()
            trained = ", ".join(str(head) for head in heads.to_pylist())
            where = f"column {inputs.task!r}"
            raise DataError(where, f"found the task {wrong!r}", f"one that was trained: {trained}")
        task = known[codes]
    return Examples(
        rows.label,
        rows.weight,
        offset,
        rows.shards[inputs.wide],
        _full(rows, inputs.dense),
        {name: rows.texts[name].combine_chunks() for name in inputs.texts},
        {name: rows.shards[shard] for name, shard in inputs.fields.items()},
        None if group is None else rows.entities[group].codes,
        task,
    )


def _full(rows: Dataset, shard: str | None) -> NDArray[np.float32]:
    """Return a shard with a column for each feature; NaN where a row has none."""
    if shard is None:
        return np.empty((rows.rows, 0), np.float32)
    csr = rows.shards[shard]
    out = np.full((rows.rows, csr.width), np.nan, np.float32)
    owner = np.repeat(np.arange(rows.rows), np.diff(csr.indptr))
    out[owner, csr.indices] = csr.values
    return out
