"""Solving a run of entities: which penalty, in which units, by which solver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates.sparsity import drop_small
from gdmix.engine import Run
from gdmix.glm.constrained import solve_constrained_entities
from gdmix.glm.entity_variance import entity_variances
from gdmix.glm.groups import Outcome, Problem, solve_entities
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss
from gdmix.glm.normalization import Normalization, scale_values
from gdmix.glm.penalties import Penalty

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EntitySolver:
    """What all entities of a random effect share; calling it solves a run in place.

    Attributes
    ----------
    loss : Loss
    problem : Problem
    penalty : Penalty
        Of a vector of all features' coefficients, for raw features.
    prior_weight : float
    normalization : Normalization or None
        Problems are solved in the coefficients of normalized features: there the gradient, which
        tells when to stop, weighs all features alike.
    variance : str
        ``none``, ``simple`` or ``full``.
    sparsity : float
        Coefficients within it become zero. Margins, objectives and variances stay those of the
        optimum.
    """

    loss: Loss
    problem: Problem
    penalty: Penalty
    prior_weight: float
    normalization: Normalization | None
    variance: Literal["none", "simple", "full"]
    sparsity: float = 0.0

    def __call__(self, run: Run) -> None:
        """Solve the entities of `run`, and write their variances where they are asked for."""
        at = _positions(run, self.problem.intercept)
        penalty = self.penalty.take(at)
        known = np.zeros(len(at), bool)
        if run.prior_mean is not None and run.prior_variance is not None:
            mean, variance = _own(run, run.prior_mean), _own(run, run.prior_variance)
            known = np.isfinite(mean) & np.isfinite(variance)
            penalty = penalty.with_prior(mean, variance, self.prior_weight)
        shift = self._shift(run, at, penalty, known)
        if self.normalization is None:
            self._solve(run, penalty, shift)
        else:
            self._solve_normalized(run, at, penalty, shift)
        if self.variance != "none":
            entity_variances(
                self.loss,
                run.block,
                run.row_ptr,
                run.coefficient_ptr,
                run.first,
                run.last,
                self.problem.intercept,
                penalty.precision,
                shift,
                run.margin,
                self.variance == "full",
                run.variances,
            )
        if self.sparsity > 0.0:
            self._drop_small(run, penalty, shift)

    def _drop_small(self, run: Run, penalty: Penalty, shift: Floats) -> None:
        coefficients = _own(run, run.coefficients)
        heads = run.coefficient_ptr[run.first : run.last] - run.coefficient_ptr[run.first]
        intercepts = heads if self.problem.intercept else heads[:0]
        if drop_small(coefficients, self.sparsity, penalty, intercepts):
            run.outcome.penalty[run.first : run.last] = _penalties(
                coefficients, penalty, shift, intercepts, heads
            )

    def _shift(self, run: Run, at: NDArray[np.int64], penalty: Penalty, known: Floats) -> Floats:
        """Return the shifts of raw features, where they matter to the optimum.

        They do to an intercept that the coordinate's own penalty holds: it is that of centred
        features. A prior or a bound holds for the intercept as it is saved, that of raw features.
        """
        shift = np.zeros(len(at))
        if self.normalization is None or not self.problem.intercept:
            return shift
        shift = np.insert(self.normalization.shift, 0, 0.0)[at]
        sizes = np.diff(run.coefficient_ptr[run.first : run.last + 1])
        heads = np.cumsum(sizes) - sizes
        penalized = (penalty.precision[heads] > 0.0) | (penalty.l1[heads] > 0.0)
        bounded = np.isfinite(penalty.lower[heads]) | np.isfinite(penalty.upper[heads])
        shift[np.repeat(~penalized | bounded | known[heads], sizes)] = 0.0
        return shift

    def _solve(self, run: Run, penalty: Penalty, shift: Floats) -> None:
        entities = (run.row_ptr, run.coefficient_ptr, run.first, run.last)
        solution = (run.coefficients, run.margin, run.outcome)
        shared = (self.loss, run.block, run.offset, *entities, self.problem, penalty)
        if penalty.smooth and not shift.any():
            solve_entities(*shared, *solution)
        else:
            solve_constrained_entities(*shared, shift, *solution)

    def _solve_normalized(
        self, run: Run, at: NDArray[np.int64], penalty: Penalty, shift: Floats
    ) -> None:
        assert self.normalization is not None
        intercept = self.problem.intercept
        scale = np.insert(self.normalization.factor, 0, np.ones(intercept))[at]
        own = Normalization(scale, shift)
        cut = _normalized(run, own, intercept)
        self._solve(cut, own.unfold(penalty, 0), shift * scale)
        raw = cut.coefficients * scale
        _own(run, run.coefficients)[:] = np.clip(raw, penalty.lower, penalty.upper)


def _penalties(
    coefficients: Floats,
    penalty: Penalty,
    shift: Floats,
    intercepts: NDArray[np.int64],
    heads: NDArray[np.int64],
) -> Floats:
    """Return the penalty of every entity of a run; its coefficients begin at `heads`.

    Where features are shifted, an intercept pays for what it is of centred features.
    """
    pays = coefficients.copy()
    # entities without coefficients have no part in sums over parts
    some = np.diff(np.append(heads, len(coefficients))) > 0
    if shift.any():
        pays[intercepts] += np.add.reduceat(shift * coefficients, intercepts)
    apart = pays - penalty.mean
    each = 0.5 * penalty.precision * apart * apart + penalty.l1 * np.abs(pays)
    total = np.zeros(len(heads))
    total[some] = np.add.reduceat(each, heads[some])
    return total


def _positions(run: Run, intercept: int) -> NDArray[np.int64]:
    """Return where each coefficient of a run lies in a vector of all features' coefficients."""
    pointers = run.feature_ptr[run.first : run.last + 1]
    features = intercept + run.features[pointers[0] : pointers[-1]].astype(np.int64)
    if not intercept:
        return features
    return np.insert(features, pointers[:-1] - pointers[0], 0)


def _own(run: Run, coefficients: Floats) -> Floats:
    """Return the part of an array of coefficients that is the run's, not a copy."""
    return coefficients[run.coefficient_ptr[run.first] : run.coefficient_ptr[run.last]]


def _normalized(run: Run, own: Normalization, intercept: int) -> Run:
    """Return the run's entities alone, their rows and coefficients of scaled features."""
    rows = slice(run.row_ptr[run.first], run.row_ptr[run.last])
    indptr = run.block.indptr[rows.start : rows.stop + 1]
    inside = slice(indptr[0], indptr[-1])
    row_ptr = run.row_ptr[run.first : run.last + 1] - rows.start
    coefficient_ptr = run.coefficient_ptr[run.first : run.last + 1]
    coefficient_ptr = coefficient_ptr - coefficient_ptr[0]
    indices, values = run.block.indices[inside], run.block.values[inside].copy()
    indptr = indptr - inside.start
    scale_values(indptr, indices, row_ptr, coefficient_ptr, intercept, own.factor, values)
    return run._replace(
        block=Block(indptr, indices, values, run.block.label[rows], run.block.weight[rows]),
        offset=run.offset[rows],
        row_ptr=row_ptr,
        first=0,
        last=len(row_ptr) - 1,
        coefficients=_own(run, run.coefficients) / own.factor,
        coefficient_ptr=coefficient_ptr,
        margin=run.margin[rows],
        outcome=_cut(run.outcome, slice(run.first, run.last)),
    )


def _cut(outcome: Outcome, entities: slice) -> Outcome:
    """Return the outcome of some entities, not a copy."""
    return Outcome(
        outcome.status[entities],
        outcome.iterations[entities],
        outcome.gradient[entities],
        outcome.objective[entities],
        outcome.penalty[entities],
    )
