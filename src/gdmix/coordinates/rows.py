"""The weighted sum of losses over an engine's rows, and its Hessian, as functions to minimize."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gdmix.engine import BlockSum, Column, Engine, Rows
from gdmix.glm import kernels, passes, tiles
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LossOverRows:
    """The weighted sum of losses as a function of the coefficients; every use is one pass."""

    engine: Engine
    rows: Rows
    shard: str
    loss: Loss
    offset: Column
    intercept: int

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the weighted sum of losses and its gradient."""

        def function(block: Block, offset: Floats) -> tuple[Floats, ...]:
            gradient = np.zeros(len(coefficients))
            value = passes.value_and_gradient(
                self.loss, block, self.full, offset, coefficients, self.intercept, gradient
            )
            return np.asarray(value), gradient

        value, gradient = self.engine.reduce(function, self.rows, self.shard, (self.offset,))
        return float(value), gradient

    def curvature(self, coefficients: Floats) -> CurvatureOverRows:
        """Return the Hessian at `coefficients`."""
        return CurvatureOverRows(self, coefficients)

    @cached_property
    def full(self) -> int:
        """Number of features when every row holds all of them in order, else 0."""
        return self.engine.full(self.rows, self.shard)


@dataclass(frozen=True)
class CurvatureOverRows:
    """The Hessian at one point. All but `multiply` take one pass over the rows.

    Attributes
    ----------
    at : LossOverRows
    coefficients : float64[d]
        The point.
    """

    at: LossOverRows
    coefficients: Floats

    def multiply(self, vector: Floats) -> Floats:
        """Return ``H v``: one pass, and one more at the first call."""

        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros(len(vector))
            passes.hessian_vector(block, self.at.full, curve, vector, self.at.intercept, out)
            return (out,)

        at = self.at
        return at.engine.reduce(function, at.rows, at.shard, (self._column,))[0]

    def diagonal(self) -> Floats:
        """Return the diagonal of ``H``."""

        def function(block: Block, offset: Floats) -> tuple[Floats, ...]:
            at, point = self.at, self.coefficients
            out = np.zeros(len(point))
            passes.hessian_diagonal(at.loss, block, at.full, offset, point, at.intercept, out)
            return (out,)

        return self._sum(function)

    def dense(self) -> Floats:
        """Return ``H`` itself, both triangles."""
        intercept = self.at.intercept
        width = len(self.coefficients) - intercept

        def function(block: Block, offset: Floats) -> tuple[Floats, ...]:
            return (tiles.hessian(block, self._curve(block, offset), width, intercept),)

        upper = self._sum(function)
        return np.asarray(upper + np.triu(upper, 1).T)

    @cached_property
    def _column(self) -> Column:
        at = self.at
        return at.engine.map(self._curve, at.rows, at.shard, (at.offset,))

    def _curve(self, block: Block, offset: Floats) -> Floats:
        curve = np.empty(len(offset))
        at = self.at
        passes.multiply(block, at.full, self.coefficients, at.intercept, curve)
        curve += offset
        kernels.curvature(at.loss, block, 0, len(curve), curve, curve)
        return curve

    def _sum(self, function: BlockSum) -> Floats:
        at = self.at
        return at.engine.reduce(function, at.rows, at.shard, (at.offset,))[0]
