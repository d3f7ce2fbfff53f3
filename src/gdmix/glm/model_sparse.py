"""The quadratic model of a problem with L1 terms and bounds, too wide for a dense Hessian.

As `model_dense`, with coordinate descent on cached margins (Yuan, Ho and Lin, An improved GLMNET
for L1-regularized logistic regression, 2012) and conjugate gradients in place of factorization.
Features may be centred: the column of feature ``j`` is then ``x_j - shift_j``, never written out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.steps import FIRST
from gdmix.glm.subgradient import (
    Edges,
    least_of_parabola,
    longest_step,
    model_value,
    project_step,
    select_free,
    violation,
)
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

_MOST_ROUNDS = 100
_MOST_PRODUCTS = 300


class Wide(NamedTuple):
    """The rows of a problem, by column too, and the curvature at the model's centre.

    Attributes
    ----------
    rows : Block
    indptr : int64[features + 1]
    at : int64[nnz]
        Row of each value, column by column.
    values : float64[nnz]
    curve : float64[rows]
    ridge : float64[coefficients]
        What the penalty adds to the Hessian's diagonal; positive.
    shift : float64[coefficients]
    intercept : int
    """

    rows: Block
    indptr: Positions
    at: Positions
    values: Floats
    curve: Floats
    ridge: Floats
    shift: Floats
    intercept: int


@inner_kernel
def by_column(rows: Block, width: int) -> tuple[Positions, Positions, Floats]:
    """Return pointers, rows and values of the columns: a counting sort; nothing for width 0."""
    n = len(rows.label)
    first, end = rows.indptr[0], rows.indptr[n]
    if width == 0:
        end = first
        n = 0
    indptr = np.zeros(width + 2, np.int64)
    for k in range(first, end):
        indptr[rows.indices[k] + 2] += 1
    for j in range(width):
        indptr[j + 2] += indptr[j + 1]
    at, values = np.empty(end - first, np.int64), np.empty(end - first)
    for i in range(n):
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            place = indptr[rows.indices[k] + 1]
            at[place] = i
            values[place] = rows.values[k]
            indptr[rows.indices[k] + 1] += 1
    return indptr[: width + 1], at, values


@inner_kernel
def minimize_sparse(
    edges: Edges,
    wide: Wide,
    gradient: Floats,
    b: Floats,
    enough: float,
    vectors: Floats,
    moves: Floats,
    free: Positions,
) -> None:
    """Minimize the model around `b` until its subgradient's norm is at most `enough`.

    Parameters
    ----------
    edges : Edges
    wide : Wide
    gradient, b : float64[d]
    enough : float
    vectors : float64[9, >= d]
        The first becomes the minimum; the rest is scratch.
    moves : float64[rows]
        Scratch.
    free : int64[>= d]
        Scratch.
    """
    d = len(b)
    z, slope = vectors[0, :d], vectors[1, :d]
    for j in range(d):
        z[j] = b[j]
    for _ in range(_MOST_ROUNDS):
        _sweep(edges, wide, gradient, b, vectors, moves)
        _slope_at(wide, gradient, b, z, slope, vectors)
        if violation(edges, slope, z) <= enough:
            break
        _newton(edges, wide, gradient, b, enough, vectors, free)
        if violation(edges, slope, z) <= enough:
            break


@inner_kernel
def _sweep(
    edges: Edges, wide: Wide, gradient: Floats, b: Floats, vectors: Floats, moves: Floats
) -> None:
    """Minimize in one coefficient after the other; write the Hessian's diagonal on the way.

    A row's margin moves by ``moves[i] + common``: the intercept and the shifts move all rows alike.
    """
    d, n, intercept = len(b), len(wide.curve), wide.intercept
    z, diagonal = vectors[0, :d], vectors[7, :d]
    common, total = (z[0] - b[0] if intercept else 0.0), 0.0
    for i in range(n):
        moves[i] = 0.0
        total += wide.curve[i]
    for j in range(intercept, d):
        common -= wide.shift[j] * (z[j] - b[j])
        for k in range(wide.indptr[j - intercept], wide.indptr[j - intercept + 1]):
            moves[wide.at[k]] += (z[j] - b[j]) * wide.values[k]
    curved = 0.0
    for i in range(n):
        curved += wide.curve[i] * moves[i]
    for j in range(d):
        shift = -1.0 if intercept and j == 0 else wide.shift[j]
        slope, linear, square = 0.0, 0.0, 0.0
        first, end = 0, 0
        if j >= intercept:
            first, end = wide.indptr[j - intercept], wide.indptr[j - intercept + 1]
        for k in range(first, end):
            scaled = wide.curve[wide.at[k]] * wide.values[k]
            slope += scaled * moves[wide.at[k]]
            linear += scaled
            square += scaled * wide.values[k]
        slope += gradient[j] + common * linear - shift * (curved + common * total)
        slope += wide.ridge[j] * (z[j] - b[j])
        bend = square - 2.0 * shift * linear + shift * shift * total
        diagonal[j] = max(bend, 0.0) + wide.ridge[j]
        best = least_of_parabola(
            z[j], slope, diagonal[j], edges.l1[j], edges.lower[j], edges.upper[j]
        )
        move = best - z[j]
        if move != 0.0:
            z[j] = best
            common -= move * shift
            curved += move * linear
            for k in range(first, end):
                moves[wide.at[k]] += move * wide.values[k]


@inner_kernel
def _multiply(wide: Wide, vector: Floats, plain: Floats, out: Floats) -> None:
    """Write the Hessian times `vector`."""
    d, intercept = len(vector), wide.intercept
    for j in range(d):
        plain[j] = vector[j]
        out[j] = 0.0
    if intercept:
        for j in range(1, d):
            plain[0] -= wide.shift[j] * vector[j]
    kernels.hessian_vector(wide.rows, FIRST, len(wide.curve), wide.curve, plain, intercept, out)
    for j in range(d):
        if intercept and j > 0:
            out[j] -= wide.shift[j] * out[0]
    for j in range(d):
        out[j] += wide.ridge[j] * vector[j]


@inner_kernel
def _slope_at(
    wide: Wide, gradient: Floats, b: Floats, z: Floats, slope: Floats, vectors: Floats
) -> None:
    """Write the gradient of the smooth part of the model at `z`."""
    d = len(b)
    p, plain = vectors[5, :d], vectors[8, :d]
    for j in range(d):
        p[j] = z[j] - b[j]
    _multiply(wide, p, plain, slope)
    for j in range(d):
        slope[j] += gradient[j]


@inner_kernel
def _newton(
    edges: Edges,
    wide: Wide,
    gradient: Floats,
    b: Floats,
    enough: float,
    vectors: Floats,
    free: Positions,
) -> None:
    """Minimize in the free coefficients at once, as far as their signs and bounds hold."""
    d = len(b)
    z, slope, step, ahead = vectors[0, :d], vectors[1, :d], vectors[2, :d], vectors[3, :d]
    count = select_free(edges, z, free)
    before = model_value(edges, gradient, b, z, slope)
    _conjugate_gradients(edges, wide, enough, count, vectors, free)
    length, which = longest_step(edges, z, step, free, count)
    project_step(edges, z, step, free, count, ahead)
    _slope_at(wide, gradient, b, ahead, slope, vectors)
    if which >= 0 and model_value(edges, gradient, b, ahead, slope) >= before:
        # not all the way, then: up to the first that meets its limit
        edge = ahead[which]
        for j in range(d):
            ahead[j] = z[j]
        for m in range(count):
            ahead[free[m]] += length * step[m]
        ahead[which] = edge
        _slope_at(wide, gradient, b, ahead, slope, vectors)
    for j in range(d):
        z[j] = ahead[j]


@inner_kernel
def _conjugate_gradients(
    edges: Edges, wide: Wide, enough: float, count: int, vectors: Floats, free: Positions
) -> None:
    """Write the step that solves the Newton system of the free coefficients, as far as useful."""
    d = len(wide.ridge)
    z, slope, step, r = vectors[0, :d], vectors[1, :d], vectors[2, :d], vectors[4, :d]
    p, hp, diagonal, plain = vectors[5, :d], vectors[6, :d], vectors[7, :d], vectors[8, :d]
    for j in range(d):
        p[j] = 0.0
    rz = 0.0
    for m in range(count):
        j = free[m]
        step[m] = 0.0
        r[m] = -slope[j] - np.sign(z[j]) * edges.l1[j]
        p[j] = r[m] / diagonal[j]
        rz += r[m] * p[j]
    for _ in range(min(count, _MOST_PRODUCTS)):
        _multiply(wide, p, plain, hp)
        php = 0.0
        for m in range(count):
            php += p[free[m]] * hp[free[m]]
        if php <= 0.0:
            break
        alpha, rr, next_rz = rz / php, 0.0, 0.0
        for m in range(count):
            j = free[m]
            step[m] += alpha * p[j]
            r[m] -= alpha * hp[j]
            rr += r[m] * r[m]
            next_rz += r[m] * r[m] / diagonal[j]
        if math.sqrt(rr) <= 0.5 * enough:
            break
        for m in range(count):
            j = free[m]
            p[j] = r[m] / diagonal[j] + next_rz / rz * p[j]
        rz = next_rz
