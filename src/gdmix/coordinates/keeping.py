"""Coefficients of a fixed effect that no row speaks of: they stay what they were."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates.regression import Regression
from gdmix.coordinates.rows import LossOverRows
from gdmix.glm.kernels import Block
from gdmix.glm.penalties import Penalty
from gdmix.models.linear import LinearModel

Floats = NDArray[np.float64]


class Kept(NamedTuple):
    """What stays of an earlier model.

    Attributes
    ----------
    previous : LinearModel
    at : int64
        Which of its coefficients: those of features that are 0 in every row with a weight.
    """

    previous: LinearModel
    at: NDArray[np.int64]

    @classmethod
    def of(cls, previous: LinearModel, rows: LossOverRows) -> Kept:
        """Look through the rows for features without data; this is one pass."""
        size, intercept = len(previous.coefficients), rows.intercept
        function = partial(_counts, size - intercept, intercept)
        counts = rows.engine.reduce(function, rows.rows, rows.shard)[0]
        return cls(previous, np.flatnonzero(counts == 0.0))

    def held(self, problem: Regression) -> Regression:
        """Return a regression in which they do not move."""
        penalty = problem.penalty.held(self.at, self.previous.coefficients[self.at])
        return replace(problem, penalty=penalty)

    def restored(self, part: LinearModel, penalty: Penalty) -> LinearModel:
        """Return a part with their very bits, within the bounds, and their old variances."""
        at, was = self.at, self.previous
        coefficients = part.coefficients.copy()
        coefficients[at] = np.clip(was.coefficients[at], penalty.lower[at], penalty.upper[at])
        if part.variances is None:
            return LinearModel(part.shard, part.intercept, coefficients)
        variances = part.variances.copy()
        variances[at] = np.nan if was.variances is None else was.variances[at]
        return LinearModel(part.shard, part.intercept, coefficients, variances)


def _counts(width: int, intercept: int, block: Block) -> tuple[Floats, ...]:
    """Count the rows with a weight, and those of them in which each feature is not 0."""
    inside = slice(block.indptr[0], block.indptr[-1])
    weighs = block.weight > 0.0
    told = np.repeat(weighs, np.diff(block.indptr)) & (block.values[inside] != 0.0)
    at = block.indices[inside][told]
    counts = np.bincount(at, minlength=width).astype(np.float64)
    return (np.insert(counts, 0, np.full(intercept, weighs.sum())),)
