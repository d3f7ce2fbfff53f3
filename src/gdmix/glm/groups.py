"""Many small problems: one call solves a run of entities, each by Newton's method to tolerance.

Small entities are solved eight at a time, side by side in vector registers, in whichever of the
dual and the primal is less work; the rest one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, copy_penalty, ridge
from gdmix.glm.kernels import Block
from gdmix.glm.lane_newton import solve_lanes
from gdmix.glm.lane_work import PENDING, make_progress, make_scratch, make_sheet
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Outcome, Problem
from gdmix.glm.penalties import Penalty
from gdmix.glm.single import solve_single
from gdmix.glm.steps import DENSE_LIMIT, MARGINS, PAIRS, VECTORS, Work
from gdmix.jit import inner_kernel, kernel

__all__ = ["DENSE_LIMIT", "Outcome", "Problem", "solve_entities"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SINGLE, _PRIMAL, _DUAL = 0, 1, 2

# larger ones would leave lanes idle: a run of entities has too few of them
_MOST_UNKNOWNS, _MOST_NUMBERS = 128, 20000
# eight matrices of so many numbers stay near the processor; beyond, an operation costs more
_NEAR, _FAR = 11000, 2.2


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
        Of the coefficients of entities ``first`` to ``last``, one after the other; an array of
        one number holds for all.
    coefficients : float64[coefficient_ptr[-1]]
        On entry the starting point, on return the solution; the intercept comes first.
    margin : float64[rows]
        On return offset plus own score.
    outcome : Outcome
    """
    if first == last:
        return
    where = (row_ptr, coefficient_ptr, int(coefficient_ptr[first]), problem.intercept)
    entities = Entities(block, offset, *where, penalty, coefficients, margin)
    outcome.status[first:last] = PENDING
    outcome.iterations[first:last] = 0
    for solve in SOLVERS:
        solve(loss, entities, problem, first, last, outcome)


@inner_kernel
def _way(entities: Entities, e: int) -> int:
    """Tell how to solve an entity, from its own size alone."""
    start, stop = entities.row_ptr[e], entities.row_ptr[e + 1]
    at = entities.coefficient_ptr[e] - entities.origin
    rows = float(stop - start)
    size = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
    order = float(size)
    nnz = float(entities.block.indptr[stop] - entities.block.indptr[start])
    precision = entities.penalty.precision
    least = precision[0] if len(precision) else 0.0
    if len(precision) > 1:
        least = np.inf
        for j in range(size):
            least = min(least, precision[at + j])
    # multiplications of an iteration, by eight where they are vector code
    formed = min(0.75 * nnz * nnz / max(rows, 1.0), rows * order**2 / 16.0)
    single = 5.0 * nnz + formed + order**3 / 12.0 + 300.0
    if order > DENSE_LIMIT:
        single = 30.0 * nnz + 15000.0
    dual = (rows**3 / 6.0 + 4.0 * rows**2) / 8.0 + 0.2 * nnz * nnz / max(order, 1.0)
    primal = (rows * order**2 / 2.0 + order**3 / 6.0 + 4.0 * rows * order) / 8.0
    dual *= _FAR if rows * rows > _NEAR else 1.0
    primal *= _FAR if rows * order > _NEAR else 1.0
    if rows == 0.0 or rows > _MOST_UNKNOWNS or not least > 0.0:
        dual = np.inf
    if rows == 0.0 or order > _MOST_UNKNOWNS or order == 0.0 or rows * order > _MOST_NUMBERS:
        primal = np.inf
    if single <= min(dual, primal):
        return _SINGLE
    return _DUAL if dual <= primal else _PRIMAL


@kernel
def _solve_small(
    loss: Loss, entities: Entities, problem: Problem, first: int, last: int, outcome: Outcome
) -> None:
    """Solve entities eight by eight, those of a size together."""
    ways = np.empty(last - first, np.int64)
    for e in range(first, last):
        ways[e - first] = _way(entities, e)
    chosen = _by_size(entities, first, ways)
    rows, unknowns, product, coefficients, nnz = 0, 0, 0, 1, 1
    for e in chosen:
        n = entities.row_ptr[e + 1] - entities.row_ptr[e]
        d = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
        indptr = entities.block.indptr
        order = (n if ways[e - first] == _DUAL else d) + 1
        rows, unknowns = max(rows, n + 4), max(unknowns, order)
        product = max(product, (n + 1) * order)
        coefficients = max(coefficients, d)
        nnz = max(nnz, indptr[entities.row_ptr[e + 1]] - indptr[entities.row_ptr[e]])
    sheet, own = make_sheet(rows, unknowns, product), make_progress()
    scratch = make_scratch(coefficients, nnz)
    begin = 0
    while begin < len(chosen):
        way = ways[chosen[begin] - first]
        end, longest, widest = begin, 0, 0
        while end < min(begin + 8, len(chosen)) and ways[chosen[end] - first] == way:
            e = chosen[end]
            n = entities.row_ptr[e + 1] - entities.row_ptr[e]
            d = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
            longest, widest = max(longest, n + 1), max(widest, (n if way == _DUAL else d) + 1)
            # of neighbours, one may be long and the other wide: not both in one sheet, then
            if end > begin and longest * widest > product:
                break
            end += 1
        now = chosen[begin:end]
        solve_lanes(loss, entities, problem, now, way == _DUAL, sheet, own, scratch, outcome)
        begin = end


@inner_kernel
def _by_size(entities: Entities, first: int, ways: Integers) -> Integers:
    """Return the entities to be solved in lanes: by way, coefficients, then rows."""
    chosen = np.empty(len(ways), np.int64)
    keys = np.empty(len(ways), np.int64)
    count = 0
    for k in range(len(ways)):
        if ways[k] != _SINGLE:
            chosen[count] = first + k
            count += 1
    chosen = chosen[:count]
    for e in chosen:
        keys[e - first] = entities.row_ptr[e + 1] - entities.row_ptr[e]
    chosen = _stable_order(chosen, keys, first)
    for e in chosen:
        d = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
        keys[e - first] = 0 if ways[e - first] == _DUAL else d
    return _stable_order(chosen, keys, first)


@inner_kernel
def _stable_order(chosen: Integers, keys: Integers, first: int) -> Integers:
    """Return `chosen` by their keys, small integers."""
    most = 0
    for e in chosen:
        most = max(most, keys[e - first])
    place = np.zeros(most + 2, np.int64)
    for e in chosen:
        place[keys[e - first] + 1] += 1
    for key in range(most):
        place[key + 1] += place[key]
    out = np.empty(len(chosen), np.int64)
    for e in chosen:
        out[place[keys[e - first]]] = e
        place[keys[e - first]] += 1
    return out


@kernel
def _solve_rest(
    loss: Loss, entities: Entities, problem: Problem, first: int, last: int, outcome: Outcome
) -> None:
    """Solve what no lane has solved, one by one."""
    row_ptr, coefficient_ptr = entities.row_ptr, entities.coefficient_ptr
    most_rows, most = 0, 0
    for e in range(first, last):
        if outcome.status[e] == PENDING:
            most_rows = max(most_rows, row_ptr[e + 1] - row_ptr[e])
            most = max(most, coefficient_ptr[e + 1] - coefficient_ptr[e])
    dense = min(most, DENSE_LIMIT)
    work = Work(
        np.empty((VECTORS, most)),
        np.empty((MARGINS, most_rows)),
        np.empty((dense, dense + 1)),
        np.empty((2 * PAIRS, dense)),
    )
    precision, mean = np.empty(most), np.empty(most)
    block = entities.block
    for e in range(first, last):
        if outcome.status[e] != PENDING:
            continue
        start, stop = row_ptr[e], row_ptr[e + 1]
        indptr = block.indptr[start : stop + 1]
        of_rows = (block.label[start:stop], block.weight[start:stop])
        rows = Block(indptr, block.indices, block.values, *of_rows)
        solution = entities.coefficients[coefficient_ptr[e] : coefficient_ptr[e + 1]]
        size = len(solution)
        copy_penalty(entities, e, precision, mean)
        mine = Penalty(precision[:size], mean[:size], mean, mean, mean)
        offset, margin = entities.offset[start:stop], entities.margin[start:stop]
        status, iterations, gradient, objective = solve_single(
            loss, rows, offset, problem, mine, solution, margin, work, outcome.iterations[e]
        )
        outcome.penalty[e] = ridge(size, precision, mean, solution)
        outcome.status[e] = status
        outcome.iterations[e] = iterations
        outcome.gradient[e] = gradient
        outcome.objective[e] = objective


SOLVERS: tuple[Callable[..., None], ...] = (_solve_small, _solve_rest)
"""In turn; two kernels, not one that calls both: a caller's callees are compiled again with it.

The last one alone solves all entities, if not as fast.
"""
