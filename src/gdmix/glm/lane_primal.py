"""Eight entities at once in the primal: the unknowns are the coefficients, the rows dense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, copy_penalty
from gdmix.glm.lane_algebra import dot, factorize, multiply, substitute
from gdmix.glm.lane_work import Progress, Scratch, Sheet
from gdmix.glm.lanes import LANES, load, root, splat, store
from gdmix.jit import ordered_kernel

Floats = NDArray[np.float64]


@ordered_kernel
def gather_primal(
    entities: Entities, e: int, lane: int, order: int, sheet: Sheet, scratch: Scratch
) -> None:
    """Write an entity's rows, ridge and starting point to a lane."""
    block, intercept = entities.block, entities.intercept
    start, stop = entities.row_ptr[e], entities.row_ptr[e + 1]
    first = entities.coefficient_ptr[e]
    copy_penalty(entities, e, scratch.precision, scratch.mean)
    for j in range(entities.coefficient_ptr[e + 1] - first):
        at = j * LANES + lane
        sheet.precision[at], sheet.mean[at] = scratch.precision[j], scratch.mean[j]
        sheet.point[at] = entities.coefficients[first + j]
    for i in range(start, stop):
        at = (i - start) * LANES + lane
        sheet.label[at], sheet.weight[at] = block.label[i], block.weight[i]
        sheet.base[at] = entities.offset[i]
        line = (i - start) * order
        score = 0.0
        if intercept:
            sheet.matrix[line * LANES + lane] = 1.0
            score = entities.coefficients[first]
        for k in range(block.indptr[i], block.indptr[i + 1]):
            j = intercept + block.indices[k]
            sheet.matrix[(line + j) * LANES + lane] = block.values[k]
            score += entities.coefficients[first + j] * block.values[k]
        sheet.margin[at] = entities.offset[i] + score


@ordered_kernel
def measure_primal(rows: int, order: int, penalized: float, sheet: Sheet, own: Progress) -> None:
    """Write the gradients of loss and (times `penalized`) ridge, and their norms."""
    matrix, slope = sheet.matrix, sheet.slope
    share = splat(penalized)
    for j in range(0, order, 2):
        s0 = splat(0.0)
        s1 = splat(0.0)
        for i in range(rows):
            g = load(slope, i)
            s0 = s0 + load(matrix, i * order + j) * g
            s1 = s1 + load(matrix, i * order + j + 1) * g
        store(sheet.residual, j, s0)
        store(sheet.residual, j + 1, s1)
    for j in range(order):
        pull = load(sheet.precision, j) * (load(sheet.point, j) - load(sheet.mean, j))
        store(sheet.residual, j, load(sheet.residual, j) + share * pull)
    store(own.size, 0, root(dot(sheet.residual, sheet.residual, order)))


@ordered_kernel
def direct_primal(rows: int, order: int, sheet: Sheet, own: Progress) -> None:
    """Write the Newton step, the change of margins along it, and what it promises."""
    matrix, curve, system, width = sheet.matrix, sheet.curve, sheet.system, order + 1
    for i in range(0, order, 2):
        for j in range(i, order, 2):
            h00 = splat(0.0)
            h01 = splat(0.0)
            h10 = splat(0.0)
            h11 = splat(0.0)
            for k in range(rows):
                line = k * order
                w = load(curve, k)
                a0 = load(matrix, line + i) * w
                a1 = load(matrix, line + i + 1) * w
                b0 = load(matrix, line + j)
                b1 = load(matrix, line + j + 1)
                h00 = h00 + a0 * b0
                h01 = h01 + a0 * b1
                h10 = h10 + a1 * b0
                h11 = h11 + a1 * b1
            store(system, i * width + j, h00)
            store(system, i * width + j + 1, h01)
            store(system, (i + 1) * width + j, h10)
            store(system, (i + 1) * width + j + 1, h11)
    zero = splat(0.0)
    for j in range(order):
        at = j * width + j
        store(system, at, load(system, at) + load(sheet.precision, j))
        store(system, j * width + order, zero - load(sheet.residual, j))
    factorize(system, order)
    substitute(system, order, sheet.step)
    multiply(matrix, rows, order, sheet.step, sheet.move)
    store(own.descent, 0, dot(sheet.residual, sheet.step, order))


@ordered_kernel
def try_primal(rows: int, order: int, sheet: Sheet, own: Progress) -> None:
    """Write the objectives at the points tried."""
    length = load(own.length, 0)
    half = splat(0.5)
    fit = splat(0.0)
    for i in range(rows):
        fit = fit + load(sheet.fit, i)
    penalty = splat(0.0)
    for j in range(order):
        apart = load(sheet.point, j) + length * load(sheet.step, j) - load(sheet.mean, j)
        penalty = penalty + load(sheet.precision, j) * apart * apart
    store(own.trial_fit, 0, fit)
    store(own.trial, 0, fit + half * penalty)


@ordered_kernel
def take_primal(rows: int, order: int, sheet: Sheet, own: Progress) -> None:
    """Make the points tried the points."""
    length = load(own.length, 0)
    for i in range(rows):
        store(sheet.margin, i, load(sheet.ahead, i))
    for j in range(order):
        store(sheet.point, j, load(sheet.point, j) + length * load(sheet.step, j))
    store(own.objective, 0, load(own.trial, 0))
    store(own.fit, 0, load(own.trial_fit, 0))


@ordered_kernel
def scatter_primal(entities: Entities, lane: int, sheet: Sheet, own: Progress) -> None:
    """Write one lane's coefficients."""
    e = own.entity[lane]
    first = entities.coefficient_ptr[e]
    for j in range(entities.coefficient_ptr[e + 1] - first):
        entities.coefficients[first + j] = sheet.point[j * LANES + lane]
