"""Coefficients of a fixed effect that no row speaks of: they stay what they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates.rows import CurvatureOverRows, LossOverRows
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

        def weighs(block: Block, offset: Floats) -> Floats:
            return (block.weight > 0.0).astype(np.float64)

        counted = rows.engine.map(weighs, rows.rows, rows.shard, (rows.offset,))
        size = len(previous.coefficients)
        squares = CurvatureOverRows(rows, counted, size).diagonal()
        return cls(previous, np.flatnonzero(squares == 0.0))

    def held(self, penalty: Penalty) -> Penalty:
        """Return a penalty under which they do not move."""
        return penalty.held(self.at, self.previous.coefficients[self.at])

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
