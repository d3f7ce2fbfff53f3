"""The quadratic model of a small problem with L1 terms and bounds, its Hessian at hand.

Coordinate descent finds which coefficients are zero or at a bound; Newton's method on the rest
takes the many small steps that coordinate descent would need where features are correlated
(Bertsekas, Projected Newton methods for optimization problems with simple constraints, 1982).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.cholesky import factorize, substitute
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

_MOST_ROUNDS = 200


@inner_kernel
def minimize_dense(
    edges: Edges,
    h: Floats,
    gradient: Floats,
    b: Floats,
    enough: float,
    factor: Floats,
    vectors: Floats,
    free: NDArray[np.int64],
) -> None:
    """Minimize the model around `b` until its subgradient's norm is at most `enough`.

    Parameters
    ----------
    edges : Edges
    h : float64[>= d, >= d]
        The Hessian, both triangles.
    gradient, b : float64[d]
    enough : float
    factor : float64[>= d, >= d]
        Scratch.
    vectors : float64[4, >= d]
        The first becomes the minimum; the rest is scratch.
    free : int64[>= d]
        Scratch.
    """
    d = len(b)
    z, slope = vectors[0, :d], vectors[1, :d]
    for j in range(d):
        z[j] = b[j]
        slope[j] = gradient[j]
    for _ in range(_MOST_ROUNDS):
        _sweep(edges, h, z, slope)
        if violation(edges, slope, z) <= enough:
            break
        _newton(edges, h, gradient, b, factor, vectors, free)
        if violation(edges, slope, z) <= enough:
            break


@inner_kernel
def _sweep(edges: Edges, h: Floats, z: Floats, slope: Floats) -> None:
    """Minimize in one coefficient after the other."""
    for j in range(len(z)):
        best = least_of_parabola(
            z[j], slope[j], h[j, j], edges.l1[j], edges.lower[j], edges.upper[j]
        )
        move = best - z[j]
        if move != 0.0:
            z[j] = best
            for k in range(len(z)):
                slope[k] += move * h[j, k]


@inner_kernel
def _newton(
    edges: Edges,
    h: Floats,
    gradient: Floats,
    b: Floats,
    factor: Floats,
    vectors: Floats,
    free: NDArray[np.int64],
) -> None:
    """Minimize in the free coefficients at once, as far as their signs and bounds hold."""
    d = len(b)
    z, slope, step, ahead = vectors[0, :d], vectors[1, :d], vectors[2, :d], vectors[3, :d]
    count = select_free(edges, z, free)
    for m in range(count):
        j = free[m]
        step[m] = -slope[j] - np.sign(z[j]) * edges.l1[j]
        for k in range(m, count):
            factor[m, k] = h[j, free[k]]
    factorize(factor, count)
    substitute(factor, count, step)
    length, which = longest_step(edges, z, step, free, count)
    before = model_value(edges, gradient, b, z, slope)
    project_step(edges, z, step, free, count, ahead)
    _slope_at(h, gradient, b, ahead, slope)
    if which >= 0 and model_value(edges, gradient, b, ahead, slope) >= before:
        # not all the way, then: up to the first that meets its limit
        edge = ahead[which]
        for j in range(d):
            ahead[j] = z[j]
        for m in range(count):
            ahead[free[m]] += length * step[m]
        ahead[which] = edge
        _slope_at(h, gradient, b, ahead, slope)
    for j in range(d):
        z[j] = ahead[j]


@inner_kernel
def _slope_at(h: Floats, gradient: Floats, b: Floats, z: Floats, slope: Floats) -> None:
    """Write the gradient of the smooth part of the model at `z`."""
    d = len(b)
    for j in range(d):
        slope[j] = gradient[j]
    for j in range(d):
        move = z[j] - b[j]
        if move != 0.0:
            for k in range(d):
                slope[k] += move * h[j, k]
