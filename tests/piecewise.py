"""Entities under L1 terms, bounds and centred features: a call of the solver, and dense NumPy."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from gdmix.glm.constrained import solve_constrained_entities
from gdmix.glm.groups import Outcome, Problem
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.penalties import Penalty
from tests.ragged import Entity, sparse

LOSSES = (Logistic(), Squared(), Poisson(), SmoothedHinge())


class Problems(NamedTuple):
    """Entities, each with its penalty and shift, and what they share."""

    entities: list
    penalties: list
    shifts: list
    shared: Problem


class Solved(NamedTuple):
    """What `solve` gives."""

    coefficients: list
    margins: list
    outcome: Outcome


def block_of(entities):
    """Return all rows of entities as one block, and the pointers to each entity's rows."""
    blocks = [sparse(e.matrix, e.label, e.weight) for e in entities]
    starts = np.cumsum([0] + [len(b.values) for b in blocks])
    pairs = zip(blocks, starts[:-1], strict=True)
    indptr = np.concatenate([[0], *(b.indptr[1:] + s for b, s in pairs)])
    block = Block(indptr, *(np.concatenate([b[k] for b in blocks]) for k in range(1, 5)))
    return block, np.cumsum([0] + [len(e.label) for e in entities])


def solve(problems, loss, start=None):
    """Solve all entities in one call."""
    entities, shared = problems.entities, problems.shared
    block, row_ptr = block_of(entities)
    pointers = np.cumsum([0] + [e.matrix.shape[1] + shared.intercept for e in entities])
    n = len(entities)
    outcome = Outcome(
        np.full(n, -1, np.int8), np.zeros(n, np.int32), np.zeros(n), np.zeros(n), np.zeros(n)
    )
    flat = np.zeros(pointers[-1]) if start is None else np.concatenate(start).astype(float)
    margin = np.full(row_ptr[-1], np.nan)
    penalty = Penalty(*(np.concatenate(arrays) for arrays in zip(*problems.penalties, strict=True)))
    solve_constrained_entities(
        loss,
        block,
        np.concatenate([e.offset for e in entities]),
        row_ptr,
        pointers,
        0,
        n,
        shared,
        penalty,
        np.concatenate(problems.shifts),
        flat,
        margin,
        outcome,
    )
    return Solved(np.split(flat, pointers[1:-1]), np.split(margin, row_ptr[1:-1]), outcome)


def losses_at(loss, margin, label):
    """Return values, slopes and curvatures of a loss."""
    if isinstance(loss, Squared):
        return 0.5 * (margin - label) ** 2, margin - label, np.ones_like(margin)
    if isinstance(loss, Poisson):
        mean = np.exp(margin)
        return mean - label * margin, mean - label, mean
    side = 2.0 * label - 1.0
    if isinstance(loss, SmoothedHinge):
        short = 1.0 - side * margin
        value = np.where(short <= 0.0, 0.0, np.where(short < 1.0, 0.5 * short**2, short - 0.5))
        return value, -side * np.clip(short, 0.0, 1.0), 1.0 * ((short > 0.0) & (short < 1.0))
    value = np.logaddexp(0.0, -side * margin)
    return value, -side * expit(-side * margin), expit(margin) * expit(-margin)


def design_of(e, intercept):
    """Return the dense design matrix, the intercept first."""
    return np.hstack([np.ones((len(e.label), intercept)), e.matrix])


def smooth_part(e, b, penalty, shift, loss, intercept):
    """Return value and gradient of all but the L1 terms in coefficients of centred features."""
    x = design_of(e, intercept) - shift
    value, slope, _ = losses_at(loss, x @ b + e.offset, e.label)
    apart = b - penalty.mean
    total = e.weight @ value + 0.5 * penalty.precision @ apart**2
    return total, x.T @ (e.weight * slope) + penalty.precision * apart


def centred(b, shift, intercept):
    """Return the coefficients of centred features: the intercept alone differs."""
    out = b.copy()
    if intercept:
        out[0] += shift @ b
    return out


def least_subgradient(slope, b, penalty):
    """Return the least subgradients within the bounds, straight from their definition."""
    low, high = slope - penalty.l1, slope + penalty.l1
    low, high = np.where(b > 0.0, high, low), np.where(b < 0.0, low, high)
    # the normal cone of the box: anything down at the lower bound, anything up at the upper one
    low = np.where(b <= penalty.lower, -np.inf, low)
    high = np.where(b >= penalty.upper, np.inf, high)
    return np.clip(0.0, low, high)


def scale_at_zero(e, shift, loss, intercept):
    """Return the norm of the loss's gradient at zero coefficients."""
    x = design_of(e, intercept) - shift
    return np.linalg.norm(x.T @ (e.weight * losses_at(loss, e.offset, e.label)[1]))


def random_entity(rng, loss, rows, width, scale=1.0, offset=0.5):
    """Return an entity with labels that suit the loss."""
    matrix = rng.normal(size=(rows, width)) * scale * (rng.random((rows, width)) < 0.7)
    if isinstance(loss, Squared):
        label = rng.normal(size=rows)
    elif isinstance(loss, Poisson):
        label = rng.poisson(1.5, rows).astype(float)
    else:
        label = rng.integers(0, 2, rows).astype(float)
    return Entity(matrix, label, rng.uniform(0.2, 2.0, rows), offset * rng.normal(size=rows))


def plain_penalty(size, l2=1.0, l1=0.0, lower=-np.inf, upper=np.inf):
    """Return equal penalties and bounds for all coefficients."""
    return Penalty(*(np.full(size, float(value)) for value in (l2, 0.0, l1, lower, upper)))
