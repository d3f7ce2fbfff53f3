"""Many small problems: one call solves a run of entities, each by Newton's method to tolerance.

An unpenalized intercept stays within its bound: at the bound it is held for as long as the
gradient or the step points outward (Bertsekas, Projected Newton methods for optimization problems
with simple constraints, 1982).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Penalty
from gdmix.glm.search import evaluate, quadratic, search
from gdmix.glm.steps import DENSE_LIMIT, FIRST, MARGINS, VECTORS, Work, find_step, norm
from gdmix.jit import inlined_kernel, inner_kernel, kernel

__all__ = ["DENSE_LIMIT", "Outcome", "Problem", "solve_entities"]

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16

# numba reads these as constants; they are Status values
_CONVERGED, _ITERATION_LIMIT, _NO_PROGRESS, _NOT_FINITE, _BOUNDED = 0, 1, 2, 3, 4


class Problem(NamedTuple):
    """What all entities of a random effect share.

    Attributes
    ----------
    intercept : int
        1 when coefficients begin with an intercept.
    bound : float
        Largest absolute value of an unpenalized intercept.
    tolerance : float
        Stop when the gradient's norm is below this times its norm at zero coefficients.
    max_iterations : int
    """

    intercept: int
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
    penalty : float64[entities]
        The penalty alone.
    """

    status: NDArray[np.int8]
    iterations: NDArray[np.int32]
    gradient: Floats
    objective: Floats
    penalty: Floats


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
    penalty: Penalty,
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
    penalty : Penalty
        Of the coefficients of entities ``first`` to ``last``, one after the other.
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
    work = Work(
        np.empty((VECTORS, most)), np.empty((MARGINS, most_rows)), np.empty((dense, dense + 1))
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
        status, iterations, gradient, objective = _solve(
            loss, rows, offset[start:stop], problem, mine, solution, margin[start:stop], work
        )
        outcome.penalty[e] = quadratic(mine, solution)
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
    b: Floats,
    margin: Floats,
    work: Work,
) -> tuple[int, int, float, float]:
    intercept, bound, n, d = problem.intercept, problem.bound, len(offset), len(b)
    free = intercept == 1 and penalty.precision[0] == 0.0
    if free:
        b[0] = min(max(b[0], -bound), bound)
    gradient, step, slope = work.vectors[0, :d], work.vectors[1, :d], work.margins[0, :n]
    reference, noise = _scale_at_zero(loss, rows, offset, intercept, gradient, step)
    kernels.multiply(rows, FIRST, n, b, intercept, margin)
    for i in range(n):
        margin[i] += offset[i]
    value = evaluate(loss, rows, penalty, intercept, b, margin, gradient)
    # an infinite margin on its label's side has a finite loss, and is wrong all the same
    steep, far = norm(gradient), norm(margin)
    if not (math.isfinite(value) and steep < math.inf and far < math.inf):
        return _NOT_FINITE, 0, math.inf, value
    # no gradient can be told from zero below the rounding of its own terms
    target = max(problem.tolerance * reference, 64.0 * _EPS * max(noise, norm(gradient)))
    status, iterations = _ITERATION_LIMIT, 0
    size, promise = math.inf, math.inf
    while True:
        at_bound = free and abs(b[0]) >= bound
        pinned = at_bound and gradient[0] * b[0] < 0.0
        if pinned:
            gradient[0] = 0.0
        previous, size = size, norm(gradient)
        rounding = 64.0 * _EPS * abs(value)
        if size <= target or (promise <= rounding and size > 0.5 * previous):
            status = _CONVERGED
            break
        if iterations == problem.max_iterations:
            break
        iterations += 1
        kernels.curvature(loss, rows, FIRST, n, margin, work.margins[1])
        while True:
            find_step(rows, penalty, intercept, pinned, gradient, size / max(reference, size), work)
            if pinned or not at_bound or step[0] * b[0] <= 0.0:
                break
            # the other coefficients would push the intercept past its bound: hold it
            pinned, gradient[0] = True, 0.0
        kernels.multiply(rows, FIRST, n, step, intercept, slope)
        longest = 1.0
        if free and abs(b[0] + step[0]) > bound:
            longest = (math.copysign(bound, step[0]) - b[0]) / step[0]
        promise, length, value = search(
            loss, rows, penalty, intercept, b, margin, value, longest, work
        )
        if length == 0.0:
            status = _CONVERGED if promise <= rounding else _NO_PROGRESS
            break
        if length == longest and longest < 1.0:
            b[0] = math.copysign(bound, step[0])
    if pinned and status == _CONVERGED:
        status = _BOUNDED
    return status, iterations, size / reference if reference > 0.0 else 0.0, value


@inner_kernel
def _scale_at_zero(
    loss: Loss, rows: Block, offset: Floats, intercept: int, gradient: Floats, size: Floats
) -> tuple[float, float]:
    """Norm of the gradient at zero coefficients, and of the sum of its terms' absolute values."""
    gradient[:] = 0.0
    size[:] = 0.0
    for i in range(len(offset)):
        slope = rows.weight[i] * loss.d1(offset[i], rows.label[i])
        if intercept:
            gradient[0] += slope
            size[0] += abs(slope)
        for k in range(rows.indptr[i], rows.indptr[i + 1]):
            term = slope * rows.values[k]
            gradient[intercept + rows.indices[k]] += term
            size[intercept + rows.indices[k]] += abs(term)
    return norm(gradient), norm(size)
