"""How eight entities begin: their rows in lanes, objective and gradient at the start."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, add_transposed
from gdmix.glm.lane_algebra import dot
from gdmix.glm.lane_dual import gather_dual, measure_dual, mirror, try_dual
from gdmix.glm.lane_primal import gather_primal, measure_primal, try_primal
from gdmix.glm.lane_trial import evaluate, leaves, weigh
from gdmix.glm.lane_work import CLOSED, OPEN, PENDING, Progress, Scratch, Sheet
from gdmix.glm.lanes import LANES, load, splat, store
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Problem
from gdmix.jit import inlined_kernel

Integers = NDArray[np.int64]

_EPS = 2.220446049250313e-16


@inlined_kernel
def shape(entities: Entities, chosen: Integers, dual: bool) -> tuple[int, int]:
    """Return an even number of rows and the order that hold all chosen entities."""
    rows, order = 0, 0
    for e in chosen:
        rows = max(rows, entities.row_ptr[e + 1] - entities.row_ptr[e])
        order = max(order, entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e])
    rows += rows % 2
    return rows, rows if dual else order + order % 2


@inlined_kernel
def gather(
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
        own.status[lane] = OPEN if lane < len(chosen) else CLOSED
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
def begin(
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
        if own.status[lane] == OPEN and (not dual or own.warm[lane] == 1.0):
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
        evaluate(loss, rows, size, dual, order, sheet, own)
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
        outside = not dual and leaves(entities, problem, lane, sheet)
        if own.status[lane] == OPEN and (outside or not (finite and own.size[lane] < math.inf)):
            own.status[lane] = PENDING
        rounding = 64.0 * _EPS * own.size[lane]
        own.target[lane] = max(own.reference[lane] * problem.tolerance, rounding)
        own.previous[lane], own.descent[lane] = math.inf, -math.inf
        own.objective[lane], own.fit[lane] = own.trial[lane], own.trial_fit[lane]


@inlined_kernel
def _measure_at_zero(entities: Entities, sheet: Sheet, own: Progress, scratch: Scratch) -> None:
    """Write the norm of the gradient of the loss for lanes that do not start at zero."""
    for lane in range(LANES):
        if own.status[lane] == OPEN and own.warm[lane] == 1.0:
            e = own.entity[lane]
            d = entities.coefficient_ptr[e + 1] - entities.coefficient_ptr[e]
            scratch.gradient[:d] = 0.0
            add_transposed(entities, e, sheet.slope, lane, LANES, scratch.gradient)
            total = 0.0
            for j in range(d):
                total += scratch.gradient[j] * scratch.gradient[j]
            own.reference[lane] = math.sqrt(total)
