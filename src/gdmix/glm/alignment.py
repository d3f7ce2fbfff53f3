"""Per-entity coefficients against rows or against another layout of the same entities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel

Floats = NDArray[np.float64]
Pointers = NDArray[np.int64]
Indices = NDArray[np.int32]


@kernel
def score_rows(
    indptr: Pointers,
    indices: Indices,
    values: Floats,
    entity: Indices,
    feature_ptr: Pointers,
    features: Indices,
    coefficients: Floats,
    intercept: int,
    out: Floats,
) -> None:
    """Write each row's score under its entity's coefficients.

    Parameters
    ----------
    indptr, indices, values
        Sparse rows with the shard's feature indices.
    entity : int32[rows]
        Position of the row's entity, -1 when there is no model for it: the score is 0.
    feature_ptr : int64[entities + 1]
    features : int32
        Each entity's features, ascending.
    coefficients : float64
        Entity after entity: the intercept, if any, then the features' coefficients.
    intercept : int
        1 when there is an intercept.
    out : float64[rows]
    """
    for i in range(len(entity)):
        e = entity[i]
        if e < 0:
            out[i] = 0.0
            continue
        first, end = feature_ptr[e], feature_ptr[e + 1]
        base = first + e * intercept + intercept
        total = coefficients[base - 1] if intercept else 0.0
        for k in range(indptr[i], indptr[i + 1]):
            wanted = indices[k]
            low, high = first, end
            while low < high:
                middle = (low + high) // 2
                if features[middle] < wanted:
                    low = middle + 1
                else:
                    high = middle
            if low < end and features[low] == wanted:
                total += coefficients[base + low - first] * values[k]
        out[i] = total


@kernel
def copy_matching(
    source_of: Indices,
    feature_ptr: Pointers,
    features: Indices,
    source_ptr: Pointers,
    source_features: Indices,
    source: Floats,
    intercept: int,
    out: Floats,
) -> None:
    """Copy coefficients of the same entity and feature from one layout to another.

    `source_of` gives each entity's position in the source, -1 when it has none.
    """
    for e in range(len(feature_ptr) - 1):
        s = source_of[e]
        if s < 0:
            continue
        base = feature_ptr[e] + e * intercept + intercept
        source_base = source_ptr[s] + s * intercept + intercept
        if intercept:
            out[base - 1] = source[source_base - 1]
        j = source_ptr[s]
        for k in range(feature_ptr[e], feature_ptr[e + 1]):
            while j < source_ptr[s + 1] and source_features[j] < features[k]:
                j += 1
            if j < source_ptr[s + 1] and source_features[j] == features[k]:
                out[base + k - feature_ptr[e]] = source[source_base + j - source_ptr[s]]
