"""`Dataset`: rows ready to train on or to score, in plain arrays aligned with row order."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.jit import kernel

# values in a block: the least that is worth a call, and what a thread may have at once
_SMALL, _LARGE = 1 << 18, 1 << 22
_MANY = 32


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
        Zeros when the data has no label column (`has_label` tells). Of classes the number of each
        row's, NaN where it has none that is known; of several labels float64[rows, labels], 0 or 1.
    weight, offset : float64[rows]
    uid : pa.Array or None
    entities : dict of str to EntityColumn
    shards : dict of str to Csr
    unseen : dict of str to int
        Feature values dropped, by shard, because the index does not know the feature.
    texts : dict of str to pa.ChunkedArray
        Text columns as strings, a null being the empty one.
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
    texts: dict[str, pa.ChunkedArray] = field(default_factory=dict)

    def bounds(self, shard: str) -> NDArray[np.int64]:
        """Return where to cut the rows into blocks; it depends on the data alone.

        Sums over blocks are taken in order, so a result has the same bits on any number of
        threads. A block is large enough for its gradient to cost little beside its rows. Their
        number is a power of two: two, four or eight threads share them evenly.
        """
        csr = self.shards[shard]
        work = len(csr.indices) + self.rows
        most = max(_MANY, work // _LARGE)
        count = min(most, max(1, work // max(_SMALL, 8 * csr.width)))
        # up to the next power of two
        count = 1 << (count - 1).bit_length()
        return np.linspace(0, self.rows, max(1, min(self.rows, count)) + 1).astype(np.int64)

    @cached_property
    def full(self) -> dict[str, bool]:
        """Whether every row holds every feature, in order, by shard."""
        return {
            name: is_full(csr.indptr, csr.indices, csr.width) for name, csr in self.shards.items()
        }


@kernel
def is_full(indptr: NDArray[np.int64], indices: NDArray[np.int32], width: int) -> bool:
    """Tell whether every row holds the features 0 to ``width - 1`` in this order."""
    for i in range(len(indptr) - 1):
        begin = indptr[i]
        if indptr[i + 1] - begin != width:
            return False
        wrong = 0
        for k in range(width):
            wrong += indices[np.uint64(begin + k)] != k
        if wrong:
            return False
    return True
