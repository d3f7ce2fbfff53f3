"""Newton's method for eight entities at once, in the dual or in the primal.

A lane ends when its entity is solved. An entity that needs care (steps that must be shortened
again and again, an intercept at its bound, numbers that are not finite) leaves its lane as
`PENDING`, for the solver of one entity to finish.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, add_transposed, copy_penalty, own_margin, ridge
from gdmix.glm.lane_algebra import dot
from gdmix.glm.lane_dual import (
    direct_dual,
    gather_dual,
    measure_dual,
    mirror,
    scatter_dual,
    take_dual,
    try_dual,
)
from gdmix.glm.lane_primal import (
    direct_primal,
    gather_primal,
    measure_primal,
    scatter_primal,
    take_primal,
    try_primal,
)
from gdmix.glm.lane_work import Progress, Scratch, Sheet
from gdmix.glm.lanes import LANES, load, splat, store
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Outcome, Problem
from gdmix.jit import inlined_kernel, inner_kernel, ordered_kernel

Integers = NDArray[np.int64]

# what a lane is besides a Status; numba compiles for each plain integer once more
PENDING, _OPEN, _CLOSED = np.int64(-1), np.int64(-2), np.int64(-3)
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
    rows, order = _shape(entities, chosen, dual)
    _gather(entities, chosen, dual, rows, order, sheet, own, scratch)
    size = (rows + 3) // 4 * 4 * LANES
    _begin(loss, entities, problem, dual, rows, order, size, sheet, own, scratch)
    while True:
        waiting = _judge(problem, own)
        if waiting > 0:
            if dual:
                direct_dual(order, sheet, own)
            else:
                direct_primal(rows, order, sheet, own)
            for lane in range(LANES):
                own.length[lane] = 1.0
                outside = not dual and _leaves(entities, problem, lane, sheet)
                if own.status[lane] == _OPEN and (outside or not own.descent[lane] < 0.0):
                    own.status[lane] = PENDING
            for trial in range(_MOST_HALVINGS):
                _evaluate(loss, rows, size, dual, order, sheet, own)
                if _shorten(own, trial == _MOST_HALVINGS - 1) == 0:
                    break
        waiting = 0
        for lane in range(LANES):
            if own.status[lane] == _OPEN:
                waiting += 1
            elif own.status[lane] != _CLOSED:
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
        if own.status[lane] != _OPEN:
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
        if own.status[lane] != _OPEN:
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


@inlined_kernel
def _shape(entities: Entities, chosen: Integers, dual: bool) -> tuple[int, int]:
    """Return an even number of rows and the order that hold all chosen entities."""
    rows, order = 0, 0
    for e in chosen:
        rows = max(rows, entities.row_ptr[e + 1] - entities.row_ptr[e])
        order = max(order, entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e])
    rows += rows % 2
    return rows, rows if dual else order + order % 2


@inlined_kernel
def _gather(
    entities: Entities,
    chosen: Integers,
    dual: bool,
    rows: int,
    order: int,
    sheet: Sheet,
    own: Progress,
    scratch: Scratch,
) -> None:
    """Fill the lanes; what is beyond an entity's own size is zero and stays so."""
    size = (rows + 3) // 4 * 4 * LANES
    for k in range(size):
        sheet.label[k] = sheet.weight[k] = sheet.base[k] = sheet.margin[k] = 0.0
        sheet.own[k] = sheet.move[k] = 0.0
    for k in range(order * LANES):
        sheet.point[k] = sheet.step[k] = sheet.mean[k] = 0.0
        sheet.precision[k] = 1.0
    for k in range(rows * order * LANES):
        sheet.matrix[k] = 0.0
    for lane in range(LANES):
        own.status[lane] = _OPEN if lane < len(chosen) else _CLOSED
        own.used[lane] = own.rows[lane] = 0
        own.warm[lane] = own.energy[lane] = own.scale[lane] = 0.0
    for lane in range(len(chosen)):
        e = chosen[lane]
        own.entity[lane] = e
        own.rows[lane] = entities.row_ptr[e + 1] - entities.row_ptr[e]
        if dual:
            gather_dual(entities, e, lane, order, sheet, own, scratch)
        else:
            gather_primal(entities, e, lane, order, sheet, scratch)
    if dual:
        mirror(sheet.matrix, order)


@inlined_kernel
def _begin(
    loss: Loss,
    entities: Entities,
    problem: Problem,
    dual: bool,
    rows: int,
    order: int,
    size: int,
    sheet: Sheet,
    own: Progress,
    scratch: Scratch,
) -> None:
    """Write objective, gradient and its norm at the start, and its norm at zero coefficients."""
    moved = False
    for k in range(rows):
        for lane in range(LANES):
            sheet.ahead[k * LANES + lane] = sheet.margin[k * LANES + lane]
    for lane in range(LANES):
        if own.status[lane] == _OPEN and (not dual or own.warm[lane] == 1.0):
            start = entities.row_ptr[own.entity[lane]]
            for i in range(own.rows[lane]):
                at = i * LANES + lane
                sheet.ahead[at] = entities.offset[start + i]
                moved |= sheet.ahead[at] != sheet.margin[at]
    weigh(loss, size, sheet)
    if dual:
        _measure_at_zero(entities, sheet, own, scratch)
    else:
        measure_primal(rows, order, 0.0, sheet, own)
        store(own.reference, 0, load(own.size, 0))
    store(own.length, 0, splat(0.0))
    if moved:
        _evaluate(loss, rows, size, dual, order, sheet, own)
    elif dual:
        try_dual(order, sheet, own)
    else:
        try_primal(rows, order, sheet, own)
    if dual:
        measure_dual(entities, order, sheet, own, scratch)
        for lane in range(LANES):
            if own.warm[lane] == 0.0:
                own.reference[lane] = own.size[lane]
            else:
                own.trial[lane] = own.trial_fit[lane] + 0.5 * own.energy[lane]
    else:
        measure_primal(rows, order, 1.0, sheet, own)
    store(own.length, 0, dot(sheet.margin, sheet.margin, rows))
    for lane in range(LANES):
        # an infinite margin on its label's side has a finite loss, and is wrong all the same
        finite = own.trial[lane] < math.inf and own.length[lane] < math.inf
        outside = not dual and _leaves(entities, problem, lane, sheet)
        if own.status[lane] == _OPEN and (outside or not (finite and own.size[lane] < math.inf)):
            own.status[lane] = PENDING
        rounding = 64.0 * _EPS * own.size[lane]
        own.target[lane] = max(own.reference[lane] * problem.tolerance, rounding)
        own.previous[lane], own.descent[lane] = math.inf, -math.inf
        own.objective[lane], own.fit[lane] = own.trial[lane], own.trial_fit[lane]


@inlined_kernel
def _measure_at_zero(entities: Entities, sheet: Sheet, own: Progress, scratch: Scratch) -> None:
    """Write the norm of the gradient of the loss for lanes that do not start at zero."""
    for lane in range(LANES):
        if own.status[lane] == _OPEN and own.warm[lane] == 1.0:
            e = own.entity[lane]
            d = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
            scratch.gradient[:d] = 0.0
            add_transposed(entities, e, sheet.slope, lane, LANES, scratch.gradient)
            total = 0.0
            for j in range(d):
                total += scratch.gradient[j] * scratch.gradient[j]
            own.reference[lane] = math.sqrt(total)


@inner_kernel
def _evaluate(
    loss: Loss, rows: int, size: int, dual: bool, order: int, sheet: Sheet, own: Progress
) -> None:
    """Write the objectives, slopes and curvatures ``length`` along the step."""
    go(rows, sheet, own)
    weigh(loss, size, sheet)
    if dual:
        try_dual(order, sheet, own)
    else:
        try_primal(rows, order, sheet, own)


@ordered_kernel
def go(rows: int, sheet: Sheet, own: Progress) -> None:
    """Write the margins ``length`` along the step."""
    length = load(own.length, 0)
    for i in range(rows):
        store(sheet.ahead, i, load(sheet.margin, i) + length * load(sheet.move, i))


@ordered_kernel
def weigh(loss: Loss, size: int, sheet: Sheet) -> None:
    """Write weighted losses and their derivatives: one long loop, which becomes vector code."""
    label, weight, ahead = sheet.label, sheet.weight, sheet.ahead
    fit, slope, curve = sheet.fit, sheet.slope, sheet.curve
    for k in range(size):
        fit[k] = weight[k] * loss.value(ahead[k], label[k])
        slope[k] = weight[k] * loss.d1(ahead[k], label[k])
        curve[k] = weight[k] * loss.d2(ahead[k], label[k])


@inner_kernel
def _leaves(entities: Entities, problem: Problem, lane: int, sheet: Sheet) -> bool:
    """Tell whether an unpenalized intercept is to go to its bound or beyond."""
    if entities.intercept == 0 or sheet.precision[lane] > 0.0:
        return False
    return abs(sheet.point[lane] + sheet.step[lane]) >= problem.bound


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
    own.status[lane] = _CLOSED
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
