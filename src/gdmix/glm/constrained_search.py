"""The line search of one entity with L1 terms, bounds or centred features.

Steps are halved until the objective falls enough (Tseng and Yun, A coordinate gradient descent
method for nonsmooth separable minimization, 2009).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.centred import evaluate
from gdmix.glm.constrained_work import Scratch
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Penalty
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]

_EPS = 2.220446049250313e-16
_ARMIJO = 1e-4
_MOST_HALVINGS = 60


@inner_kernel
def search(
    loss: Loss,
    rows: Block,
    penalty: Penalty,
    intercept: int,
    shift: Floats,
    b: Floats,
    margin: Floats,
    value: float,
    promise: float,
    work: Scratch,
) -> tuple[float, float]:
    """Halve the step until the objective falls enough, and take it.

    Returns the step's length (0 when none was good) and the objective. The gradient is that at
    the last point tried.
    """
    n, d = len(margin), len(b)
    gradient, step, ahead = work.vectors[0, :d], work.vectors[1, :d], work.vectors[2, :d]
    z, slope, there = work.inner[0, :d], work.margins[0, :n], work.margins[2, :n]
    # a decrease that rounding hides counts as one: Newton steps near the optimum are right
    slack = 16.0 * _EPS * abs(value)
    length = 1.0
    for _ in range(_MOST_HALVINGS):
        for j in range(d):
            # a whole step ends at the model's own zeros and bounds, to the bit
            ahead[j] = z[j] if length == 1.0 else b[j] + length * step[j]
        for i in range(n):
            there[i] = margin[i] + length * slope[i]
        found = evaluate(loss, rows, penalty, intercept, shift, ahead, there, gradient)
        if found - value <= -_ARMIJO * length * promise + slack:
            for j in range(d):
                b[j] = ahead[j]
            for i in range(n):
                margin[i] = there[i]
            return length, found
        length *= 0.5
    return 0.0, value
