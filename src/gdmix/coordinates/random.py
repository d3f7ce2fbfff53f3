"""The random effect: a small regression for each entity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gdmix.coordinates.base import Coordinate, Fit, Setting, Summary
from gdmix.coordinates.entities import EntitySolver
from gdmix.engine import Column, Engine, EntityTable, Grouping, Rows
from gdmix.glm.groups import Problem
from gdmix.glm.status import Status
from gdmix.models.carrying import with_kept
from gdmix.models.entity import EntityModel


class RandomEffect(Coordinate):
    """One coefficient vector for each entity: user, item, advertiser.

    Each entity knows the features that its own samples have. Its intercept is part of the effect
    and shrinks like the rest unless asked otherwise.
    """

    positional: ClassVar[tuple[str, ...]] = ("entity",)

    entity: str = Field(min_length=1, description="Column with the entity's id.")
    penalize_intercept: bool = Field(
        default=True, description="Whether the L2 penalty holds for the intercept too."
    )
    intercept_bound: float = Field(
        default=10.0,
        gt=0.0,
        description="Largest absolute value of an unpenalized intercept (labels of one class).",
    )

    if TYPE_CHECKING:
        # the entity may be given without its name

        def __init__(self, entity: str, **options: Any) -> None: ...  # noqa: ANN401

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Solve every entity against `offset`; see `Coordinate.fit`."""
        intercept, loss = int(self.intercept), setting.loss
        bound = self.intercept_bound if loss.saturates() else math.inf
        problem = Problem(intercept, bound, self.tolerance, self.max_iterations)
        penalty = self.penalty(engine.width(rows, setting.shard), setting)
        if setting.normalization is not None:
            penalty = setting.normalization.fold(penalty, intercept)
        solve = EntitySolver(
            loss, problem, penalty, self.prior_weight, setting.normalization, self.variance
        )
        begin = None if setting.start is None else setting.start.table
        by = Grouping(self.entity, setting.shard, intercept)
        prior = None if setting.prior is None else setting.prior.table
        table, scores = engine.group(solve, rows, by, offset, begin, prior)
        if self.variance == "none":
            table = table._replace(variances=None)
        objective = float(table.outcome.objective.sum())
        own = float(table.outcome.penalty.sum())
        summary = _summary(table)
        if setting.previous is None:
            return Fit(self._part(setting, table), scores, objective, own, summary)
        merged, kept = with_kept(table, setting.previous.table, intercept)
        own += self.standing_cost(engine, rows, setting, kept)
        summary = summary._replace(
            kept_entities=len(merged.ids) - len(table.ids), kept_coefficients=len(kept)
        )
        part = self._part(setting, merged)
        # rows that train no model may have one that is kept
        return Fit(part, part.score(engine, rows), objective, own, summary)

    def _part(self, setting: Setting, table: EntityTable) -> EntityModel:
        return EntityModel(setting.shard, self.entity, int(self.intercept), table)


def _summary(table: EntityTable) -> Summary:
    outcome = table.outcome
    kinds, counts = np.unique(outcome.status, return_counts=True)
    return Summary(
        entities=len(table.ids),
        coefficients=len(table.coefficients),
        statuses={Status(int(kind)): int(n) for kind, n in zip(kinds, counts, strict=True)},
        iterations=float(outcome.iterations.mean()) if len(table.ids) else 0.0,
        gradient=float(outcome.gradient.max(initial=0.0)),
        quantiles=_quantiles(outcome.iterations),
    )


def _quantiles(iterations: NDArray[np.int32]) -> tuple[int, ...]:
    if not len(iterations):
        return ()
    shares = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
    return tuple(int(q) for q in np.quantile(iterations, shares, method="inverted_cdf"))
