"""Eight entities at once in the dual: one unknown for each row.

Where every coefficient has a ridge, the optimum is ``b = m + P^-1 X'a``, and ``a = -w d1`` there
(Fan, Chang, Hsieh, Wang and Lin, LIBLINEAR, 2008, section 2; Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, section 3.4). The own score is ``K a`` with
``K = X P^-1 X'``, which is formed once. With ``W`` the curvatures, a Newton step solves
``(I + W K) da = -(w d1 + a)``, by the Cholesky factor of ``I + W^1/2 K W^1/2``: its pivots are at
least 1, and rows without curvature need no care. It pays where rows are fewer than coefficients.

A start ``b`` that is no such combination counts as ``a = 0``. The first full step leads to one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.entities import Entities, add_transposed, copy_penalty
from gdmix.glm.lane_algebra import dot, factorize, multiply, substitute
from gdmix.glm.lane_work import Progress, Scratch, Sheet
from gdmix.glm.lanes import LANES, load, root, splat, store
from gdmix.jit import ordered_kernel

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16


@ordered_kernel
def gather_dual(
    entities: Entities, e: int, lane: int, order: int, sheet: Sheet, own: Progress, scratch: Scratch
) -> None:
    """Write an entity's rows and its upper triangle of ``K`` to a lane."""
    block, intercept = entities.block, entities.intercept
    start, stop = entities.row_ptr[e], entities.row_ptr[e + 1]
    first = entities.coefficient_ptr[e]
    d = entities.coefficient_ptr[e + 1] - first
    precision, mean = scratch.precision, scratch.mean
    copy_penalty(entities, e, precision, mean)
    least = most = precision[0]
    moved = False
    warm = False
    energy = 0.0
    for j in range(d):
        least, most = min(least, precision[j]), max(most, precision[j])
        apart = entities.coefficients[first + j] - mean[j]
        energy += precision[j] * apart * apart
        warm |= entities.coefficients[first + j] != 0.0 or mean[j] != 0.0
        moved |= mean[j] != 0.0
    own.scale[lane] = least if least == most else 0.0
    own.warm[lane], own.energy[lane] = 1.0 if warm else 0.0, energy
    for i in range(start, stop):
        at = (i - start) * LANES + lane
        sheet.label[at], sheet.weight[at] = block.label[i], block.weight[i]
        score, center = 0.0, 0.0
        if warm:
            if intercept:
                score, center = entities.coefficients[first] - mean[0], mean[0]
            for k in range(block.indptr[i], block.indptr[i + 1]):
                j = intercept + block.indices[k]
                score += (entities.coefficients[first + j] - mean[j]) * block.values[k]
                center += mean[j] * block.values[k]
        sheet.base[at] = entities.offset[i] + center
        sheet.own[at] = score
        sheet.margin[at] = sheet.base[at] + score
    _transpose(entities, e, d, scratch)
    matrix = sheet.matrix
    if intercept:
        constant = 1.0 / precision[0]
        for i in range(stop - start):
            for j in range(i, stop - start):
                matrix[(i * order + j) * LANES + lane] = constant
    column, row, entry = scratch.column, scratch.row, scratch.entry
    for j in range(d - intercept):
        inverse = 1.0 / precision[intercept + j]
        for p in range(column[j], column[j + 1]):
            scaled = entry[p] * inverse
            line = row[p] * order
            for q in range(p, column[j + 1]):
                matrix[(line + row[q]) * LANES + lane] += scaled * entry[q]


@ordered_kernel
def _transpose(entities: Entities, e: int, d: int, scratch: Scratch) -> None:
    """Write the columns of an entity's features; each begins where `column` says."""
    block, column = entities.block, scratch.column
    start, stop = entities.row_ptr[e], entities.row_ptr[e + 1]
    for j in range(d + 1):
        column[j] = 0
    for k in range(block.indptr[start], block.indptr[stop]):
        column[block.indices[k]] += 1
    total = 0
    for j in range(d + 1):
        total, column[j] = total + column[j], total
    for i in range(start, stop):
        for k in range(block.indptr[i], block.indptr[i + 1]):
            at = column[block.indices[k]]
            scratch.row[at], scratch.entry[at] = i - start, block.values[k]
            column[block.indices[k]] = at + 1
    # every column now begins where its neighbour ended
    for j in range(d, 0, -1):
        column[j] = column[j - 1]
    column[0] = 0


@ordered_kernel
def mirror(matrix: Floats, order: int) -> None:
    """Copy the upper triangle to the lower."""
    for i in range(order):
        for j in range(i + 1, order):
            store(matrix, j * order + i, load(matrix, i * order + j))


@ordered_kernel
def measure_dual(
    entities: Entities, order: int, sheet: Sheet, own: Progress, scratch: Scratch
) -> None:
    """Write the residual, its product with ``K``, and the norms of the gradients."""
    warm = load(own.warm, 0)
    diagonal = splat(0.0)
    for i in range(order):
        implied = warm * load(sheet.curve, i) * load(sheet.own, i)
        r = load(sheet.slope, i) + load(sheet.point, i) - implied
        store(sheet.residual, i, r)
        diagonal = diagonal + r * r * load(sheet.matrix, i * order + i)
    multiply(sheet.matrix, order, order, sheet.residual, sheet.image)
    store(own.size, 0, dot(sheet.residual, sheet.image, order))
    store(own.length, 0, diagonal)
    for lane in range(LANES):
        scale = own.scale[lane]
        if own.rows[lane] > 0 and (own.warm[lane] == 1.0 or scale == 0.0):
            own.size[lane] = _explicit(entities, lane, sheet, own, scratch)
        else:
            # the rounding of r'Kr counts as gradient
            rounding = own.rows[lane] * _EPS * own.length[lane]
            own.size[lane] = math.sqrt(scale * (max(own.size[lane], 0.0) + rounding))


@ordered_kernel
def _explicit(
    entities: Entities, lane: int, sheet: Sheet, own: Progress, scratch: Scratch
) -> float:
    """Return the norm of one lane's gradient, formed coefficient by coefficient."""
    e, gradient = own.entity[lane], scratch.gradient
    first = entities.coefficient_ptr[e]
    d = entities.coefficient_ptr[e + 1] - first
    gradient[:d] = 0.0
    if own.warm[lane] == 1.0:
        copy_penalty(entities, e, scratch.precision, scratch.mean)
        for j in range(d):
            apart = entities.coefficients[first + j] - scratch.mean[j]
            gradient[j] = scratch.precision[j] * apart
        add_transposed(entities, e, sheet.slope, lane, LANES, gradient)
    else:
        add_transposed(entities, e, sheet.residual, lane, LANES, gradient)
    total = 0.0
    for j in range(d):
        total += gradient[j] * gradient[j]
    return math.sqrt(total)


@ordered_kernel
def direct_dual(order: int, sheet: Sheet, own: Progress) -> None:
    """Write the Newton step, the change of margins along it, and what it promises."""
    matrix, system, step = sheet.matrix, sheet.system, sheet.step
    width = order + 1
    one = splat(1.0)
    for i in range(order):
        # `move` is free until the step is known
        store(sheet.move, i, root(load(sheet.curve, i)))
    for i in range(order):
        bend = load(sheet.move, i)
        store(system, i * width + i, one + bend * load(matrix, i * order + i) * bend)
        for j in range(i + 1, order):
            entry = bend * load(matrix, i * order + j) * load(sheet.move, j)
            store(system, i * width + j, entry)
        store(system, i * width + order, bend * load(sheet.image, i))
    factorize(system, order)
    substitute(system, order, step)
    for i in range(order):
        store(step, i, load(sheet.move, i) * load(step, i) - load(sheet.residual, i))
    multiply(matrix, order, order, step, sheet.move)
    warm = load(own.warm, 0)
    descent = splat(0.0) - warm * load(own.energy, 0)
    for i in range(order):
        own_score, slope = load(sheet.own, i), load(sheet.slope, i)
        move = load(sheet.move, i) - warm * own_score
        store(sheet.move, i, move)
        descent = descent + (slope + load(sheet.point, i)) * move
        descent = descent + warm * load(step, i) * own_score
    store(own.descent, 0, descent)


@ordered_kernel
def try_dual(order: int, sheet: Sheet, own: Progress) -> None:
    """Write the objectives at the points tried."""
    length = load(own.length, 0)
    half = splat(0.5)
    fit = splat(0.0)
    penalty = splat(0.0)
    for i in range(order):
        a = load(sheet.point, i) + length * load(sheet.step, i)
        fit = fit + load(sheet.fit, i)
        penalty = penalty + a * (load(sheet.own, i) + length * load(sheet.move, i))
    store(own.trial_fit, 0, fit)
    store(own.trial, 0, fit + half * penalty)


@ordered_kernel
def take_dual(order: int, sheet: Sheet, own: Progress) -> None:
    """Make the points tried the points."""
    length = load(own.length, 0)
    for i in range(order):
        store(sheet.margin, i, load(sheet.ahead, i))
        store(sheet.point, i, load(sheet.point, i) + length * load(sheet.step, i))
        store(sheet.own, i, load(sheet.own, i) + length * load(sheet.move, i))
    store(own.warm, 0, splat(0.0))
    store(own.objective, 0, load(own.trial, 0))
    store(own.fit, 0, load(own.trial_fit, 0))


@ordered_kernel
def scatter_dual(
    entities: Entities, lane: int, sheet: Sheet, own: Progress, scratch: Scratch
) -> None:
    """Write one lane's coefficients, ``m + P^-1 X'a``."""
    e = own.entity[lane]
    first = entities.coefficient_ptr[e]
    size = entities.coefficient_ptr[e + 1] - first
    b = entities.coefficients[first : first + size]
    copy_penalty(entities, e, scratch.precision, scratch.mean)
    b[:] = 0.0
    add_transposed(entities, e, sheet.point, lane, LANES, b)
    for j in range(size):
        b[j] = scratch.mean[j] + b[j] / scratch.precision[j]
