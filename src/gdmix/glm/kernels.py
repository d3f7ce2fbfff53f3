"""Loops over sparse rows: margins, gradient, Hessian. The only place rows meet a loss.

Every kernel takes a `Block` and the rows ``start`` to ``stop`` of it, so that the rows of one
entity and the rows of all samples go through the same code. Coefficients hold the intercept
first when ``intercept`` is 1; a feature's coefficient is at ``intercept + index``. Kernels that
accumulate add to what their output holds.

Positions are made unsigned before they are used: a signed one might count from the end, and
asking so at every access halves the speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.losses import Loss
from gdmix.jit import kernel

Floats = NDArray[np.float64]


class Block(NamedTuple):
    """Sparse rows with their labels and weights.

    Attributes
    ----------
    indptr : int64[rows + 1]
        Where each row's values lie; may point into larger arrays.
    indices : int32[nnz]
    values : float64[nnz]
    label, weight : float64[rows]
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Floats
    label: Floats
    weight: Floats


@kernel
def multiply(
    block: Block, start: int, stop: int, vector: Floats, intercept: int, out: Floats
) -> None:
    """Write ``X v`` of the rows to ``out[start:stop]``."""
    features = vector[intercept:]
    constant = vector[0] if intercept else 0.0
    for i in range(start, stop):
        total = constant
        for k in range(np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])):
            total += features[np.uint32(block.indices[k])] * block.values[k]
        out[i] = total


@kernel
def add_multiples(
    block: Block, start: int, stop: int, factor: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' f`` of the rows to `out`."""
    features = out[intercept:]
    constant = 0.0
    for i in range(start, stop):
        times = factor[i]
        constant += times
        for k in range(np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])):
            features[np.uint32(block.indices[k])] += times * block.values[k]
    if intercept:
        out[0] += constant


@kernel
def slopes(loss: Loss, block: Block, start: int, stop: int, margin: Floats) -> float:
    """Return the weighted sum of losses; write the rows' slopes ``w d1`` over `margin`."""
    value = 0.0
    for i in range(np.uint64(start), np.uint64(stop)):
        weight = block.weight[i]
        value += weight * loss.value(margin[i], block.label[i])
        margin[i] = weight * loss.d1(margin[i], block.label[i])
    return value


@kernel
def value_and_gradient(
    loss: Loss, block: Block, start: int, stop: int, margin: Floats, intercept: int, out: Floats
) -> float:
    """Return the weighted sum of losses at `margin`; add its gradient ``X' (w d1)`` to `out`."""
    features = out[intercept:]
    value = 0.0
    constant = 0.0
    for i in range(start, stop):
        weight = block.weight[i]
        value += weight * loss.value(margin[i], block.label[i])
        slope = weight * loss.d1(margin[i], block.label[i])
        constant += slope
        for k in range(np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])):
            features[np.uint32(block.indices[k])] += slope * block.values[k]
    if intercept:
        out[0] += constant
    return value


@kernel
def value_along(
    loss: Loss, block: Block, start: int, stop: int, margin: Floats, slope: Floats, step: float
) -> float:
    """Return the weighted sum of losses at ``margin + step * slope``."""
    value = 0.0
    for i in range(np.uint64(start), np.uint64(stop)):
        value += block.weight[i] * loss.value(margin[i] + step * slope[i], block.label[i])
    return value


@kernel
def curvature(loss: Loss, block: Block, start: int, stop: int, margin: Floats, out: Floats) -> None:
    """Write ``w d2`` of the rows to ``out[start:stop]``."""
    for i in range(np.uint64(start), np.uint64(stop)):
        out[i] = block.weight[i] * loss.d2(margin[i], block.label[i])


@kernel
def hessian_vector(
    block: Block, start: int, stop: int, curve: Floats, vector: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' (curve * (X v))`` to `out`."""
    features, sums = vector[intercept:], out[intercept:]
    first = vector[0] if intercept else 0.0
    constant = 0.0
    for i in range(start, stop):
        begin, end = np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])
        total = first
        for k in range(begin, end):
            total += features[np.uint32(block.indices[k])] * block.values[k]
        total *= curve[i]
        constant += total
        for k in range(begin, end):
            sums[np.uint32(block.indices[k])] += total * block.values[k]
    if intercept:
        out[0] += constant


@kernel
def hessian_diagonal(
    block: Block, start: int, stop: int, curve: Floats, intercept: int, out: Floats
) -> None:
    """Add the diagonal of ``X' diag(curve) X`` to `out`."""
    features = out[intercept:]
    for i in range(start, stop):
        if intercept:
            out[0] += curve[i]
        for k in range(np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])):
            features[np.uint32(block.indices[k])] += curve[i] * block.values[k] * block.values[k]


@kernel
def hessian(
    block: Block, start: int, stop: int, curve: Floats, intercept: int, out: Floats
) -> None:
    """Add the upper triangle of ``X' diag(curve) X`` to `out` (rows hold a feature once)."""
    for i in range(start, stop):
        first, end = np.uint64(block.indptr[i]), np.uint64(block.indptr[i + 1])
        if intercept:
            out[0, 0] += curve[i]
        for k in range(first, end):
            a = np.uint64(intercept + block.indices[k])
            scaled = curve[i] * block.values[k]
            if intercept:
                out[0, a] += scaled
            for m in range(k, end):
                b = np.uint64(intercept + block.indices[m])
                if a <= b:
                    out[a, b] += scaled * block.values[m]
                else:
                    out[b, a] += scaled * block.values[m]
