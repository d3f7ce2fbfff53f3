"""Made-up sparse rows, and a dense reference for small regressions."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from gdmix.glm.groups import Outcome, Problem, solve_entities
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Logistic, Squared
from gdmix.glm.penalties import Penalty

LOSSES = (Logistic(), Squared())


def dense(block, width, intercept):
    """Return the rows as a dense matrix, with a column of ones first if there is an intercept."""
    out = np.zeros((len(block.label), intercept + width))
    out[:, :intercept] = 1.0
    for i in range(len(block.label)):
        for k in range(block.indptr[i], block.indptr[i + 1]):
            out[i, intercept + block.indices[k]] = block.values[k]
    return out


def sparse(matrix, label, weight=None, rng=None):
    """Return the non-zeros of a matrix as a block; with `rng`, out of order within a row."""
    indptr, indices, values = [0], [], []
    for row in matrix:
        where = np.flatnonzero(row)
        if rng is not None:
            rng.shuffle(where)
        indices.extend(where)
        values.extend(row[where])
        indptr.append(len(indices))
    return Block(
        np.array(indptr, np.int64),
        np.array(indices, np.int32),
        np.array(values, np.float64),
        np.asarray(label, np.float64),
        np.ones(len(label)) if weight is None else np.asarray(weight, np.float64),
    )


def random_block(seed, rows=20, width=6, density=0.5):
    """Return random rows with labels 0 and 1; some rows are empty, some weights 0."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, width)) * (rng.random((rows, width)) < density)
    weight = rng.uniform(0.1, 3.0, rows) * (rng.random(rows) < 0.9)
    return sparse(matrix, rng.integers(0, 2, rows), weight, rng)


class Entity(NamedTuple):
    """The dense problem of one entity, without the intercept's column."""

    matrix: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    offset: np.ndarray


class Asked(NamedTuple):
    """One weight for the features, one for the intercept, and what else is asked of the solver."""

    l2: float
    intercept_l2: float
    intercept: int
    shared: Problem

    def weights(self, size):
        """Return the weight of each of `size` coefficients."""
        weights = np.full(size, float(self.l2))
        weights[: self.intercept] = self.intercept_l2
        return weights


class Solved(NamedTuple):
    """What `solve` gives, cut by entity."""

    coefficients: list
    margins: list
    outcome: Outcome
    flat: np.ndarray


def entity(seed, rows=12, width=4, scale=1.0, offset=1.0):
    """Return a random entity."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, width)) * scale
    label = rng.integers(0, 2, rows).astype(float)
    return Entity(matrix, label, rng.uniform(0.2, 2.0, rows), offset * rng.normal(size=rows))


def solve(entities, problem, loss=LOSSES[0], start=None, cuts=None):
    """Solve entities in one call, or in one call for each run between `cuts`."""
    intercept = problem.intercept
    blocks = [sparse(e.matrix, e.label, e.weight) for e in entities]
    starts = np.cumsum([0] + [len(b.values) for b in blocks])
    block = Block(
        np.concatenate(
            [[0], *(b.indptr[1:] + s for b, s in zip(blocks, starts[:-1], strict=True))]
        ),
        *(np.concatenate([b[k] for b in blocks]) for k in range(1, 5)),
    )
    row_ptr = np.cumsum([0] + [len(e.label) for e in entities])
    pointers = np.cumsum([0] + [e.matrix.shape[1] + intercept for e in entities])
    n = len(entities)
    outcome = Outcome(
        np.full(n, -1, np.int8), np.zeros(n, np.int32), np.zeros(n), np.zeros(n), np.zeros(n)
    )
    flat = np.zeros(pointers[-1]) if start is None else np.concatenate(start).astype(float)
    margin = np.full(row_ptr[-1], np.nan)
    offset = np.concatenate([e.offset for e in entities])
    bounds = [0, *(cuts or []), n]
    for first, last in pairwise(bounds):
        sizes = [intercept + e.matrix.shape[1] for e in entities[first:last]]
        precision = np.concatenate([np.zeros(0), *map(problem.weights, sizes)])
        penalty = Penalty.ridge(precision)
        where, shared = (row_ptr, pointers, first, last), problem.shared
        solve_entities(loss, block, offset, *where, shared, penalty, flat, margin, outcome)
    return Solved(np.split(flat, pointers[1:-1]), np.split(margin, row_ptr[1:-1]), outcome, flat)


def problem(l2=1.0, intercept=1, intercept_l2=None, tolerance=1e-10, bound=10.0, limit=300):
    """Return a problem; the intercept is penalized like the rest unless told otherwise."""
    shared = Problem(intercept, bound, tolerance, limit)
    return Asked(l2, l2 if intercept_l2 is None else intercept_l2, intercept, shared)


def objective(e, b, asked, loss=LOSSES[0]):
    """Return the objective of an entity at `b`, its gradient and Hessian, in dense NumPy."""
    design = np.hstack([np.ones((len(e.label), asked.intercept)), e.matrix])
    margin = design @ b + e.offset
    l2 = asked.weights(len(b))
    if isinstance(loss, Squared):
        value, slope, curve = 0.5 * (margin - e.label) ** 2, margin - e.label, np.ones_like(margin)
    else:
        # log(1 + exp(-t)) with t the margin's distance to the right side: no cancellation
        right = np.where(e.label == 1.0, margin, -margin)
        value = np.logaddexp(0.0, -right)
        slope = np.where(e.label == 1.0, -expit(-margin), expit(margin))
        curve = expit(margin) * expit(-margin)
    value = e.weight @ value + 0.5 * l2 @ (b * b)
    hessian = (design.T * (e.weight * curve)) @ design + np.diag(l2)
    return value, design.T @ (e.weight * slope) + l2 * b, hessian


def newton(e, asked, loss=LOSSES[0], fixed_intercept=None):
    """Return the least objective of an entity and where: damped Newton's method, dense."""
    b = np.zeros(e.matrix.shape[1] + asked.intercept)
    move = np.ones(len(b), bool)
    if fixed_intercept is not None:
        b[0], move[0] = fixed_intercept, False
    for _ in range(500):
        value, gradient, hessian = objective(e, b, asked, loss)
        step = np.zeros_like(b)
        h, g = hessian[np.ix_(move, move)], gradient[move]
        # without a penalty the Hessian may be singular
        step[move] = -np.linalg.solve(h, g) if asked.l2 else -np.linalg.lstsq(h, g, rcond=None)[0]
        if -(gradient @ step) <= 1e-15 * value:
            break
        length = 1.0
        while length > 1e-18 and objective(e, b + length * step, asked, loss)[0] > value:
            length *= 0.5
        b = b + length * step
    return objective(e, b, asked, loss)[0], b
