"""The fixed effect: one regression for all samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from gdmix.coordinates.base import Coordinate, Fit, Setting, Summary
from gdmix.coordinates.rows import LossOverRows
from gdmix.coordinates.sparsity import drop_small
from gdmix.data.sampling import Thinning
from gdmix.engine import Column, Engine, Rows
from gdmix.errors import ConfigError
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

    down_sampling: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the rows to train on, by the hash of uids; of labels 0 and 1 only "
        "the rows of label 0 are left out. The weights of the rest make up for it.",
    )

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Solve the regression against `offset`; see `Coordinate.fit`."""
        intercept, shard, start = int(self.intercept), setting.shard, setting.start
        every = rows
        rows, offset = self._active(engine, rows, setting, offset)
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
        drop_small(
            found.coefficients,
            self.sparsity_threshold,
            penalty,
            np.arange(intercept, dtype=np.int64),
        )
        part = LinearModel(shard, intercept, found.coefficients)
        own = penalty.value(found.coefficients)
        passive = engine.count(every) - engine.count(rows)
        summary = _summary(found)._replace(passive=passive)
        return Fit(part, part.score(engine, every), found.value, own, summary)

    def _active(
        self, engine: Engine, rows: Rows, setting: Setting, offset: Column
    ) -> tuple[Rows, Column]:
        """Return the rows that train, and their offset."""
        if self.down_sampling == 1.0:
            return rows, offset
        by = Thinning(self.down_sampling, setting.loss.binary(), setting.shard)
        left, take = engine.sample(rows, setting.shard, by)
        if not engine.count(left):
            raise ConfigError(
                "down_sampling",
                f"{self.down_sampling:g} leaves none of {engine.count(rows)} rows to train on",
                hint="take a larger share",
            )
        return left, take(offset)


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
