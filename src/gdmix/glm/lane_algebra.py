"""Linear algebra of eight small problems at once; see `gdmix.glm.lanes`.

A matrix is a flat array of `Lanes`, row after row. Its order is even, so that rows and columns go
two by two: half of the loads feed the same multiplications. Sums stay in the order in which they
are written, whatever the order of the matrix: a problem's result has the same bits beside larger
and smaller ones, padded with zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.lanes import Lanes, load, root, splat, store
from gdmix.jit import ordered_kernel

Floats = NDArray[np.float64]


@ordered_kernel
def dot(a: Floats, b: Floats, size: int) -> Lanes:
    """Return ``a'b``."""
    total = splat(0.0)
    for i in range(size):
        total = total + load(a, i) * load(b, i)
    return total


@ordered_kernel
def multiply(matrix: Floats, rows: int, columns: int, vector: Floats, out: Floats) -> None:
    """Write ``M v`` to `out`; `rows` is even."""
    for i in range(0, rows, 2):
        s0 = splat(0.0)
        s1 = splat(0.0)
        upper = i * columns
        lower = upper + columns
        for j in range(columns):
            v = load(vector, j)
            s0 = s0 + load(matrix, upper + j) * v
            s1 = s1 + load(matrix, lower + j) * v
        store(out, i, s0)
        store(out, i + 1, s1)


@ordered_kernel
def factorize(h: Floats, order: int) -> None:
    """Write the Cholesky factor ``U`` of ``H = U'U`` over the upper triangle.

    `h` has one more column, for a right-hand side ``r`` that becomes ``z`` with ``U'z = r``. The
    diagonal holds inverses. A matrix that is not positive definite leaves NaN.
    """
    width = order + 1
    one = splat(1.0)
    for i in range(0, order, 2):
        upper = i * width
        lower = upper + width
        c00 = load(h, upper + i)
        c01 = load(h, upper + i + 1)
        c11 = load(h, lower + i + 1)
        z0 = load(h, upper + order)
        z1 = load(h, lower + order)
        for k in range(0, i * width, width):
            a0 = load(h, k + i)
            a1 = load(h, k + i + 1)
            z = load(h, k + order)
            c00 = c00 - a0 * a0
            c01 = c01 - a0 * a1
            c11 = c11 - a1 * a1
            z0 = z0 - a0 * z
            z1 = z1 - a1 * z
        u0 = one / root(c00)
        c01 = c01 * u0
        u1 = one / root(c11 - c01 * c01)
        z0 = z0 * u0
        store(h, upper + i, u0)
        store(h, upper + i + 1, c01)
        store(h, lower + i + 1, u1)
        store(h, upper + order, z0)
        store(h, lower + order, (z1 - c01 * z0) * u1)
        for j in range(i + 2, order, 2):
            d00 = load(h, upper + j)
            d01 = load(h, upper + j + 1)
            d10 = load(h, lower + j)
            d11 = load(h, lower + j + 1)
            for k in range(0, i * width, width):
                a0 = load(h, k + i)
                a1 = load(h, k + i + 1)
                b0 = load(h, k + j)
                b1 = load(h, k + j + 1)
                d00 = d00 - a0 * b0
                d01 = d01 - a0 * b1
                d10 = d10 - a1 * b0
                d11 = d11 - a1 * b1
            d00 = d00 * u0
            d01 = d01 * u0
            store(h, upper + j, d00)
            store(h, upper + j + 1, d01)
            store(h, lower + j, (d10 - c01 * d00) * u1)
            store(h, lower + j + 1, (d11 - c01 * d01) * u1)


@ordered_kernel
def substitute(u: Floats, order: int, out: Floats) -> None:
    """Solve ``U x = z`` of `factorize`."""
    width = order + 1
    for i in range(order - 1, -1, -1):
        total = load(u, i * width + order)
        for j in range(i + 1, order):
            total = total - load(u, i * width + j) * load(out, j)
        store(out, i, total * load(u, i * width + i))
