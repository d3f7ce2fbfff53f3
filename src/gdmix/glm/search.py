"""The line search of one small problem.

Steps are halved until the objective falls enough (Nocedal and Wright, Numerical Optimization,
2006, section 3.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.passes import add_multiples_of_some
from gdmix.glm.penalties import Penalty
from gdmix.glm.steps import Work
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16
_ARMIJO = 1e-4
_MOST_HALVINGS = 200
_AT_ONCE = 512


@inner_kernel
def evaluate(
    loss: Loss,
    rows: Block,
    full: int,
    penalty: Penalty,
    intercept: int,
    b: Floats,
    margin: Floats,
    gradient: Floats,
    slope: Floats,
) -> float:
    """Objective and gradient at `margin`; `slope` is scratch for a number of each row.

    `full` is the number of features where every row holds all of them (see `passes`), else 0.
    """
    for j in range(len(b)):
        gradient[j] = penalty.precision[j] * (b[j] - penalty.mean[j])
    value, n = quadratic(penalty, b), len(margin)
    # some at a time: loops over losses alone are vector code
    for start in range(0, n, _AT_ONCE):
        stop = min(start + _AT_ONCE, n)
        for i in range(np.uint64(start), np.uint64(stop)):
            slope[i] = margin[i]
        value += kernels.slopes(loss, rows, start, stop, slope)
        add_multiples_of_some(rows, full, start, stop, slope, intercept, gradient)
    return value


@inner_kernel
def quadratic(penalty: Penalty, b: Floats) -> float:
    """Return the quadratic part of the penalty."""
    value = 0.0
    for j in range(len(b)):
        apart = b[j] - penalty.mean[j]
        value += 0.5 * penalty.precision[j] * apart * apart
    return value


@inner_kernel
def search(
    loss: Loss,
    rows: Block,
    full: int,
    penalty: Penalty,
    intercept: int,
    b: Floats,
    margin: Floats,
    value: float,
    longest: float,
    work: Work,
) -> tuple[float, float, float]:
    """Halve the step until the objective falls enough, and take it.

    Returns what the gradient promises of the full step, the step's length (0 when none was good)
    and the objective. The gradient is that at the last point tried.
    """
    n, d = len(margin), len(b)
    gradient, step, ahead = work.vectors[0, :d], work.vectors[1, :d], work.vectors[2, :d]
    slope, there, scratch = work.margins[0, :n], work.margins[2, :n], work.margins[3, :n]
    descent = 0.0
    for j in range(d):
        descent += gradient[j] * step[j]
    # a decrease that rounding hides counts as one: Newton steps near the optimum are right
    slack = 16.0 * _EPS * abs(value)
    length = longest
    for _ in range(_MOST_HALVINGS):
        for j in range(d):
            ahead[j] = b[j] + length * step[j]
        for i in range(n):
            there[i] = margin[i] + length * slope[i]
        found = evaluate(loss, rows, full, penalty, intercept, ahead, there, gradient, scratch)
        if found - value <= _ARMIJO * length * descent + slack:
            for j in range(d):
                b[j] = ahead[j]
            for i in range(n):
                margin[i] = there[i]
            return -descent, length, found
        length *= 0.5
    return -descent, 0.0, value
