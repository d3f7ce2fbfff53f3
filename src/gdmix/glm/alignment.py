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


@kernel
def merge_layouts(
    first_of: Indices,
    second_of: Indices,
    first_ptr: Pointers,
    first_features: Indices,
    second_ptr: Pointers,
    second_features: Indices,
    intercept: int,
    feature_ptr: Pointers,
    features: Indices,
    source: Pointers,
) -> None:
    """Lay out entities with the features of two layouts; where both know one, the first counts.

    Parameters
    ----------
    first_of, second_of : int32[entities]
        Each entity's position in the two layouts, -1 where it has none; one of the two is given.
    first_ptr, first_features, second_ptr, second_features
        The two layouts; features ascend within an entity.
    intercept : int
        1 when an entity's coefficients begin with an intercept.
    feature_ptr : int64[entities + 1]
        Written over, but for the first, which is 0.
    features : int32
        Written over; as long as both together, at most.
    source : int64
        Written over, one for each coefficient: its position among the first coefficients, or
        ``-1 -`` its position among the second.
    """
    count = 0
    for e in range(len(first_of)):
        a, b = first_of[e], second_of[e]
        i, i_end = (first_ptr[a], first_ptr[a + 1]) if a >= 0 else (0, 0)
        j, j_end = (second_ptr[b], second_ptr[b + 1]) if b >= 0 else (0, 0)
        shift = (e + 1) * intercept
        if intercept:
            source[count + e] = i + a if a >= 0 else -1 - (j + b)
        while i < i_end or j < j_end:
            if j == j_end or (i < i_end and first_features[i] <= second_features[j]):
                if j < j_end and second_features[j] == first_features[i]:
                    j += 1
                features[count] = first_features[i]
                source[count + shift] = i + (a + 1) * intercept
                i += 1
            else:
                features[count] = second_features[j]
                source[count + shift] = -1 - (j + (b + 1) * intercept)
                j += 1
            count += 1
        feature_ptr[e + 1] = count
