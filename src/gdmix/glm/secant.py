"""Steps of an entity with many more rows than coefficients: fewer Hessians, of fewer rows.

A Hessian costs a long entity as much as a dozen gradients. So one is formed of some of the rows,
and what it lacks is learnt from how the exact gradient changes: BFGS updates of its factor, by the
two-loop recursion (Nocedal and Wright, Numerical Optimization, 2006, section 7.2; with Hessians of
samples: Byrd, Chin, Neveitt and Nocedal, On the use of stochastic Hessian information in
optimization methods for machine learning, 2011).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.glm import kernels
from gdmix.glm.cholesky import substitute
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Penalty
from gdmix.glm.steps import DENSE_LIMIT, FIRST, PAIRS, Work, factorize_system, form
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]

# features of a row from which on a Hessian costs much more than a gradient
_LEAST_FILLED = 32
# rows for a coefficient, of which a Hessian is formed; shares of the rows are at least this
_ROWS_EACH, _MOST_SHARE = 12, 8


@inner_kernel
def share_of_rows(rows: Block, size: int) -> int:
    """Return of how many rows one is enough for a Hessian; 1 where all of them are needed."""
    n = len(rows.label)
    if size > DENSE_LIMIT or rows.indptr[n] - rows.indptr[0] < _LEAST_FILLED * n:
        return 1
    return max(1, min(_MOST_SHARE, n // (_ROWS_EACH * size)))


@inner_kernel
def form_of_some(
    loss: Loss,
    rows: Block,
    penalty: Penalty,
    intercept: int,
    every: int,
    gradient: Floats,
    margin: Floats,
    work: Work,
) -> None:
    """Write the factor of a Hessian at `margin`, of one block of rows in `every`."""
    n, d, curve = len(margin), len(gradient), work.margins[1]
    kernels.curvature(loss, rows, FIRST, n, margin, curve)
    for i in range(n):
        curve[i] *= every
    form(rows, penalty, intercept, False, gradient, every, work)
    factorize_system(work.hessian, work.vectors[3, :d])


@inner_kernel
def find_secant_step(gradient: Floats, count: int, work: Work) -> None:
    """Write the step by the factor and `count` pairs to its place in `work`."""
    d = len(gradient)
    step, taken = work.vectors[1, :d], work.vectors[3, :d]
    for j in range(d):
        step[j] = -gradient[j]
    for k in range(count - 1, -1, -1):
        move, change = work.pairs[k, :d], work.pairs[PAIRS + k, :d]
        taken[k] = _dot(move, step) / _dot(move, change)
        for j in range(d):
            step[j] -= taken[k] * change[j]
    substitute(work.hessian, d, step)
    for k in range(count):
        move, change = work.pairs[k, :d], work.pairs[PAIRS + k, :d]
        back = taken[k] - _dot(change, step) / _dot(move, change)
        for j in range(d):
            step[j] += back * move[j]


@inner_kernel
def remember(b: Floats, gradient: Floats, count: int, work: Work) -> None:
    """Write where a step begins to the place of pair `count`."""
    for j in range(len(b)):
        work.pairs[count, j] = b[j]
        work.pairs[PAIRS + count, j] = gradient[j]


@inner_kernel
def learn(b: Floats, gradient: Floats, count: int, work: Work) -> int:
    """Complete pair `count` where the step ended; return how many pairs there are now."""
    d = len(b)
    move, change = work.pairs[count, :d], work.pairs[PAIRS + count, :d]
    for j in range(d):
        move[j] = b[j] - move[j]
        change[j] = gradient[j] - change[j]
    bend = _dot(move, change)
    # a pair without curvature would not leave the matrix positive definite
    told = bend > 0.0 and bend * bend > 1e-20 * _dot(move, move) * _dot(change, change)
    return count + 1 if told else count


@inner_kernel
def _dot(a: Floats, b: Floats) -> float:
    total = 0.0
    for j in range(len(a)):
        total += a[j] * b[j]
    return total
