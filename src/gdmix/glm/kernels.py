"""Loops over sparse rows: margins, gradient, Hessian. The only place rows meet a loss.

Every kernel takes a `Block` and the rows ``start`` to ``stop`` of it, so that the rows of one
entity and the rows of all samples go through the same code. Coefficients hold the intercept
first when ``intercept`` is 1; a feature's coefficient is at ``intercept + index``. Kernels that
accumulate add to what their output holds.
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
    for i in range(start, stop):
        total = vector[0] if intercept else 0.0
        for k in range(block.indptr[i], block.indptr[i + 1]):
            total += vector[intercept + block.indices[k]] * block.values[k]
        out[i] = total


@kernel
def value_and_gradient(
    loss: Loss, block: Block, start: int, stop: int, margin: Floats, intercept: int, out: Floats
) -> float:
    """Return the weighted sum of losses at `margin`; add its gradient ``X' (w d1)`` to `out`."""
    value = 0.0
    constant = 0.0
    for i in range(start, stop):
        weight = block.weight[i]
        value += weight * loss.value(margin[i], block.label[i])
        slope = weight * loss.d1(margin[i], block.label[i])
        constant += slope
        for k in range(block.indptr[i], block.indptr[i + 1]):
            out[intercept + block.indices[k]] += slope * block.values[k]
    if intercept:
        out[0] += constant
    return value


@kernel
def value_along(
    loss: Loss, block: Block, start: int, stop: int, margin: Floats, slope: Floats, step: float
) -> float:
    """Return the weighted sum of losses at ``margin + step * slope``."""
    value = 0.0
    for i in range(start, stop):
        value += block.weight[i] * loss.value(margin[i] + step * slope[i], block.label[i])
    return value


@kernel
def curvature(loss: Loss, block: Block, start: int, stop: int, margin: Floats, out: Floats) -> None:
    """Write ``w d2`` of the rows to ``out[start:stop]``."""
    for i in range(start, stop):
        out[i] = block.weight[i] * loss.d2(margin[i], block.label[i])


@kernel
def hessian_vector(
    block: Block, start: int, stop: int, curve: Floats, vector: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' (curve * (X v))`` to `out`."""
    constant = 0.0
    for i in range(start, stop):
        total = vector[0] if intercept else 0.0
        for k in range(block.indptr[i], block.indptr[i + 1]):
            total += vector[intercept + block.indices[k]] * block.values[k]
        total *= curve[i]
        constant += total
        for k in range(block.indptr[i], block.indptr[i + 1]):
            out[intercept + block.indices[k]] += total * block.values[k]
    if intercept:
        out[0] += constant


@kernel
def hessian_diagonal(
    block: Block, start: int, stop: int, curve: Floats, intercept: int, out: Floats
) -> None:
    """Add the diagonal of ``X' diag(curve) X`` to `out`."""
    for i in range(start, stop):
        if intercept:
            out[0] += curve[i]
        for k in range(block.indptr[i], block.indptr[i + 1]):
            out[intercept + block.indices[k]] += curve[i] * block.values[k] * block.values[k]


@kernel
def hessian(
    block: Block, start: int, stop: int, curve: Floats, intercept: int, out: Floats
) -> None:
    """Add the upper triangle of ``X' diag(curve) X`` to `out` (rows hold a feature once)."""
    for i in range(start, stop):
        first, end = block.indptr[i], block.indptr[i + 1]
        if intercept:
            out[0, 0] += curve[i]
        for k in range(first, end):
            a = intercept + block.indices[k]
            scaled = curve[i] * block.values[k]
            if intercept:
                out[0, a] += scaled
            for m in range(k, end):
                b = intercept + block.indices[m]
                if a <= b:
                    out[a, b] += scaled * block.values[m]
                else:
                    out[b, a] += scaled * block.values[m]
