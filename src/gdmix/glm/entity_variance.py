"""Variances of entities' coefficients from the curvature at the solution.

With ``H`` the Hessian of the loss plus the quadratic penalty, the posterior's Gaussian
approximation has covariance ``H^-1`` (Laplace's method; Bishop, Pattern recognition and machine
learning, 2006, section 4.4).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.cholesky import factorize, substitute
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.steps import FIRST
from gdmix.jit import inner_kernel, kernel

Floats = NDArray[np.float64]

LARGEST_INVERSE = 8192
"""Most coefficients, or rows, for which an inverse is formed: half a gigabyte."""

_UNTOLD = 1e-12


@kernel
def entity_variances(
    loss: Loss,
    block: Block,
    row_ptr: NDArray[np.int64],
    coefficient_ptr: NDArray[np.int64],
    first: int,
    last: int,
    intercept: int,
    precision: Floats,
    shift: Floats,
    margin: Floats,
    full: bool,
    variances: Floats,
) -> None:
    """Write the variances of the coefficients of entities ``first`` to ``last``.

    Parameters
    ----------
    loss : Loss
    block : Block
        Rows in entity order, features numbered within each entity.
    row_ptr, coefficient_ptr : int64[entities + 1]
    first, last, intercept : int
    precision : float64
        Of the quadratic penalty, for the coefficients of these entities.
    shift : float64
        As long; the intercept's penalty holds for ``b_0 + shift . b``.
    margin : float64[rows]
        At the solution.
    full : bool
        ``diag(H^-1)``, else ``1 / diag(H)``. An entity with more than `LARGEST_INVERSE`
        coefficients, whose inverse cannot be had from its rows either, gets the latter.
    variances : float64[coefficient_ptr[-1]]
        Infinite where neither rows nor penalty tell anything of a coefficient; never NaN.
    """
    for e in range(first, last):
        start, stop = row_ptr[e], row_ptr[e + 1]
        n, d = stop - start, coefficient_ptr[e + 1] - coefficient_ptr[e]
        rows = Block(
            block.indptr[start : stop + 1],
            block.indices,
            block.values,
            block.label[start:stop],
            block.weight[start:stop],
        )
        base = coefficient_ptr[e] - coefficient_ptr[first]
        out = variances[coefficient_ptr[e] : coefficient_ptr[e + 1]]
        ridge, own = precision[base : base + d], shift[base : base + d]
        curve, diagonal = np.empty(n), np.empty(d)
        kernels.curvature(loss, rows, FIRST, n, margin[start:stop], curve)
        centred = False
        for j in range(d):
            centred = centred or own[j] != 0.0
            diagonal[j] = ridge[j]
            if intercept and j > 0:
                diagonal[j] += ridge[0] * own[j] * own[j]
            out[j] = -1.0
        kernels.hessian_diagonal(rows, FIRST, n, curve, intercept, diagonal)
        if full and n < d and n <= LARGEST_INVERSE and not centred and _tame(ridge, diagonal):
            _from_rows(rows, curve, intercept, ridge, out)
        elif full and d <= LARGEST_INVERSE:
            _from_hessian(rows, curve, intercept, ridge, own, diagonal, out)
        for j in range(d):
            if out[j] != -1.0:
                # far above what the diagonal tells: no more than rounding holds the coefficient
                told = math.isfinite(out[j]) and _UNTOLD * out[j] * diagonal[j] < 1.0
            else:
                told = 0.0 < diagonal[j] < math.inf
                out[j] = 1.0 / diagonal[j]
            out[j] = out[j] if told else math.inf


@inner_kernel
def _tame(ridge: Floats, diagonal: Floats) -> bool:
    """Tell whether what the rows add to the penalty leaves a difference of inverses its digits."""
    tame = True
    for j in range(len(ridge)):
        tame = tame and diagonal[j] < 1e8 * ridge[j]
    return tame


@inner_kernel
def _from_hessian(
    rows: Block,
    curve: Floats,
    intercept: int,
    ridge: Floats,
    shift: Floats,
    diagonal: Floats,
    out: Floats,
) -> None:
    """Write the diagonal of the inverse: sums of squares of the inverse factor's rows."""
    d = len(ridge)
    h = np.zeros((d, d))
    kernels.hessian(rows, FIRST, len(curve), curve, intercept, h)
    for j in range(d):
        h[j, j] += ridge[j]
        if intercept and j > 0:
            h[0, j] += ridge[0] * shift[j]
            for k in range(1, j + 1):
                h[k, j] += ridge[0] * shift[k] * shift[j]
    # features may differ in scale by more than squares of doubles can
    for j in range(d):
        for k in range(j, d):
            h[j, k] /= _root(diagonal[j]) * _root(diagonal[k])
    factorize(h, d)
    _invert(h, d)
    for j in range(d):
        total = 0.0
        for k in range(j, d):
            total += h[j, k] * h[j, k]
        out[j] = total / max(diagonal[j], 5e-324)


@inner_kernel
def _root(value: float) -> float:
    return math.sqrt(value) if value > 0.0 else 1.0


@inner_kernel
def _invert(u: Floats, d: int) -> None:
    """Write the inverse of an upper triangular matrix over it, row by row from the last."""
    for i in range(d - 1, -1, -1):
        pivot = 1.0 / u[i, i]
        row = np.zeros(d)
        for k in range(i + 1, d):
            factor = u[i, k]
            for j in range(k, d):
                row[j] -= factor * u[k, j]
        for j in range(i + 1, d):
            u[i, j] = row[j] * pivot
        u[i, i] = pivot


@inner_kernel
def _from_rows(rows: Block, curve: Floats, intercept: int, ridge: Floats, out: Floats) -> None:
    """Write the diagonal of the inverse by way of a matrix of rows (Woodbury's identity).

    ``(P + X'CX)^-1 = P^-1 - P^-1 Z'(1 + Z P^-1 Z')^-1 Z P^-1`` with ``Z = C^(1/2) X``.
    """
    n, d = len(curve), len(ridge)
    dense, inner, solved = np.zeros((n, d)), np.zeros((n, n)), np.empty(n)
    for i in range(n):
        root = math.sqrt(curve[i])
        if intercept:
            dense[i, 0] = root
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            dense[i, intercept + rows.indices[k]] += root * rows.values[k]
    for i in range(n):
        inner[i, i] = 1.0
        for k in range(i, n):
            for j in range(d):
                inner[i, k] += dense[i, j] * dense[k, j] / ridge[j]
    factorize(inner, n)
    for j in range(d):
        for i in range(n):
            solved[i] = dense[i, j]
        substitute(inner, n, solved)
        taken = 0.0
        for i in range(n):
            taken += dense[i, j] * solved[i]
        out[j] = (1.0 - taken / ridge[j]) / ridge[j]
