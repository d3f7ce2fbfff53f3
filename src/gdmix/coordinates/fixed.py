"""The fixed effect: one regression for all samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from gdmix.coordinates.base import Coordinate, Fit, Setting, Summary
from gdmix.coordinates.rows import LossOverRows
from gdmix.engine import Column, Engine, Rows
from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.minimize import Method, Minimum, minimize
from gdmix.glm.objective import Objective
from gdmix.glm.tron import TRON
from gdmix.models.linear import LinearModel

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
            LossOverRows(engine, rows, shard, setting.loss, offset, intercept), penalty
        )
        found = minimize(
            objective,
            np.zeros(intercept + width) if start is None else start.coefficients.copy(),
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
