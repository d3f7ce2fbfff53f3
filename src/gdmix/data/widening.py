"""Rows with numbers put beside the features they have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset


def with_numbers(
    rows: Dataset, shard: str, positions: NDArray[np.int32], numbers: NDArray[np.float32]
) -> Dataset:
    """Return the same rows with more features in one shard.

    Parameters
    ----------
    rows : Dataset
    shard : str
    positions : int32[features]
        Within the shard; rows have none of them yet.
    numbers : float32[rows, features]
    """
    csr = rows.shards[shard]
    count, many = numbers.shape
    lengths = np.diff(csr.indptr)
    indptr = csr.indptr + many * np.arange(count + 1)
    # where each row's own features go: as many places later as rows before it have new ones
    old = np.arange(len(csr.indices)) + many * np.repeat(np.arange(count), lengths)
    new = (indptr[1:, None] - many + np.arange(many)).ravel()
    indices = np.empty(indptr[-1], np.int32)
    values = np.empty(indptr[-1])
    indices[old], values[old] = csr.indices, csr.values
    indices[new], values[new] = np.tile(positions, count), numbers.ravel()
    if len(csr.indices) and csr.indices.max() > positions.min():
        order = np.lexsort((indices, np.repeat(np.arange(count), lengths + many)))
        indices, values = indices[order], values[order]
    wider = Csr(indptr, indices, values, csr.width)
    return replace(rows, shards={**rows.shards, shard: wider})
