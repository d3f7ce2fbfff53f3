"""Newton's method for eight entities at once, in the dual or in the primal.

A lane ends when its entity is solved. An entity that needs care (steps that must be shortened
again and again, an intercept at its bound, numbers that are not finite) leaves its lane as
`PENDING`, for the solver of one entity to finish.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, copy_penalty, own_margin, ridge
from gdmix.glm.lane_dual import direct_dual, measure_dual, scatter_dual, take_dual
from gdmix.glm.lane_primal import direct_primal, measure_primal, scatter_primal, take_primal
from gdmix.glm.lane_start import begin, gather, shape
from gdmix.glm.lane_trial import evaluate, leaves
from gdmix.glm.lane_work import CLOSED, OPEN, PENDING, Progress, Scratch, Sheet
from gdmix.glm.lanes import LANES
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Outcome, Problem
from gdmix.jit import inlined_kernel, inner_kernel

Integers = NDArray[np.int64]

# Status values; numba compiles for each plain integer once more
_CONVERGED, _ITERATION_LIMIT = np.int64(0), np.int64(1)
_EPS = 2.220446049250313e-16
_ARMIJO = 1e-4
_MOST_HALVINGS = 20


@inlined_kernel
def solve_lanes(
    loss: Loss,
    entities: Entities,
    problem: Problem,
    chosen: Integers,
    dual: bool,
    sheet: Sheet,
    own: Progress,
    scratch: Scratch,
    outcome: Outcome,
) -> None:
    """Solve the `chosen` entities, at most eight, as far as it goes.

    Writes coefficients, margins and outcome; the status of what is left over is `PENDING`.
    """
    rows, order = shape(entities, chosen, dual)
    gather(entities, chosen, dual, rows, order, sheet, own, scratch)
    size = (rows + 3) // 4 * 4 * LANES
    begin(loss, entities, problem, dual, rows, order, size, sheet, own, scratch)
    while True:
        waiting = _judge(problem, own)
        if waiting > 0:
            if dual:
                direct_dual(order, sheet, own)
            else:
                direct_primal(rows, order, sheet, own)
            for lane in range(LANES):
                own.length[lane] = 1.0
                outside = not dual and leaves(entities, problem, lane, sheet)
                if own.status[lane] == OPEN and (outside or not own.descent[lane] < 0.0):
                    own.status[lane] = PENDING
            for trial in range(_MOST_HALVINGS):
                evaluate(loss, rows, size, dual, order, sheet, own)
                if _shorten(own, trial == _MOST_HALVINGS - 1) == 0:
                    break
        waiting = 0
        for lane in range(LANES):
            if own.status[lane] == OPEN:
                waiting += 1
            elif own.status[lane] != CLOSED:
                _close(entities, lane, dual, sheet, own, scratch, outcome)
        if waiting == 0:
            break
        if dual:
            take_dual(order, sheet, own)
            measure_dual(entities, order, sheet, own, scratch)
        else:
            take_primal(rows, order, sheet, own)
            measure_primal(rows, order, 1.0, sheet, own)


@inner_kernel
def _judge(problem: Problem, own: Progress) -> int:
    """Decide which lanes are done; return how many go on."""
    waiting = 0
    for lane in range(LANES):
        if own.status[lane] != OPEN:
            continue
        small = -own.descent[lane] <= 64.0 * _EPS * abs(own.objective[lane])
        if own.size[lane] <= own.target[lane]:
            own.status[lane] = _CONVERGED
        elif own.used[lane] == problem.max_iterations:
            own.status[lane] = _ITERATION_LIMIT
        elif small and own.size[lane] > 0.5 * own.previous[lane]:
            own.status[lane] = PENDING
        else:
            own.used[lane] += 1
            own.previous[lane] = own.size[lane]
            waiting += 1
    return waiting


@inner_kernel
def _shorten(own: Progress, last: bool) -> int:
    """Halve the steps of lanes that did not fall enough; return how many are to be tried again."""
    waiting = 0
    for lane in range(LANES):
        if own.status[lane] != OPEN:
            continue
        promised = _ARMIJO * own.length[lane] * own.descent[lane]
        slack = 16.0 * _EPS * abs(own.objective[lane])
        if own.trial[lane] - own.objective[lane] <= promised + slack:
            continue
        if own.warm[lane] == 1.0 or last:
            own.status[lane] = PENDING
        else:
            own.length[lane] *= 0.5
            waiting += 1
    return waiting


@inner_kernel
def _close(
    entities: Entities,
    lane: int,
    dual: bool,
    sheet: Sheet,
    own: Progress,
    scratch: Scratch,
    outcome: Outcome,
) -> None:
    """End a lane: write what its entity has reached."""
    e, status = own.entity[lane], own.status[lane]
    own.status[lane] = CLOSED
    if not dual:
        scatter_primal(entities, lane, sheet, own)
    elif own.warm[lane] == 0.0:
        scatter_dual(entities, lane, sheet, own, scratch)
    outcome.status[e] = status
    outcome.iterations[e] = own.used[lane]
    if status != PENDING:
        own_margin(entities, e)
        first = entities.coefficient_ptr[e]
        b = entities.coefficients[first : entities.coefficient_ptr[e + 1]]
        copy_penalty(entities, e, scratch.precision, scratch.mean)
        penalty = ridge(len(b), scratch.precision, scratch.mean, b)
        reference = own.reference[lane]
        outcome.penalty[e] = penalty
        outcome.objective[e] = own.fit[lane] + penalty
        outcome.gradient[e] = own.size[lane] / reference if reference > 0.0 else 0.0
