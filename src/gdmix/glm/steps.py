"""The Newton step of one small problem.

With few coefficients the system is solved by Cholesky factorization, else by conjugate gradients
(truncated Newton; Nocedal and Wright, Numerical Optimization, 2006, section 7.1).
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.gram import add_hessian
from gdmix.glm.kernels import Block
from gdmix.glm.penalties import Penalty
from gdmix.jit import inlined_kernel, inner_kernel

Floats = NDArray[np.float64]

DENSE_LIMIT = 256
"""Most coefficients for which an entity's Hessian is formed and factorized."""

# plain integers would be compiled as constants: every kernel that takes one once more
FIRST, ALL = cast("int", np.int64(0)), cast("int", np.int64(1))
VECTORS, MARGINS = np.int64(7), np.int64(4)
PAIRS = cast("int", np.int64(8))


class Work(NamedTuple):
    """Scratch of one thread, as large as its largest entity needs.

    Attributes
    ----------
    vectors : float64[7, coefficients]
        Gradient, step, next coefficients; the rest is for solving the Newton system.
    margins : float64[4, rows]
        Slope of the margins along the step, curvature, next margins, slopes of the losses.
    hessian : float64[dense, dense + 1]
        Upper triangle, and the right-hand side as one more column.
    pairs : float64[2 PAIRS, dense]
        Steps taken, then the changes of the gradient (see `secant`).
    """

    vectors: Floats
    margins: Floats
    hessian: Floats
    pairs: Floats


@inlined_kernel
def find_step(
    rows: Block,
    penalty: Penalty,
    intercept: int,
    pinned: bool,
    gradient: Floats,
    progress: float,
    work: Work,
) -> None:
    """Write the Newton step to its place in `work`; a pinned intercept does not move.

    `progress` is the gradient's norm relative to that at zero coefficients: conjugate gradients
    solve the more exactly the smaller it is.
    """
    d = len(gradient)
    if d <= DENSE_LIMIT:
        form(rows, penalty, intercept, pinned, gradient, ALL, work)
        factorize_system(work.hessian, work.vectors[3, :d])
        _substitute(work.hessian, work.vectors[1, :d])
    else:
        _truncated_step(rows, penalty, intercept, pinned, gradient, progress, work)
    if pinned:
        work.vectors[1, 0] = 0.0


@inner_kernel
def form(
    rows: Block,
    penalty: Penalty,
    intercept: int,
    pinned: bool,
    gradient: Floats,
    every: int,
    work: Work,
) -> None:
    """Write the Newton system, and the least value that each pivot may have.

    The Hessian is that of one block of rows in `every`.
    """
    h, least, d = work.hessian, work.vectors[3], len(gradient)
    h[:d, :d] = 0.0
    add_hessian(rows, work.margins[1], intercept, every, h, d)
    if pinned:
        h[0, :d] = 0.0
        h[0, 0] = 1.0
    largest = 0.0
    for j in range(d):
        h[j, d] = -gradient[j]
        h[j, j] += penalty.precision[j]
        largest = max(largest, h[j, j])
    for j in range(d):
        # relative to the coefficient's own curvature: features may differ in scale
        own = h[j, j] if h[j, j] > 0.0 else largest
        least[j] = 1e-14 * own if own > 0.0 else 1.0


@inner_kernel
def factorize_system(h: Floats, least: Floats) -> None:
    """Write the Cholesky factor ``U`` of ``H = U'U`` over the upper triangle.

    The column after the last goes along: a right-hand side ``r`` becomes ``z`` with ``U'z = r``.
    """
    d = len(least)
    for i in range(d):
        # four rows at once: a quarter of the passes over row i
        for k in range(0, i - 3, 4):
            f0, f1, f2, f3 = h[k, i], h[k + 1, i], h[k + 2, i], h[k + 3, i]
            for j in range(i, d + 1):
                h[i, j] -= f0 * h[k, j] + f1 * h[k + 1, j] + f2 * h[k + 2, j] + f3 * h[k + 3, j]
        for k in range(i // 4 * 4, i):
            factor = h[k, i]
            for j in range(i, d + 1):
                h[i, j] -= factor * h[k, j]
        # a direction without curvature gets a little, so that the step stays finite
        pivot = 1.0 / math.sqrt(max(h[i, i], least[i]))
        for j in range(i + 1, d + 1):
            h[i, j] *= pivot
        h[i, i] = 1.0 / pivot


@inner_kernel
def _substitute(u: Floats, step: Floats) -> None:
    """Solve ``U step = z``, with ``z`` in the column after the last."""
    d = len(step)
    for i in range(d - 1, -1, -1):
        total = u[i, d]
        for j in range(i + 1, d):
            total -= u[i, j] * step[j]
        step[i] = total / u[i, i]


@inner_kernel
def _truncated_step(
    rows: Block,
    penalty: Penalty,
    intercept: int,
    pinned: bool,
    gradient: Floats,
    progress: float,
    work: Work,
) -> None:
    """Solve ``H step = -gradient`` by preconditioned conjugate gradients, as far as is useful."""
    n, d = len(rows.label), len(gradient)
    curve, step, diagonal = work.margins[1], work.vectors[1, :d], work.vectors[3, :d]
    r, p, hp = work.vectors[4, :d], work.vectors[5, :d], work.vectors[6, :d]
    for j in range(d):
        diagonal[j] = penalty.precision[j]
    kernels.hessian_diagonal(rows, FIRST, n, curve, intercept, diagonal)
    rz = 0.0
    for j in range(d):
        diagonal[j] = diagonal[j] if diagonal[j] > 0.0 else 1.0
        step[j] = 0.0
        r[j] = -gradient[j]
        p[j] = r[j] / diagonal[j]
        rz += r[j] * p[j]
    enough = min(0.1, math.sqrt(progress)) * norm(gradient)
    for inner in range(d):
        for j in range(d):
            hp[j] = penalty.precision[j] * p[j]
        kernels.hessian_vector(rows, FIRST, n, curve, p, intercept, hp)
        if pinned:
            hp[0] = 0.0
        php = 0.0
        for j in range(d):
            php += p[j] * hp[j]
        if php <= 0.0:
            for j in range(d if inner == 0 else 0):
                step[j] = p[j]
            break
        alpha, rr, next_rz = rz / php, 0.0, 0.0
        for j in range(d):
            step[j] += alpha * p[j]
            r[j] -= alpha * hp[j]
            rr += r[j] * r[j]
            next_rz += r[j] * r[j] / diagonal[j]
        if math.sqrt(rr) <= enough:
            break
        for j in range(d):
            p[j] = r[j] / diagonal[j] + next_rz / rz * p[j]
        rz = next_rz


@inner_kernel
def norm(vector: Floats) -> float:
    """Return the Euclidean norm."""
    total = 0.0
    for value in vector:
        total += value * value
    return math.sqrt(total)
