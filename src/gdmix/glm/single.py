"""One small problem by Newton's method, with care.

An unpenalized intercept stays within its bound: at the bound it is held for as long as the
gradient or the step points outward (Bertsekas, Projected Newton methods for optimization problems
with simple constraints, 1982).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Problem
from gdmix.glm.passes import full_width, multiply_some
from gdmix.glm.penalties import Penalty
from gdmix.glm.search import evaluate, search
from gdmix.glm.secant import find_secant_step, form_of_some, learn, remember, share_of_rows
from gdmix.glm.steps import ALL, FIRST, PAIRS, Work, find_step, norm
from gdmix.jit import inlined_kernel, inner_kernel

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16
# what a step by a Hessian of some rows should make of the gradient, and how many there are
_SLOW, _MOST_SECANT = 0.5, 40

# numba reads these as constants; they are Status values
_CONVERGED, _ITERATION_LIMIT, _NO_PROGRESS, _NOT_FINITE, _BOUNDED = 0, 1, 2, 3, 4


@inlined_kernel
def solve_single(
    loss: Loss,
    rows: Block,
    offset: Floats,
    problem: Problem,
    penalty: Penalty,
    b: Floats,
    margin: Floats,
    work: Work,
    used: int,
) -> tuple[int, int, float, float]:
    """Solve one entity from `b`; `used` iterations count already.

    Returns status, iterations, relative norm of the gradient, and objective.
    """
    intercept, bound, n, d = problem.intercept, problem.bound, len(offset), len(b)
    free = intercept == 1 and penalty.precision[0] == 0.0
    if free:
        b[0] = min(max(b[0], -bound), bound)
    gradient, step, slope = work.vectors[0, :d], work.vectors[1, :d], work.margins[0, :n]
    full = full_width(rows, d - intercept)
    reference, noise = _scale_at_zero(loss, rows, full, offset, intercept, gradient, step, slope)
    multiply_some(rows, full, FIRST, n, b, intercept, margin)
    for i in range(n):
        margin[i] += offset[i]
    value = evaluate(loss, rows, full, penalty, intercept, b, margin, gradient, slope)
    # an infinite margin on its label's side has a finite loss, and is wrong all the same
    steep, far = norm(gradient), norm(margin)
    if not (math.isfinite(value) and steep < math.inf and far < math.inf):
        return _NOT_FINITE, used, math.inf, value
    # no gradient can be told from zero below the rounding of its own terms
    target = max(problem.tolerance * reference, 64.0 * _EPS * max(noise, norm(gradient)))
    status, iterations = _ITERATION_LIMIT, used
    size, promise = math.inf, math.inf
    every, pairs = share_of_rows(rows, d), PAIRS
    while True:
        at_bound = free and abs(b[0]) >= bound
        pinned = at_bound and gradient[0] * b[0] < 0.0
        if pinned:
            gradient[0] = 0.0
        previous, size = size, norm(gradient)
        rounding = 64.0 * _EPS * abs(value)
        stalled = promise <= rounding and size > 0.5 * previous
        if every > 1 and (stalled or at_bound):
            # a secant step need not halve the gradient where Newton's would: no proof of rounding
            every, stalled = ALL, False
        if size <= target or stalled:
            status = _CONVERGED
            break
        if iterations == problem.max_iterations:
            break
        iterations += 1
        if every > 1:
            if pairs == PAIRS or size > _SLOW * previous:
                form_of_some(loss, rows, penalty, intercept, every, gradient, margin, work)
                pairs = FIRST
            find_secant_step(gradient, pairs, work)
            remember(b, gradient, pairs, work)
        else:
            kernels.curvature(loss, rows, FIRST, n, margin, work.margins[1])
        while every == 1:
            find_step(rows, penalty, intercept, pinned, gradient, size / max(reference, size), work)
            if pinned or not at_bound or step[0] * b[0] <= 0.0:
                break
            # the other coefficients would push the intercept past its bound: hold it
            pinned, gradient[0] = True, 0.0
        multiply_some(rows, full, FIRST, n, step, intercept, slope)
        longest = 1.0
        if free and abs(b[0] + step[0]) > bound:
            longest = (math.copysign(bound, step[0]) - b[0]) / step[0]
        promise, length, value = search(
            loss, rows, full, penalty, intercept, b, margin, value, longest, work
        )
        if length == 0.0:
            if every > 1:
                # by Newton's own steps, then
                every, promise = ALL, math.inf
                value = evaluate(loss, rows, full, penalty, intercept, b, margin, gradient, slope)
                continue
            status = _CONVERGED if promise <= rounding else _NO_PROGRESS
            break
        if length == longest and longest < 1.0:
            b[0] = math.copysign(bound, step[0])
        if every > 1:
            pairs = learn(b, gradient, pairs, work)
            if iterations - used > _MOST_SECANT:
                every = ALL
    if pinned and status == _CONVERGED:
        status = _BOUNDED
    return status, iterations, size / reference if reference > 0.0 else 0.0, value


@inner_kernel
def _scale_at_zero(
    loss: Loss,
    rows: Block,
    full: int,
    offset: Floats,
    intercept: int,
    gradient: Floats,
    size: Floats,
    slope: Floats,
) -> tuple[float, float]:
    """Norm of the gradient at zero coefficients, and of the sum of its terms' absolute values."""
    n = len(offset)
    gradient[:] = 0.0
    size[:] = 0.0
    for i in range(n):
        slope[i] = offset[i]
    kernels.slopes(loss, rows, FIRST, n, slope)
    features, sizes = gradient[intercept:], size[intercept:]
    for i in range(n):
        times = slope[i]
        if intercept:
            gradient[0] += times
            size[0] += abs(times)
        if full:
            row = rows.values[rows.indptr[i] : rows.indptr[i + 1]]
            for k in range(full):
                features[k] += times * row[k]
                sizes[k] += abs(times * row[k])
        else:
            for k in range(np.uint64(rows.indptr[i]), np.uint64(rows.indptr[i + 1])):
                term = times * rows.values[k]
                features[np.uint32(rows.indices[k])] += term
                sizes[np.uint32(rows.indices[k])] += abs(term)
    return norm(gradient), norm(size)
