"""Which rows train a model, by hashes of their uids."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.hashing import Hashes
from gdmix.jit import kernel

Kind = Literal["exact", "hash_groups"]


class Sampling(NamedTuple):
    """Which rows of an entity train its model, and which of its features it has.

    Attributes
    ----------
    lower : int
        Fewer rows: no model.
    upper : int or None
        Most rows that train a model.
    kind : str
        ``exact``: the `upper` rows of least hash, their weights raised by as much as rows were
        left out. ``hash_groups``: one of ``rows // upper + 1`` groups by hash, about `upper` rows;
        weights stay.
    ratio : float or None
        Features of a model, at most this many times its rows.
    spare_new : bool
        Whether entities that no model was known for before are spared the lower bound.
    """

    lower: int = 1
    upper: int | None = None
    kind: Kind = "exact"
    ratio: float | None = None
    spare_new: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether all rows train."""
        return self.lower <= 1 and self.upper is None


class Thinning(NamedTuple):
    """Which rows train a fixed effect.

    Attributes
    ----------
    rate : float
        Share of the rows that stay.
    negatives : bool
        Whether only rows of label 0 are left out.
    salt : str
    """

    rate: float
    negatives: bool
    salt: str


def active_rows(
    sampling: Sampling,
    row_ptr: NDArray[np.int64],
    spared: NDArray[np.bool_],
    hashes: Hashes | None,
) -> NDArray[np.bool_]:
    """Tell which rows train their entity's model.

    Parameters
    ----------
    sampling : Sampling
    row_ptr : int64[entities + 1]
        Where each entity's rows lie.
    spared : bool[entities]
        Entities that the lower bound does not hold for.
    hashes : uint64[rows] or None
        Of the rows in the order of entities; None where no entity exceeds the upper bound.

    Returns
    -------
    bool[rows]
    """
    counts = np.diff(row_ptr)
    active = np.repeat((counts >= sampling.lower) | spared, counts)
    if sampling.upper is None or hashes is None:
        return active
    if sampling.kind == "hash_groups":
        return active & _in_group(sampling.upper, row_ptr, hashes)
    keep_least(row_ptr, sampling.upper, hashes, active)
    return active


def exceeds(sampling: Sampling, row_ptr: NDArray[np.int64]) -> bool:
    """Tell whether an entity has more rows than may train its model."""
    most = np.diff(row_ptr).max(initial=0)
    # groups split in two at the bound itself
    return sampling.upper is not None and bool(most + (sampling.kind != "exact") > sampling.upper)


def thinned(thinning: Thinning, hashes: Hashes, label: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rows stay in the training data of a fixed effect."""
    stays: NDArray[np.bool_] = (hashes >> np.uint64(11)) * 2.0**-53 < thinning.rate
    return np.logical_or(stays, label > 0.0) if thinning.negatives else stays


def _in_group(upper: int, row_ptr: NDArray[np.int64], hashes: Hashes) -> NDArray[np.bool_]:
    """Tell the rows in the group of an entity's least hash, which is never an empty one."""
    counts = np.diff(row_ptr)
    some = counts > 0
    groups = (counts[some] // upper + 1).astype(np.uint64)
    chosen = np.minimum.reduceat(hashes, row_ptr[:-1][some]) % groups
    own = hashes % np.repeat(groups, counts[some])
    inside: NDArray[np.bool_] = own == np.repeat(chosen, counts[some])
    return inside


@kernel
def keep_least(
    row_ptr: NDArray[np.int64], most: int, hashes: Hashes, active: NDArray[np.bool_]
) -> None:
    """Make all rows of an entity passive but the `most` of least hash; of equals, the first."""
    for entity in range(len(row_ptr) - 1):
        first, end = row_ptr[entity], row_ptr[entity + 1]
        if end - first <= most or not active[first]:
            continue
        bound = nth_least(hashes[first:end].copy(), most - 1)
        room = most
        for row in range(first, end):
            if hashes[row] < bound:
                room -= 1
        for row in range(first, end):
            active[row] = hashes[row] < bound
            if hashes[row] == bound and room > 0:
                active[row] = True
                room -= 1


@kernel
def nth_least(values: Hashes, n: int) -> np.uint64:
    """Return the value that sorting would put at `n`, in linear time; reorders `values`.

    Hoare's selection. Hashes are in random order, so that the middle one is a fair pivot.
    """
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n <= j:
            high = j
        elif n >= i:
            low = i
        else:
            break
    found: np.uint64 = values[n]
    return found
