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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
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
_ARMIJO = 1e-4
_MOST_HALVINGS = 60
_LEAST_DAMPING, _FIRST_DAMPING, _MOST_DAMPING = 1e-12, 1e-4, 1e8

# numba reads these as constants; they are Status values
_CONVERGED, _ITERATION_LIMIT, _NO_PROGRESS, _NOT_FINITE, _BOUNDED = 0, 1, 2, 3, 4


class Scratch(NamedTuple):
    """Scratch of one thread, as large as its largest entity needs.

    Attributes
    ----------
    vectors : float64[6, coefficients]
        Gradient, step, next coefficients, scale of the Hessian's diagonal, lower, upper.
    inner : float64[9, coefficients]
        Of the model; its first row becomes the model's minimum.
    margins : float64[4, rows]
        Slope of the margins along the step, curvature, next margins, margins of the model.
    hessian, factor : float64[dense, dense]
    free : int64[coefficients]
    """

    vectors: Floats
    inner: Floats
    margins: Floats
    hessian: Floats
    factor: Floats
    free: NDArray[np.int64]


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
    reference, noise = _scale_at_zero(loss, rows, offset, intercept, shift, work)
    _margins(rows, intercept, shift, b, margin)
    for i in range(n):
        margin[i] += offset[i]
    value = _evaluate(loss, rows, penalty, intercept, shift, b, margin, gradient)
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
            _form(rows, intercept, shift, work)
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
        _margins(rows, intercept, shift, step, slope)
        length, value = _search(
            loss, rows, penalty, intercept, shift, b, margin, value, promise, work
        )
        if length == 0.0:
            if promise <= rounding:
                status = _CONVERGED
                break
            if damping >= _MOST_DAMPING:
                status = _NO_PROGRESS
                break
            value = _evaluate(loss, rows, penalty, intercept, shift, b, margin, gradient)
        if length < 0.25:
            damping = max(10.0 * damping, _FIRST_DAMPING)
        elif length == 1.0:
            damping = 0.1 * damping if damping > _FIRST_DAMPING else _LEAST_DAMPING
    size = violation(edges, gradient, b)
    if free and status == _CONVERGED and _held(penalty, edges, gradient[0], b[0]):
        status = _BOUNDED
    penalized = _penalty(penalty, b)
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


@inner_kernel
def _scale_at_zero(
    loss: Loss, rows: Block, offset: Floats, intercept: int, shift: Floats, work: Scratch
) -> tuple[float, float]:
    """Norm of the loss's gradient at zero, and of the sum of its terms' absolute values.

    Writes the sums of the squared features, which bound the Hessian's diagonal.
    """
    d = len(shift)
    gradient, noise, square = work.vectors[0, :d], work.vectors[1, :d], work.vectors[3, :d]
    total, absolute, weight = 0.0, 0.0, 0.0
    for j in range(d):
        gradient[j] = noise[j] = square[j] = 0.0
    for i in range(len(offset)):
        slope = rows.weight[i] * loss.d1(offset[i], rows.label[i])
        total += slope
        absolute += abs(slope)
        weight += rows.weight[i]
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            j = intercept + rows.indices[k]
            gradient[j] += slope * rows.values[k]
            noise[j] += abs(slope * rows.values[k])
            square[j] += rows.weight[i] * rows.values[k] * rows.values[k]
    if intercept:
        gradient[0], noise[0], square[0] = total, absolute, weight
    norm, rounding = 0.0, 0.0
    for j in range(d):
        at_shift = gradient[j] - shift[j] * total
        norm += at_shift * at_shift
        rounding += (noise[j] + abs(shift[j]) * absolute) ** 2
        square[j] += shift[j] * shift[j] * weight
    return math.sqrt(norm), math.sqrt(rounding)


@inner_kernel
def _margins(rows: Block, intercept: int, shift: Floats, b: Floats, out: Floats) -> None:
    """Write the margins of coefficients of centred features, without the offset."""
    kernels.multiply(rows, FIRST, len(out), b, intercept, out)
    common = 0.0
    for j in range(len(b)):
        common += shift[j] * b[j]
    if common != 0.0:
        for i in range(len(out)):
            out[i] -= common


@inner_kernel
def _penalty(penalty: Penalty, b: Floats) -> float:
    """Return the value of the whole penalty."""
    value = 0.0
    for j in range(len(b)):
        apart = b[j] - penalty.mean[j]
        value += 0.5 * penalty.precision[j] * apart * apart + penalty.l1[j] * abs(b[j])
    return value


@inner_kernel
def _evaluate(
    loss: Loss,
    rows: Block,
    penalty: Penalty,
    intercept: int,
    shift: Floats,
    b: Floats,
    margin: Floats,
    gradient: Floats,
) -> float:
    """Objective, and the gradient of its smooth part."""
    d = len(b)
    for j in range(d):
        gradient[j] = 0.0
    value = kernels.value_and_gradient(loss, rows, FIRST, len(margin), margin, intercept, gradient)
    total = gradient[0] if intercept else 0.0
    for j in range(d):
        gradient[j] += penalty.precision[j] * (b[j] - penalty.mean[j]) - shift[j] * total
    return value + _penalty(penalty, b)


@inner_kernel
def _form(rows: Block, intercept: int, shift: Floats, work: Scratch) -> None:
    """Write the model's Hessian, both triangles."""
    h, d = work.hessian, len(shift)
    for j in range(d):
        for k in range(d):
            h[j, k] = 0.0
    kernels.hessian(rows, FIRST, len(rows.label), work.margins[1], intercept, h)
    if intercept:
        for j in range(1, d):
            for k in range(j, d):
                h[j, k] += shift[j] * shift[k] * h[0, 0] - shift[j] * h[0, k] - shift[k] * h[0, j]
        for j in range(1, d):
            h[0, j] -= shift[j] * h[0, 0]
    for j in range(d):
        h[j, j] = max(h[j, j], 0.0) + work.vectors[2, j]
        for k in range(j):
            h[j, k] = h[k, j]


@inner_kernel
def _search(
    loss: Loss,
    rows: Block,
    penalty: Penalty,
    intercept: int,
    shift: Floats,
    b: Floats,
    margin: Floats,
    value: float,
    promise: float,
    work: Scratch,
) -> tuple[float, float]:
    """Halve the step until the objective falls enough, and take it.

    Returns the step's length (0 when none was good) and the objective. The gradient is that at
    the last point tried.
    """
    n, d = len(margin), len(b)
    gradient, step, ahead = work.vectors[0, :d], work.vectors[1, :d], work.vectors[2, :d]
    z, slope, there = work.inner[0, :d], work.margins[0, :n], work.margins[2, :n]
    # a decrease that rounding hides counts as one: Newton steps near the optimum are right
    slack = 16.0 * _EPS * abs(value)
    length = 1.0
    for _ in range(_MOST_HALVINGS):
        for j in range(d):
            # a whole step ends at the model's own zeros and bounds, to the bit
            ahead[j] = z[j] if length == 1.0 else b[j] + length * step[j]
        for i in range(n):
            there[i] = margin[i] + length * slope[i]
        found = _evaluate(loss, rows, penalty, intercept, shift, ahead, there, gradient)
        if found - value <= -_ARMIJO * length * promise + slack:
            for j in range(d):
                b[j] = ahead[j]
            for i in range(n):
                margin[i] = there[i]
            return length, found
        length *= 0.5
    return 0.0, value
