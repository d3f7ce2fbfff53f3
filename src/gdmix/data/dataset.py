"""`Dataset`: rows ready to train on or to score, in plain arrays aligned with row order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Csr(NamedTuple):
    """Sparse rows. The intercept is not stored: kernels add it.

    Attributes
    ----------
    indptr : int64[rows + 1]
    indices : int32[nnz]
    values : float64[nnz]
    width : int
        Number of features (columns).
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    width: int


class EntityColumn(NamedTuple):
    """The entity of every row.

    Attributes
    ----------
    ids : pa.Array
        Distinct ids, sorted: strings or int64.
    codes : int32[rows]
        Position of each row's id in `ids`.
    """

    ids: pa.Array
    codes: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of a table, read once.

    Attributes
    ----------
    rows : int
    label : float64[rows]
        Zeros when the data has no label column (`has_label` tells).
    weight, offset : float64[rows]
    uid : pa.Array or None
    entities : dict of str to EntityColumn
    shards : dict of str to Csr
    unseen : dict of str to int
        Feature values dropped, by shard, because the index does not know the feature.
    """

    rows: int
    label: NDArray[np.float64]
    weight: NDArray[np.float64]
    offset: NDArray[np.float64]
    has_label: bool = True
    uid: pa.Array | None = None
    entities: dict[str, EntityColumn] = field(default_factory=dict)
    shards: dict[str, Csr] = field(default_factory=dict)
    unseen: dict[str, int] = field(default_factory=dict)

    def bounds(self, shard: str) -> NDArray[np.int64]:
        """Return where to cut the rows into blocks; it depends on the data alone.

        Sums over blocks are taken in order, so a result has the same bits on any number of
        threads. A block is large enough for its gradient to cost little beside its rows.
        """
        csr = self.shards[shard]
        per_block = max(1 << 18, 4 * csr.width)
        count = max(1, min(self.rows, round((len(csr.indices) + self.rows) / per_block)))
        return np.linspace(0, self.rows, count + 1).astype(np.int64)
