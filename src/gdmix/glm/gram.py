"""The Hessian ``X' C X`` of one entity: by the entries of sparse rows, or by dense blocks.

Blocks of rows are packed into panels of sixteen columns, so that a tile of the result stays in
registers while the block streams by (Goto and van de Geijn, Anatomy of high-performance matrix
multiplication, 2008).
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.lane_work import aligned
from gdmix.glm.lanes import load, splat, store
from gdmix.jit import inner_kernel, ordered_kernel

Floats = NDArray[np.float64]

_FIRST = cast("int", np.int64(0))
# rows of a block, and columns of a panel: two vectors
_ROWS, _PANEL = cast("int", np.int64(64)), cast("int", np.int64(16))


@inner_kernel
def add_hessian(
    rows: Block, curve: Floats, intercept: int, every: int, h: Floats, size: int
) -> None:
    """Add the upper triangle of ``X' diag(curve) X``, of order `size`, to `h`.

    Rows hold a feature once; no number in `curve` is negative. Of `every` blocks of rows, the
    first alone counts.
    """
    n = len(rows.label)
    filled = float(rows.indptr[n] - rows.indptr[0]) / max(n, 1)
    # an entry of a sparse row costs as much as a dozen of a tile
    if n < _ROWS // 2 or 12.0 * filled * filled < float(size) * float(size):
        for first in range(_FIRST, n, every * _ROWS):
            kernels.hessian(rows, first, min(first + _ROWS, n), curve, intercept, h)
        return
    panels = (size + _PANEL - 1) // _PANEL
    packed, gram = aligned(2 * panels * _ROWS), aligned(2 * panels * panels * _PANEL)
    for first in range(0, n, every * _ROWS):
        count = min(_ROWS, n - first)
        _pack(rows, first, count, curve, intercept, packed)
        _add_tiles(packed, panels, count, gram)
    for i in range(size):
        for j in range(i, size):
            h[i, j] += gram[((j // _PANEL) * panels * _PANEL + i) * _PANEL + j % _PANEL]


@inner_kernel
def _pack(
    rows: Block, first: int, count: int, curve: Floats, intercept: int, packed: Floats
) -> None:
    """Write rows, times the roots of their curvatures, panel after panel."""
    for k in range(len(packed)):
        packed[k] = 0.0
    for r in range(count):
        i = first + r
        root = math.sqrt(curve[i])
        if intercept:
            packed[r * _PANEL] = root
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            j = intercept + rows.indices[k]
            at = ((j // _PANEL) * _ROWS + r) * _PANEL + j % _PANEL
            packed[at] += root * rows.values[k]


@ordered_kernel
def _add_tiles(packed: Floats, panels: int, count: int, gram: Floats) -> None:
    """Add the products of all pairs of columns: tiles of four by sixteen."""
    for q in range(panels):
        right = 2 * q * _ROWS
        for i in range(0, (q + 1) * _PANEL, 4):
            left = (i // _PANEL) * _ROWS * _PANEL + i % _PANEL
            out = 2 * (q * panels * _PANEL + i)
            t00 = load(gram, out)
            t01 = load(gram, out + 1)
            t10 = load(gram, out + 2)
            t11 = load(gram, out + 3)
            t20 = load(gram, out + 4)
            t21 = load(gram, out + 5)
            t30 = load(gram, out + 6)
            t31 = load(gram, out + 7)
            for r in range(count):
                b0 = load(packed, right + 2 * r)
                b1 = load(packed, right + 2 * r + 1)
                at = left + r * _PANEL
                a0 = splat(packed[at])
                a1 = splat(packed[at + 1])
                a2 = splat(packed[at + 2])
                a3 = splat(packed[at + 3])
                t00 = t00 + a0 * b0
                t01 = t01 + a0 * b1
                t10 = t10 + a1 * b0
                t11 = t11 + a1 * b1
                t20 = t20 + a2 * b0
                t21 = t21 + a2 * b1
                t30 = t30 + a3 * b0
                t31 = t31 + a3 * b1
            store(gram, out, t00)
            store(gram, out + 1, t01)
            store(gram, out + 2, t10)
            store(gram, out + 3, t11)
            store(gram, out + 4, t20)
            store(gram, out + 5, t21)
            store(gram, out + 6, t30)
            store(gram, out + 7, t31)
