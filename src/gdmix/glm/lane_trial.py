"""Eight entities at a point tried: margins, losses and objectives along their steps."""

from __future__ import annotations

from gdmix.glm.entities import Entities
from gdmix.glm.lane_dual import try_dual
from gdmix.glm.lane_primal import try_primal
from gdmix.glm.lane_work import Progress, Sheet
from gdmix.glm.lanes import load, store
from gdmix.glm.losses import Loss
from gdmix.glm.outcome import Problem
from gdmix.jit import inner_kernel, ordered_kernel


@inner_kernel
def evaluate(
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
def leaves(entities: Entities, problem: Problem, lane: int, sheet: Sheet) -> bool:
    """Tell whether an unpenalized intercept is to go to its bound or beyond."""
    if entities.intercept == 0 or sheet.precision[lane] > 0.0:
        return False
    return bool(abs(sheet.point[lane] + sheet.step[lane]) >= problem.bound)
