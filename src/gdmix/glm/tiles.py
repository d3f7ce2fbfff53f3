"""The Hessian of all rows of a block, as a matrix: ``X' diag(curve) X``.

Rows with few of the features add each of their pairs where it belongs. Rows with many are copied,
a hundred or so at a time, to columns that stay in cache, and the products of four columns with
four others are summed in registers (Goto and van de Geijn, Anatomy of high-performance matrix
multiplication, 2008): no BLAS, whose own threads would get in the way of the engine's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.jit import inner_kernel, kernel

Floats = NDArray[np.float64]

_TILE = 4
_AT_ONCE = 128
# columns a power of two apart would share the same few places in the cache
_STRIDE = _AT_ONCE + 8
# a sum in registers costs about a sixteenth of one in memory
_DENSE = 4


def hessian(block: Block, curve: Floats, width: int, intercept: int) -> Floats:
    """Return the upper triangle of ``X' diag(curve) X``."""
    size = intercept + width
    if _DENSE * (block.indptr[-1] - block.indptr[0]) < width * len(curve):
        out = np.zeros((size, size))
        kernels.hessian(block, 0, len(curve), curve, intercept, out)
        return out
    padded = -(-size // _TILE) * _TILE
    out = np.zeros((padded, padded))
    add_tiles(block, curve, intercept, out)
    return np.triu(out[:size, :size])


@kernel
def add_tiles(block: Block, curve: Floats, intercept: int, out: Floats) -> None:
    """Add ``X' diag(curve) X`` to `out`, which has a multiple of four rows and of columns.

    It is right in the upper triangle alone.
    """
    columns = np.zeros((len(out), _STRIDE))
    scaled = np.empty((_TILE, _STRIDE))
    rows = len(curve)
    for start in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - start)
        _to_columns(block, start, count, intercept, columns)
        for a in range(0, len(out), _TILE):
            for r in range(_TILE):
                for i in range(count):
                    scaled[r, i] = columns[a + r, i] * curve[start + i]
            for b in range(a, len(out), _TILE):
                _add_tile(scaled, columns[b : b + _TILE], count, out[a : a + _TILE, b : b + _TILE])


@inner_kernel
def _to_columns(block: Block, start: int, count: int, intercept: int, out: Floats) -> None:
    out[:] = 0.0
    for i in range(count):
        if intercept:
            out[0, i] = 1.0
        row = start + i
        for k in range(np.uint64(block.indptr[row]), np.uint64(block.indptr[row + 1])):
            out[np.uint64(intercept + block.indices[k]), i] = block.values[k]


@inner_kernel
def _add_tile(left: Floats, right: Floats, count: int, out: Floats) -> None:
    """Add ``left @ right.T`` of the first `count` columns to `out`, four by four."""
    l0, l1, l2, l3 = left[0], left[1], left[2], left[3]
    r0, r1, r2, r3 = right[0], right[1], right[2], right[3]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    for i in range(count):
        s00 += l0[i] * r0[i]
        s01 += l0[i] * r1[i]
        s02 += l0[i] * r2[i]
        s03 += l0[i] * r3[i]
        s10 += l1[i] * r0[i]
        s11 += l1[i] * r1[i]
        s12 += l1[i] * r2[i]
        s13 += l1[i] * r3[i]
        s20 += l2[i] * r0[i]
        s21 += l2[i] * r1[i]
        s22 += l2[i] * r2[i]
        s23 += l2[i] * r3[i]
        s30 += l3[i] * r0[i]
        s31 += l3[i] * r1[i]
        s32 += l3[i] * r2[i]
        s33 += l3[i] * r3[i]
    sums = (
        (s00, s01, s02, s03),
        (s10, s11, s12, s13),
        (s20, s21, s22, s23),
        (s30, s31, s32, s33),
    )
    for a in range(_TILE):
        for b in range(_TILE):
            out[a, b] += sums[a][b]
