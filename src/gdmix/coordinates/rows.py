"""The weighted sum of losses over an engine's rows, and its Hessian, as functions to minimize."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.engine import BlockSum, Column, Engine, Rows
from gdmix.glm import kernels
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
            margin = self._margins(block, offset, coefficients)
            gradient = np.zeros_like(coefficients)
            value = kernels.value_and_gradient(
                self.loss, block, 0, len(margin), margin, self.intercept, gradient
            )
            return np.asarray(value), gradient

        value, gradient = self.engine.reduce(function, self.rows, self.shard, (self.offset,))
        return float(value), gradient

    def curvature(self, coefficients: Floats) -> CurvatureOverRows:
        """Return the Hessian at `coefficients`."""

        def function(block: Block, offset: Floats) -> Floats:
            margin = self._margins(block, offset, coefficients)
            kernels.curvature(self.loss, block, 0, len(margin), margin, margin)
            return margin

        column = self.engine.map(function, self.rows, self.shard, (self.offset,))
        return CurvatureOverRows(self, column, len(coefficients))

    def _margins(self, block: Block, offset: Floats, coefficients: Floats) -> Floats:
        margin = np.empty(len(offset))
        kernels.multiply(block, 0, len(margin), coefficients, self.intercept, margin)
        margin += offset
        return margin


@dataclass(frozen=True)
class CurvatureOverRows:
    """The Hessian at one point: rows, their curvatures, and a vector's product with both."""

    at: LossOverRows
    column: Column
    size: int

    def multiply(self, vector: Floats) -> Floats:
        """Return ``H v``."""

        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros(self.size)
            kernels.hessian_vector(block, 0, len(curve), curve, vector, self.at.intercept, out)
            return (out,)

        return self._sum(function)

    def diagonal(self) -> Floats:
        """Return the diagonal of ``H``."""

        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros(self.size)
            kernels.hessian_diagonal(block, 0, len(curve), curve, self.at.intercept, out)
            return (out,)

        return self._sum(function)

    def dense(self) -> Floats:
        """Return ``H`` itself, both triangles."""

        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros((self.size, self.size))
            kernels.hessian(block, 0, len(curve), curve, self.at.intercept, out)
            return (out,)

        upper = self._sum(function)
        return np.triu(upper) + np.triu(upper, 1).T

    def _sum(self, function: BlockSum) -> Floats:
        at = self.at
        return at.engine.reduce(function, at.rows, at.shard, (self.column,))[0]
