"""Passes over all rows of a block: of a fixed effect, or of one long entity.

Rows are taken a few hundred at a time, so that what one loop reads from memory the next finds in
cache. Every pass takes `full`: the number of features when every row holds all of them in order
(see `full_rows`), else 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import full_rows, kernels
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.jit import inner_kernel, kernel

Floats = NDArray[np.float64]

_AT_ONCE = 512


@kernel
def multiply(block: Block, full: int, vector: Floats, intercept: int, out: Floats) -> None:
    """Write ``X v`` to `out`."""
    multiply_some(block, full, 0, len(out), vector, intercept, out)


@kernel
def value_and_gradient(
    loss: Loss,
    block: Block,
    full: int,
    offset: Floats,
    coefficients: Floats,
    intercept: int,
    out: Floats,
) -> float:
    """Return the weighted sum of losses at ``offset + X b``; add its gradient to `out`."""
    rows = len(offset)
    margin = np.empty(rows)
    value = 0.0
    for start in range(0, rows, _AT_ONCE):
        stop = min(start + _AT_ONCE, rows)
        multiply_some(block, full, start, stop, coefficients, intercept, margin)
        for i in range(np.uint64(start), np.uint64(stop)):
            margin[i] += offset[i]
        value += kernels.slopes(loss, block, start, stop, margin)
        add_multiples_of_some(block, full, start, stop, margin, intercept, out)
    return value


@kernel
def hessian_vector(
    block: Block, full: int, curve: Floats, vector: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' (curve * (X v))`` to `out`."""
    rows = len(curve)
    product = np.empty(rows)
    for start in range(0, rows, _AT_ONCE):
        stop = min(start + _AT_ONCE, rows)
        multiply_some(block, full, start, stop, vector, intercept, product)
        for i in range(np.uint64(start), np.uint64(stop)):
            product[i] *= curve[i]
        add_multiples_of_some(block, full, start, stop, product, intercept, out)


@kernel
def hessian_diagonal(
    loss: Loss,
    block: Block,
    full: int,
    offset: Floats,
    coefficients: Floats,
    intercept: int,
    out: Floats,
) -> None:
    """Add the diagonal of the Hessian at ``offset + X b`` to `out`."""
    rows = len(offset)
    curve = np.empty(rows)
    values = block.values[block.indptr[0] :]
    for start in range(0, rows, _AT_ONCE):
        stop = min(start + _AT_ONCE, rows)
        multiply_some(block, full, start, stop, coefficients, intercept, curve)
        for i in range(np.uint64(start), np.uint64(stop)):
            curve[i] += offset[i]
        kernels.curvature(loss, block, start, stop, curve, curve)
        if full:
            full_rows.hessian_diagonal(values, full, start, stop, curve, intercept, out)
        else:
            kernels.hessian_diagonal(block, start, stop, curve, intercept, out)


@inner_kernel
def multiply_some(
    block: Block, full: int, start: int, stop: int, vector: Floats, intercept: int, out: Floats
) -> None:
    """Write ``X v`` of the rows to ``out[start:stop]``."""
    if full:
        values = block.values[block.indptr[0] :]
        full_rows.multiply(values, full, start, stop, vector, intercept, out)
    else:
        kernels.multiply(block, start, stop, vector, intercept, out)


@inner_kernel
def add_multiples_of_some(
    block: Block, full: int, start: int, stop: int, factor: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' f`` of the rows to `out`."""
    if full:
        values = block.values[block.indptr[0] :]
        full_rows.add_multiples(values, full, start, stop, factor, intercept, out)
    else:
        kernels.add_multiples(block, start, stop, factor, intercept, out)


@inner_kernel
def full_width(block: Block, width: int) -> int:
    """Return `width` where every row holds so many features, in order, else 0."""
    rows = len(block.label)
    begin = block.indptr[0]
    if block.indptr[rows] - begin != rows * width:
        return 0
    for i in range(rows):
        first = begin + i * width
        if block.indptr[i] != first:
            return 0
        own = block.indices[first : first + width]
        # without a branch, that the loop be vector code
        apart = 0
        for k in range(width):
            apart |= own[k] ^ np.int32(k)
        if apart:
            return 0
    return width
