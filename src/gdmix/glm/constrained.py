"""Many small problems with L1 terms, bounds or centred features: the twin of `groups`.

Newton's method with a quadratic model of the loss, the L1 terms and the bounds kept exact (Lee,
Sun and Saunders, Proximal Newton-type methods for minimizing composite functions, 2014; the line
search is that of Tseng and Yun, 2009). A model whose step proves too long is damped (Levenberg
and Marquardt), which a loss without curvature needs.

Inside, the intercept counts at the shift of the features: ``b_0 + shift . b``, the intercept of
centred features. All else stays sparse; gradient and Hessian are transformed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.centred import evaluate, form, margins, penalty_value, scale_at_zero
from gdmix.glm.constrained_search import search
from gdmix.glm.constrained_work import Scratch
from gdmix.glm.groups import Outcome, Problem
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.model_dense import minimize_dense
from gdmix.glm.model_sparse import Wide, by_column, minimize_sparse
from gdmix.glm.penalties import Penalty
from gdmix.glm.steps import DENSE_LIMIT, FIRST
from gdmix.glm.subgradient import Edges, violation
from gdmix.jit import inlined_kernel, inner_kernel, kernel

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16
_LEAST_DAMPING, _FIRST_DAMPING, _MOST_DAMPING = 1e-12, 1e-4, 1e8

# numba reads these as constants; they are Status values
_CONVERGED, _ITERATION_LIMIT, _NO_PROGRESS, _NOT_FINITE, _BOUNDED = 0, 1, 2, 3, 4


@kernel
def solve_constrained_entities(
    loss: Loss,
    block: Block,
    offset: Floats,
    row_ptr: NDArray[np.int64],
    coefficient_ptr: NDArray[np.int64],
    first: int,
    last: int,
    problem: Problem,
    penalty: Penalty,
    shift: Floats,
    coefficients: Floats,
    margin: Floats,
    outcome: Outcome,
) -> None:
    """Solve entities ``first`` to ``last``; all output arrays are written in place.

    Parameters
    ----------
    loss, block, offset, row_ptr, coefficient_ptr, first, last, problem
        As `groups.solve_entities` takes them. The outcome's gradient is the norm of the least
        subgradient within the bounds, relative to the loss's gradient at zero coefficients.
    penalty : Penalty
        Of the coefficients of entities ``first`` to ``last``, one after the other. An intercept
        without any penalty stays within ``problem.bound`` where it has no bound of its own.
    shift : float64
        As long as the penalty's arrays, 0 at intercepts. The intercept's penalty and bounds hold
        for ``b_0 + shift . b``.
    coefficients, margin, outcome
        As `groups.solve_entities` writes them.
    """
    most_rows, most = 0, 0
    for e in range(first, last):
        most_rows = max(most_rows, row_ptr[e + 1] - row_ptr[e])
        most = max(most, coefficient_ptr[e + 1] - coefficient_ptr[e])
    dense = min(most, DENSE_LIMIT)
    work = Scratch(
        np.empty((6, most)),
        np.empty((9, most)),
        np.empty((4, most_rows)),
        np.empty((dense, dense)),
        np.empty((dense, dense)),
        np.empty(most, np.int64),
    )
    for e in range(first, last):
        start, stop = row_ptr[e], row_ptr[e + 1]
        rows = Block(
            block.indptr[start : stop + 1],
            block.indices,
            block.values,
            block.label[start:stop],
            block.weight[start:stop],
        )
        solution = coefficients[coefficient_ptr[e] : coefficient_ptr[e + 1]]
        own = slice(
            coefficient_ptr[e] - coefficient_ptr[first],
            coefficient_ptr[e + 1] - coefficient_ptr[first],
        )
        mine = Penalty(
            penalty.precision[own],
            penalty.mean[own],
            penalty.l1[own],
            penalty.lower[own],
            penalty.upper[own],
        )
        status, iterations, gradient, objective, penalized = _solve(
            loss,
            rows,
            offset[start:stop],
            problem,
            mine,
            shift[own],
            solution,
            margin[start:stop],
            work,
        )
        outcome.penalty[e] = penalized
        outcome.status[e] = status
        outcome.iterations[e] = iterations
        outcome.gradient[e] = gradient
        outcome.objective[e] = objective


@inlined_kernel
def _solve(
    loss: Loss,
    rows: Block,
    offset: Floats,
    problem: Problem,
    penalty: Penalty,
    shift: Floats,
    b: Floats,
    margin: Floats,
    work: Scratch,
) -> tuple[int, int, float, float, float]:
    intercept, n, d = problem.intercept, len(offset), len(b)
    gradient, step, ahead = work.vectors[0, :d], work.vectors[1, :d], work.vectors[2, :d]
    z, slope = work.inner[0, :d], work.margins[0, :n]
    edges = Edges(penalty.l1, work.vectors[4, :d], work.vectors[5, :d])
    free = _enter(problem, penalty, shift, edges, b)
    reference, noise = scale_at_zero(loss, rows, offset, intercept, shift, work)
    margins(rows, intercept, shift, b, margin)
    for i in range(n):
        margin[i] += offset[i]
    value = evaluate(loss, rows, penalty, intercept, shift, b, margin, gradient)
    far = 0.0
    for i in range(n):
        far += margin[i] * margin[i]
    steep = violation(edges, gradient, b)
    status, iterations = _ITERATION_LIMIT, 0
    size, promise, damping = math.inf, math.inf, _LEAST_DAMPING
    # no gradient can be told from zero below the rounding of its own terms
    target = max(problem.tolerance * reference, 64.0 * _EPS * max(noise, steep))
    if not (math.isfinite(value) and steep < math.inf and far < math.inf):
        status = _NOT_FINITE
    wide = d > DENSE_LIMIT and status != _NOT_FINITE
    indptr, at, values = by_column(rows, d - intercept if wide else 0)
    while status != _NOT_FINITE:
        previous, size = size, violation(edges, gradient, b)
        rounding = 64.0 * _EPS * abs(value)
        if size <= target or (promise <= rounding and size > 0.5 * previous):
            status = _CONVERGED
            break
        if iterations == problem.max_iterations:
            break
        iterations += 1
        kernels.curvature(loss, rows, FIRST, n, margin, work.margins[1])
        progress = size / max(reference, size)
        for j in range(d):
            # what the model adds to the diagonal of the loss's Hessian
            ridge = penalty.precision[j] + damping * work.vectors[3, j]
            # a column of zeros without a penalty: any curvature will do
            ahead[j] = ridge if ridge > 0.0 else 1.0
        if d <= DENSE_LIMIT:
            form(rows, intercept, shift, work)
            minimize_dense(
                edges,
                work.hessian,
                gradient,
                b,
                min(0.1, progress) * size,
                work.factor,
                work.inner,
                work.free,
            )
        else:
            minimize_sparse(
                edges,
                Wide(rows, indptr, at, values, work.margins[1, :n], ahead, shift, intercept),
                gradient,
                b,
                min(0.1, math.sqrt(progress)) * size,
                work.inner,
                work.margins[3, :n],
                work.free,
            )
        promise = 0.0
        for j in range(d):
            step[j] = z[j] - b[j]
            promise -= gradient[j] * step[j] + penalty.l1[j] * (abs(z[j]) - abs(b[j]))
        margins(rows, intercept, shift, step, slope)
        length, value = search(
            loss, rows, penalty, intercept, shift, b, margin, value, promise, work
        )
        if length == 0.0:
            if promise <= rounding:
                status = _CONVERGED
                break
            if damping >= _MOST_DAMPING:
                status = _NO_PROGRESS
                break
            value = evaluate(loss, rows, penalty, intercept, shift, b, margin, gradient)
        if length < 0.25:
            damping = max(10.0 * damping, _FIRST_DAMPING)
        elif length == 1.0:
            damping = 0.1 * damping if damping > _FIRST_DAMPING else _LEAST_DAMPING
    size = violation(edges, gradient, b)
    if free and status == _CONVERGED and _held(penalty, edges, gradient[0], b[0]):
        status = _BOUNDED
    penalized = penalty_value(penalty, b)
    if intercept:
        for j in range(1, d):
            b[0] -= shift[j] * b[j]
    return status, iterations, size / reference if reference > 0.0 else 0.0, value, penalized


@inner_kernel
def _enter(problem: Problem, penalty: Penalty, shift: Floats, edges: Edges, b: Floats) -> bool:
    """Write the bounds, and the starting point within them; tell whether the intercept is free."""
    d = len(b)
    for j in range(d):
        edges.lower[j] = penalty.lower[j]
        edges.upper[j] = penalty.upper[j]
    free = False
    if problem.intercept:
        free = penalty.precision[0] == 0.0 and penalty.l1[0] == 0.0
        for j in range(1, d):
            b[0] += shift[j] * b[j]
    if free:
        if edges.lower[0] == -math.inf:
            edges.lower[0] = min(-problem.bound, edges.upper[0])
        if edges.upper[0] == math.inf:
            edges.upper[0] = max(problem.bound, edges.lower[0])
    for j in range(d):
        b[j] = min(max(b[j], edges.lower[j]), edges.upper[j])
    return free


@inner_kernel
def _held(penalty: Penalty, edges: Edges, slope: float, b: float) -> bool:
    """Tell whether a free intercept would go on but for a bound that nobody asked for."""
    below = b == edges.lower[0] and penalty.lower[0] == -math.inf and slope > 0.0
    above = b == edges.upper[0] and penalty.upper[0] == math.inf and slope < 0.0
    return below or above
