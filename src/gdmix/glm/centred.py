"""Loss, gradient and Hessian of one entity whose features are centred, but stored as they are.

The intercept counts at the shift of the features: ``b_0 + shift . b``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.constrained_work import Scratch
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Penalty
from gdmix.glm.steps import FIRST
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]


@inner_kernel
def scale_at_zero(
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
def margins(rows: Block, intercept: int, shift: Floats, b: Floats, out: Floats) -> None:
    """Write the margins of coefficients of centred features, without the offset."""
    kernels.multiply(rows, FIRST, len(out), b, intercept, out)
    common = 0.0
    for j in range(len(b)):
        common += shift[j] * b[j]
    if common != 0.0:
        for i in range(len(out)):
            out[i] -= common


@inner_kernel
def penalty_value(penalty: Penalty, b: Floats) -> float:
    """Return the value of the whole penalty."""
    value = 0.0
    for j in range(len(b)):
        apart = b[j] - penalty.mean[j]
        value += 0.5 * penalty.precision[j] * apart * apart + penalty.l1[j] * abs(b[j])
    return value


@inner_kernel
def evaluate(
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
    return value + penalty_value(penalty, b)


@inner_kernel
def form(rows: Block, intercept: int, shift: Floats, work: Scratch) -> None:
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
