"""Cholesky factorization of small dense matrices, in the leading corner of larger scratch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]

_LEAST_PIVOT = 1e-14


@inner_kernel
def factorize(h: Floats, d: int) -> None:
    """Write ``U`` of ``H = U'U`` over the upper triangle of ``h[:d, :d]``.

    A pivot that rounding has taken away becomes a tiny part of its diagonal entry, and its row,
    which is nothing but rounding then, zero: a singular matrix gives large numbers, not infinite
    ones.
    """
    for i in range(d):
        own = h[i, i]
        # four rows at once: a quarter of the passes over row i
        for k in range(0, i - 3, 4):
            f0, f1, f2, f3 = h[k, i], h[k + 1, i], h[k + 2, i], h[k + 3, i]
            for j in range(i, d):
                h[i, j] -= f0 * h[k, j] + f1 * h[k + 1, j] + f2 * h[k + 2, j] + f3 * h[k + 3, j]
        for k in range(i // 4 * 4, i):
            factor = h[k, i]
            for j in range(i, d):
                h[i, j] -= factor * h[k, j]
        least = _LEAST_PIVOT * own if own > 0.0 else 1.0
        pivot = math.sqrt(max(h[i, i], least))
        share = 1.0 / pivot if h[i, i] > least else 0.0
        for j in range(i + 1, d):
            h[i, j] *= share
        h[i, i] = pivot


@inner_kernel
def substitute(u: Floats, d: int, x: Floats) -> None:
    """Solve ``U'U x = b`` in place, with ``b`` in ``x[:d]`` on entry."""
    for i in range(d):
        x[i] /= u[i, i]
        for j in range(i + 1, d):
            x[j] -= u[i, j] * x[i]
    for i in range(d - 1, -1, -1):
        total = x[i]
        for j in range(i + 1, d):
            total -= u[i, j] * x[j]
        x[i] = total / u[i, i]
