"""The fixed effect: one regression for all samples."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.coordinates.base import Fit, Regressed, Setting, Summary
from gdmix.coordinates.keeping import Kept
from gdmix.coordinates.regression import Regression
from gdmix.coordinates.rows import LossOverRows
from gdmix.coordinates.sparsity import drop_small
from gdmix.data.sampling import Thinning
from gdmix.engine import Column, Engine, Rows
from gdmix.errors import ConfigError
from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.minimize import Method, Minimum, minimize
from gdmix.glm.newton import Newton
from gdmix.glm.penalties import Penalty
from gdmix.glm.piecewise import Piecewise
from gdmix.glm.subgradient import Edges
from gdmix.glm.tron import TRON
from gdmix.glm.variance import LARGEST_DENSE
from gdmix.models.linear import LinearModel
from gdmix.options import INVALID

Optimizer = Literal["auto", "lbfgs", "tron", "newton", "owlqn", "lbfgsb"]

NEWTON_LIMIT = 256
"""Most coefficients for which `auto` takes Newton's method under L1 terms or bounds."""


class FixedEffect(Regressed):
    """One coefficient vector for all samples."""

    optimizer: Optimizer = Field(
        default="auto",
        description="`auto`: `lbfgs`; under an L1 penalty or bounds `newton` up to "
        f"{NEWTON_LIMIT} coefficients, beyond `owlqn` or `lbfgsb`. `tron` is for ill-conditioned "
        "data of many features.",
    )

    down_sampling: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the rows to train on, by the hash of uids; of labels 0 and 1 only "
        "the rows of label 0 are left out. The weights of the rest make up for it.",
    )

    @model_validator(mode="after")
    def _require_fit(self) -> Self:
        misfit, able = "", ""
        if self._kinked and self.optimizer in ("lbfgs", "tron", "lbfgsb"):
            misfit = "elastic_net with an L1 part" if self.elastic_net is not None else "l1"
            able = "auto, owlqn or newton"
        elif self.bounds and self.optimizer in ("lbfgs", "tron"):
            misfit, able = "bounds", "auto, lbfgsb, owlqn or newton"
        if misfit:
            found = f"optimizer: found {self.optimizer!r} with {misfit}; expected {able}"
            raise PydanticCustomError(INVALID, "{text}", {"text": found})
        return self

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Solve the regression against `offset`; see `Coordinate.fit`.

        Raises
        ------
        ConfigError
            Full variances, or Newton's method, are asked for too many coefficients.
        """
        intercept, shard, every = int(self.intercept), setting.shard, rows
        rows, offset = self._active(engine, rows, setting, offset)
        width = engine.width(rows, shard)
        self._require_room(intercept + width)
        loss = LossOverRows(engine, rows, shard, setting.loss, offset, intercept)
        penalty = self.penalty(width, setting)
        problem = Regression.of(loss, penalty, setting, self.prior_weight, intercept)
        kept = None if setting.previous is None else Kept.of(setting.previous, loss)
        found = self._minimize(problem if kept is None else kept.held(problem), setting.start)
        coefficients = problem.end(found.coefficients)
        heads = np.arange(intercept, dtype=np.int64)
        drop_small(coefficients, self.sparsity_threshold, problem.penalty, heads)
        variances = None
        if self.variance != "none":
            variances = problem.variances(coefficients, self.variance == "full")
        part = LinearModel(shard, intercept, coefficients, variances)
        summary = _summary(found)._replace(passive=engine.count(every) - engine.count(rows))
        if kept is not None:
            part = kept.restored(part, problem.penalty)
            summary = summary._replace(kept_coefficients=len(kept.at))
        own = problem.cost(part.coefficients)
        return Fit(part, part.score(engine, every), found.value, own, summary)

    def _minimize(self, problem: Regression, start: LinearModel | None) -> Minimum:
        objective = problem.objective
        zeros = np.zeros(len(problem.penalty.mean))
        return minimize(
            objective,
            zeros if start is None else problem.begin(start.coefficients).copy(),
            self._method(objective.penalty),
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            slope_at_zero=objective.penalty.smooth_value_and_gradient(zeros)[1],
        )

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

    def _method(self, penalty: Penalty) -> Method:
        edges = Edges(penalty.l1, penalty.lower, penalty.upper)
        chosen = self._chosen(len(penalty.l1), bool(penalty.l1.any()), penalty.bounded)
        if chosen == "newton":
            return Newton(None if penalty.smooth else edges)
        if chosen in ("owlqn", "lbfgsb"):
            return Piecewise(edges)
        return TRON() if chosen == "tron" else LBFGS()

    def optimizer_for(self, width: int) -> Optimizer:
        """Return what ``auto`` stands for, given the number of features."""
        return self._chosen(int(self.intercept) + width, self._kinked, bool(self.bounds))

    def _chosen(self, size: int, kinked: bool, bounded: bool) -> Optimizer:
        if self.optimizer != "auto":
            return self.optimizer
        if not (kinked or bounded):
            return "lbfgs"
        if size <= NEWTON_LIMIT:
            return "newton"
        return "owlqn" if kinked else "lbfgsb"

    @property
    def _kinked(self) -> bool:
        """Whether there is an L1 term."""
        if self.elastic_net is not None:
            return self.elastic_net.weight * self.elastic_net.alpha > 0.0
        return self.l1 > 0.0

    def _require_room(self, size: int) -> None:
        for option, value in (("variance", "full"), ("optimizer", "newton")):
            if getattr(self, option) == value and size > LARGEST_DENSE:
                other = "simple" if option == "variance" else "auto"
                raise ConfigError(
                    f"{option}: {value}",
                    f"found {size} coefficients",
                    f"at most {LARGEST_DENSE}",
                    f"{option}: {other} knows no limit",
                )


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
