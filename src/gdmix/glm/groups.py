"""Many small problems: one call solves a run of entities, each by Newton's method to tolerance.

With few coefficients the Newton system is solved by Cholesky factorization, else by conjugate
gradients (truncated Newton; Nocedal and Wright, Numerical Optimization, 2006, section 7.1).
Steps are damped by backtracking until the objective falls enough (section 3.1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Ridge, ridge_weight
from gdmix.jit import kernel

Floats = NDArray[np.float64]

DENSE_LIMIT = 256
"""Most coefficients for which an entity's Hessian is formed and factorized."""

_EPS = 2.220446049250313e-16
_ARMIJO = 1e-4

# numba reads these as constants; they are Status values
_CONVERGED, _ITERATION_LIMIT, _NO_PROGRESS, _NOT_FINITE, _BOUNDED = 0, 1, 2, 3, 4


class Problem(NamedTuple):
    """What all entities of a random effect share.

    Attributes
    ----------
    penalty : Ridge
    bound : float
        Largest absolute value of an unpenalized intercept.
    tolerance : float
        Stop when the gradient's norm is below this times its norm at zero coefficients.
    max_iterations : int
    """

    penalty: Ridge
    bound: float
    tolerance: float
    max_iterations: int


class Outcome(NamedTuple):
    """One value for every entity.

    Attributes
    ----------
    status : int8[entities]
        A `Status`.
    iterations : int32[entities]
    gradient : float64[entities]
        Norm of the gradient at the end, relative to that at zero coefficients.
    objective : float64[entities]
        Weighted loss plus penalty.
    """

    status: NDArray[np.int8]
    iterations: NDArray[np.int32]
    gradient: Floats
    objective: Floats


class _Work(NamedTuple):
    """Scratch of one thread, as large as its largest entity needs."""

    gradient: Floats
    step: Floats
    residual: Floats
    conjugate: Floats
    product: Floats
    diagonal: Floats
    hessian: Floats
    curve: Floats
    slope: Floats


@kernel
def solve_entities(
    loss: Loss,
    block: Block,
    offset: Floats,
    row_ptr: NDArray[np.int64],
    coefficient_ptr: NDArray[np.int64],
    first: int,
    last: int,
    problem: Problem,
    coefficients: Floats,
    margin: Floats,
    outcome: Outcome,
) -> None:
    """Solve entities ``first`` to ``last``; all output arrays are written in place.

    Parameters
    ----------
    loss : Loss
    block : Block
        Rows in entity order, features numbered within each entity.
    offset : float64[rows]
        The score of everything else.
    row_ptr, coefficient_ptr : int64[entities + 1]
        Where each entity's rows and coefficients lie.
    first, last : int
        The run of entities to solve.
    problem : Problem
    coefficients : float64[coefficient_ptr[-1]]
        On entry the starting point, on return the solution; the intercept comes first.
    margin : float64[rows]
        On return offset plus own score.
    outcome : Outcome
    """
    most_rows, most = 0, 0
    for e in range(first, last):
        most_rows = max(most_rows, row_ptr[e + 1] - row_ptr[e])
        most = max(most, coefficient_ptr[e + 1] - coefficient_ptr[e])
    dense = min(most, DENSE_LIMIT)
    work = _Work(
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty(most),
        np.empty((dense, dense)),
        np.empty(most_rows),
        np.empty(most_rows),
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
        status, iterations, gradient, objective = _solve(
            loss, rows, offset[start:stop], problem, solution, margin[start:stop], work
        )
        outcome.status[e] = status
        outcome.iterations[e] = iterations
        outcome.gradient[e] = gradient
        outcome.objective[e] = objective


@kernel
def _solve(
    loss: Loss,
    rows: Block,
    offset: Floats,
    problem: Problem,
    b: Floats,
    margin: Floats,
    work: _Work,
) -> tuple[int, int, float, float]:
    n, d = len(offset), len(b)
    intercept = problem.penalty.intercept
    free_intercept = intercept == 1 and problem.penalty.intercept_l2 == 0.0
    gradient, step = work.gradient[:d], work.step[:d]
    reference, noise = _scale_at_zero(loss, rows, offset, problem, gradient, step)
    target = max(problem.tolerance * reference, 64.0 * _EPS * noise)

    kernels.multiply(rows, 0, n, b, intercept, margin)
    for i in range(n):
        margin[i] += offset[i]
    value = _evaluate(loss, rows, problem, b, margin, gradient)
    if not math.isfinite(value):
        return _NOT_FINITE, 0, math.inf, value
    status = _ITERATION_LIMIT
    iterations = 0
    pinned = False
    size = 0.0
    while True:
        pinned = free_intercept and abs(b[0]) >= problem.bound and gradient[0] * b[0] < 0.0
        if pinned:
            gradient[0] = 0.0
        size = _norm(gradient)
        if size <= target:
            status = _CONVERGED
            break
        if iterations == problem.max_iterations:
            break
        iterations += 1
        kernels.curvature(loss, rows, 0, n, margin, work.curve)
        _step(rows, problem, pinned, gradient, step, size, reference, work)
        if free_intercept and abs(b[0]) >= problem.bound and step[0] * b[0] > 0.0:
            # the other coefficients would push the intercept past its bound: hold it
            gradient[0] = 0.0
            _step(rows, problem, True, gradient, step, size, reference, work)
        longest = 1.0
        if free_intercept and abs(b[0] + step[0]) > problem.bound:
            longest = (math.copysign(problem.bound, step[0]) - b[0]) / step[0]
        kernels.multiply(rows, 0, n, step, intercept, work.slope)
        length = _line_search(
            loss, rows, problem, b, margin, gradient, step, work.slope, value, longest
        )
        if length == 0.0:
            status = _NO_PROGRESS
            break
        for j in range(d):
            b[j] += length * step[j]
        if length == longest and longest < 1.0:
            b[0] = math.copysign(problem.bound, step[0])
        for i in range(n):
            margin[i] += length * work.slope[i]
        value = _evaluate(loss, rows, problem, b, margin, gradient)
    if pinned and status == _CONVERGED:
        status = _BOUNDED
    return status, iterations, size / reference if reference > 0.0 else 0.0, value


@kernel
def _scale_at_zero(
    loss: Loss, rows: Block, offset: Floats, problem: Problem, gradient: Floats, size: Floats
) -> tuple[float, float]:
    """Norm of the gradient at zero coefficients, and of the sum of its terms' absolute values."""
    gradient[:] = 0.0
    size[:] = 0.0
    intercept = problem.penalty.intercept
    for i in range(len(offset)):
        slope = rows.weight[i] * loss.d1(offset[i], rows.label[i])
        if intercept:
            gradient[0] += slope
            size[0] += abs(slope)
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            term = slope * rows.values[k]
            gradient[intercept + rows.indices[k]] += term
            size[intercept + rows.indices[k]] += abs(term)
    return _norm(gradient), _norm(size)


@kernel
def _evaluate(
    loss: Loss, rows: Block, problem: Problem, b: Floats, margin: Floats, gradient: Floats
) -> float:
    """Objective and gradient at `margin`."""
    gradient[:] = 0.0
    value = kernels.value_and_gradient(
        loss, rows, 0, len(margin), margin, problem.penalty.intercept, gradient
    )
    for j in range(len(b)):
        l2 = ridge_weight(problem.penalty, j)
        value += 0.5 * l2 * b[j] * b[j]
        gradient[j] += l2 * b[j]
    return value


@kernel
def _step(
    rows: Block,
    problem: Problem,
    pinned: bool,
    gradient: Floats,
    step: Floats,
    size: float,
    reference: float,
    work: _Work,
) -> None:
    """Write the Newton step to `step`; a pinned intercept does not move."""
    if len(gradient) <= DENSE_LIMIT:
        _newton_step(rows, problem, pinned, gradient, step, work)
    else:
        _truncated_step(rows, problem, pinned, gradient, step, size, reference, work)
    if pinned:
        step[0] = 0.0


@kernel
def _newton_step(
    rows: Block, problem: Problem, pinned: bool, gradient: Floats, step: Floats, work: _Work
) -> None:
    """Solve ``H step = -gradient`` by Cholesky factorization."""
    d = len(gradient)
    h = work.hessian
    h[:d, :d] = 0.0
    kernels.hessian(rows, 0, len(rows.label), work.curve, problem.penalty.intercept, h)
    largest = 0.0
    for j in range(d):
        h[j, j] += ridge_weight(problem.penalty, j)
        largest = max(largest, h[j, j])
    if pinned:
        for j in range(1, d):
            h[j, 0] = 0.0
        h[0, 0] = 1.0
    smallest = max(largest, 1e-300) * 1e-14
    for i in range(d):
        for j in range(i):
            total = h[i, j]
            for k in range(j):
                total -= h[i, k] * h[j, k]
            h[i, j] = total / h[j, j]
        total = h[i, i]
        for k in range(i):
            total -= h[i, k] * h[i, k]
        # a direction without curvature gets a little, so that the step stays finite
        h[i, i] = math.sqrt(max(total, smallest))
    for j in range(d):
        total = -gradient[j]
        for k in range(j):
            total -= h[j, k] * step[k]
        step[j] = total / h[j, j]
    for j in range(d - 1, -1, -1):
        total = step[j]
        for k in range(j + 1, d):
            total -= h[k, j] * step[k]
        step[j] = total / h[j, j]


@kernel
def _truncated_step(
    rows: Block,
    problem: Problem,
    pinned: bool,
    gradient: Floats,
    step: Floats,
    size: float,
    reference: float,
    work: _Work,
) -> None:
    """Solve ``H step = -gradient`` by preconditioned conjugate gradients, as far as is useful."""
    n, d, intercept = len(rows.label), len(gradient), problem.penalty.intercept
    r, p, hp, diagonal = work.residual[:d], work.conjugate[:d], work.product[:d], work.diagonal[:d]
    for j in range(d):
        diagonal[j] = ridge_weight(problem.penalty, j)
    kernels.hessian_diagonal(rows, 0, n, work.curve, intercept, diagonal)
    rz = 0.0
    for j in range(d):
        diagonal[j] = diagonal[j] if diagonal[j] > 0.0 else 1.0
        step[j] = 0.0
        r[j] = -gradient[j]
        p[j] = r[j] / diagonal[j]
        rz += r[j] * p[j]
    enough = min(0.1, math.sqrt(size / reference)) * size if reference > 0.0 else 0.1 * size
    for _ in range(d):
        hp[:] = 0.0
        kernels.hessian_vector(rows, 0, n, work.curve, p, intercept, hp)
        php = 0.0
        for j in range(d):
            hp[j] += ridge_weight(problem.penalty, j) * p[j]
        if pinned:
            hp[0] = 0.0
        for j in range(d):
            php += p[j] * hp[j]
        if php <= 0.0:
            break
        alpha = rz / php
        rr, next_rz = 0.0, 0.0
        for j in range(d):
            step[j] += alpha * p[j]
            r[j] -= alpha * hp[j]
            rr += r[j] * r[j]
            next_rz += r[j] * r[j] / diagonal[j]
        if math.sqrt(rr) <= enough:
            break
        for j in range(d):
            p[j] = r[j] / diagonal[j] + next_rz / rz * p[j]
        rz = next_rz


@kernel
def _line_search(
    loss: Loss,
    rows: Block,
    problem: Problem,
    b: Floats,
    margin: Floats,
    gradient: Floats,
    step: Floats,
    slope: Floats,
    value: float,
    longest: float,
) -> float:
    """Halve the step until the objective falls enough; 0 when it does not."""
    n = len(margin)
    descent, linear, quadratic = 0.0, 0.0, 0.0
    for j in range(len(b)):
        l2 = ridge_weight(problem.penalty, j)
        descent += gradient[j] * step[j]
        linear += l2 * b[j] * step[j]
        quadratic += 0.5 * l2 * step[j] * step[j]
    at_zero = kernels.value_along(loss, rows, 0, n, margin, slope, 0.0)
    # a decrease that rounding hides counts as one: Newton steps near the optimum are right
    slack = 16.0 * _EPS * abs(value)
    length = longest
    for _ in range(60):
        change = kernels.value_along(loss, rows, 0, n, margin, slope, length) - at_zero
        change += length * linear + length * length * quadratic
        if change <= _ARMIJO * length * descent + slack:
            return length
        length *= 0.5
    return 0.0


@kernel
def _norm(vector: Floats) -> float:
    total = 0.0
    for value in vector:
        total += value * value
    return math.sqrt(total)
