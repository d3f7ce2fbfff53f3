"""The fixed effect: one regression for all samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gdmix.coordinates.base import Coordinate, Fit, Setting, Summary
from gdmix.engine import BlockSum, Column, Engine, Rows
from gdmix.glm import kernels
from gdmix.glm.kernels import Block
from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.losses import Loss
from gdmix.glm.minimize import Method, Minimum, minimize
from gdmix.glm.objective import Objective
from gdmix.glm.tron import TRON
from gdmix.models.linear import LinearModel

Floats = NDArray[np.float64]

_METHODS: dict[str, Method] = {"lbfgs": LBFGS(), "tron": TRON()}


class FixedEffect(Coordinate):
    """One coefficient vector for all samples, by L-BFGS or TRON."""

    optimizer: Literal["lbfgs", "tron"] = Field(
        default="lbfgs",
        description="`tron` needs fewer, costlier iterations; better on ill-conditioned data.",
    )

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Solve the regression against `offset`; see `Coordinate.fit`."""
        intercept, shard, start = int(self.intercept), setting.shard, setting.start
        width = engine.width(rows, shard)
        penalty = self.penalty(width, setting)
        objective = Objective(
            _LossOverRows(engine, rows, shard, setting.loss, offset, intercept), penalty
        )
        found = minimize(
            objective,
            np.zeros(intercept + width) if start is None else start.coefficients,
            _METHODS[self.optimizer],
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
        part = LinearModel(shard, intercept, found.coefficients)
        own = penalty.value(found.coefficients)
        return Fit(part, part.score(engine, rows), found.value, own, _summary(found))


def _summary(found: Minimum) -> Summary:
    size = len(found.coefficients)
    return Summary(
        1,
        size,
        {found.status: 1},
        float(found.iterations),
        found.gradient,
        trace=found.trace,
    )


@dataclass(frozen=True)
class _LossOverRows:
    """The weighted sum of losses as a function of the coefficients; every use is one pass."""

    engine: Engine
    rows: Rows
    shard: str
    loss: Loss
    offset: Column
    intercept: int

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        def function(block: Block, offset: Floats) -> tuple[Floats, ...]:
            margin = self._margins(block, offset, coefficients)
            gradient = np.zeros_like(coefficients)
            value = kernels.value_and_gradient(
                self.loss, block, 0, len(margin), margin, self.intercept, gradient
            )
            return np.asarray(value), gradient

        value, gradient = self.engine.reduce(function, self.rows, self.shard, (self.offset,))
        return float(value), gradient

    def curvature(self, coefficients: Floats) -> _CurvatureOverRows:
        def function(block: Block, offset: Floats) -> Floats:
            margin = self._margins(block, offset, coefficients)
            kernels.curvature(self.loss, block, 0, len(margin), margin, margin)
            return margin

        column = self.engine.map(function, self.rows, self.shard, (self.offset,))
        return _CurvatureOverRows(self, column, len(coefficients))

    def _margins(self, block: Block, offset: Floats, coefficients: Floats) -> Floats:
        margin = np.empty(len(offset))
        kernels.multiply(block, 0, len(margin), coefficients, self.intercept, margin)
        margin += offset
        return margin


@dataclass(frozen=True)
class _CurvatureOverRows:
    at: _LossOverRows
    column: Column
    size: int

    def multiply(self, vector: Floats) -> Floats:
        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros(self.size)
            kernels.hessian_vector(block, 0, len(curve), curve, vector, self.at.intercept, out)
            return (out,)

        return self._sum(function)

    def diagonal(self) -> Floats:
        def function(block: Block, curve: Floats) -> tuple[Floats, ...]:
            out = np.zeros(self.size)
            kernels.hessian_diagonal(block, 0, len(curve), curve, self.at.intercept, out)
            return (out,)

        return self._sum(function)

    def _sum(self, function: BlockSum) -> Floats:
        at = self.at
        return at.engine.reduce(function, at.rows, at.shard, (self.column,))[0]
