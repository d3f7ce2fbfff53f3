"""Feature selection within entities: those that go with the label, as many as its rows can bear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.data.sampling import nth_least
from gdmix.jit import kernel

Floats = NDArray[np.float64]
Pointers = NDArray[np.int64]
Indices = NDArray[np.int32]

# correlations closer than this are equal: rounding must not choose between two features
_STEPS = float(1 << 31)

# of a feature's sum of squares: what is left of it around its mean when it is constant
_CONSTANT = 1e-18

# of the rows' weight: less that a feature is absent from is the rounding of two sums
_ABSENT = 1e-12


def best_features(
    row_ptr: Pointers, feature_ptr: Pointers, scores: Floats, ratio: float
) -> NDArray[np.bool_]:
    """Tell which features stay: of n rows, the ``ceil(ratio n)`` of highest score.

    Parameters
    ----------
    row_ptr, feature_ptr : int64[entities + 1]
        Where each entity's rows and features lie.
    scores : float64[local features]
        From 0 to 1; of equals the first features stay.
    ratio : float

    Returns
    -------
    bool[local features]
    """
    # a product such as 0.1 * 30 is a little more than 3
    wanted = np.ceil(ratio * np.diff(row_ptr) * (1.0 - 1e-12))
    most = np.minimum(wanted, np.diff(feature_ptr)).astype(np.int64)
    keep = np.ones(len(scores), np.bool_)
    steps = np.rint((1.0 - np.minimum(scores, 1.0)) * _STEPS).astype(np.int64)
    keep_best(feature_ptr, steps, most, keep)
    return keep


@kernel
def correlations(
    row_ptr: Pointers,
    indptr: Pointers,
    indices: Indices,
    values: Floats,
    label: Floats,
    weight: Floats,
    feature_ptr: Pointers,
    intercept: int,
) -> Floats:
    """Return the absolute weighted Pearson correlation of each entity's features and label.

    A feature that is constant within an entity, and a label that is, have none: 0. Without an
    intercept the first constant feature stands in for one, as in Photon-ML: 1.

    Parameters
    ----------
    row_ptr, feature_ptr : int64[entities + 1]
        Where each entity's rows and features lie.
    indptr, indices, values, label, weight
        Rows in entity order; features are numbered within each entity.
    intercept : int
        1 when there is an intercept.

    Returns
    -------
    float64[local features]
    """
    size = feature_ptr[-1]
    mean, present, squares = np.zeros(size), np.zeros(size), np.zeros(size)
    spread, together = np.zeros(size), np.zeros(size)
    out = np.zeros(size)
    for entity in range(len(row_ptr) - 1):
        first, end = row_ptr[entity], row_ptr[entity + 1]
        base = feature_ptr[entity]
        total, centre, label_spread = spread_of(label[first:end], weight[first:end])
        if not total > 0.0:
            continue
        for row in range(first, end):
            for k in range(indptr[row], indptr[row + 1]):
                at = base + indices[k]
                mean[at] += weight[row] * values[k]
                present[at] += weight[row]
                squares[at] += weight[row] * values[k] * values[k]
        for at in range(base, feature_ptr[entity + 1]):
            mean[at] /= total
            absent = total - present[at]
            if absent > _ABSENT * total:
                spread[at] = absent * mean[at] * mean[at]
        for row in range(first, end):
            for k in range(indptr[row], indptr[row + 1]):
                at = base + indices[k]
                own = values[k] - mean[at]
                spread[at] += weight[row] * own * own
                together[at] += weight[row] * values[k] * (label[row] - centre)
        stand_in = intercept == 0
        for at in range(base, feature_ptr[entity + 1]):
            if spread[at] > _CONSTANT * squares[at]:
                if label_spread > 0.0:
                    out[at] = abs(together[at]) / np.sqrt(spread[at] * label_spread)
            elif stand_in and squares[at] > 0.0:
                out[at] = 1.0
                stand_in = False
    return out


@kernel
def spread_of(values: Floats, weight: Floats) -> tuple[float, float, float]:
    """Return the sum of weights, the mean, and the sum of squares around it: 0 of a constant."""
    total, mean = 0.0, 0.0
    for i in range(len(values)):
        total += weight[i]
        mean += weight[i] * values[i]
    if total > 0.0:
        mean /= total
    spread, squares = 0.0, 0.0
    for i in range(len(values)):
        apart = values[i] - mean
        spread += weight[i] * apart * apart
        squares += weight[i] * values[i] * values[i]
    return total, mean, spread if spread > _CONSTANT * squares else 0.0


@kernel
def keep_best(
    feature_ptr: Pointers, steps: Pointers, most: Pointers, keep: NDArray[np.bool_]
) -> None:
    """Keep of each entity's features the `most` of fewest steps; of equals, the first."""
    for entity in range(len(most)):
        first, end = feature_ptr[entity], feature_ptr[entity + 1]
        if end - first <= most[entity]:
            continue
        keys = np.empty(end - first, np.uint64)
        for at in range(first, end):
            keys[at - first] = np.uint64((steps[at] << 31) + at - first)
        bound = nth_least(keys.copy(), most[entity] - 1)
        for at in range(first, end):
            keep[at] = keys[at - first] <= bound


@kernel
def drop_features(
    row_ptr: Pointers,
    indptr: Pointers,
    indices: Indices,
    values: Floats,
    feature_ptr: Pointers,
    keep: NDArray[np.bool_],
) -> tuple[Pointers, Pointers]:
    """Drop features from the rows, in place, and number the rest anew.

    Returns where the rows and where each entity's features begin now.
    """
    place = np.empty(len(keep), np.int32)
    pointers = np.zeros(len(feature_ptr), np.int64)
    rows = np.zeros(len(indptr), np.int64)
    out = 0
    for entity in range(len(row_ptr) - 1):
        base = feature_ptr[entity]
        count = 0
        for at in range(base, feature_ptr[entity + 1]):
            place[at] = count
            count += keep[at]
        pointers[entity + 1] = pointers[entity] + count
        for row in range(row_ptr[entity], row_ptr[entity + 1]):
            for k in range(indptr[row], indptr[row + 1]):
                at = base + indices[k]
                if keep[at]:
                    indices[out] = place[at]
                    values[out] = values[k]
                    out += 1
            rows[row + 1] = out
    return rows, pointers
