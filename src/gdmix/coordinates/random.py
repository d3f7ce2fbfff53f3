"""The random effect: a small regression for each entity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from gdmix.coordinates.base import Coordinate, Fit, Summary
from gdmix.engine import Column, Engine, EntityTable, Rows, Run
from gdmix.glm.groups import Problem, solve_entities
from gdmix.glm.losses import Loss
from gdmix.glm.status import Status
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

    def fit(
        self,
        engine: Engine,
        rows: Rows,
        shard: str,
        loss: Loss,
        offset: Column,
        start: EntityModel | None,
    ) -> Fit:
        """Solve every entity against `offset`; see `Coordinate.fit`."""
        bound = self.intercept_bound if loss.saturates() else math.inf
        problem = Problem(self.ridge, bound, self.tolerance, self.max_iterations)

        def solve(run: Run) -> None:
            solve_entities(
                loss,
                run.block,
                run.offset,
                run.row_ptr,
                run.coefficient_ptr,
                run.first,
                run.last,
                problem,
                run.coefficients,
                run.margin,
                run.outcome,
            )

        intercept = int(self.intercept)
        begin = None if start is None else start.table
        by = (self.entity, shard)
        table, scores = engine.group(solve, rows, by, offset, intercept, begin)
        part = EntityModel(shard, self.entity, intercept, table)
        objective = float(table.outcome.objective.sum())
        return Fit(part, scores, objective, _summary(table))

    def penalty(self, part: EntityModel) -> float:
        """Return the sum of the penalties of all entities' coefficient vectors."""
        intercepts, coefficients = part.split()
        ridge = self.ridge
        features = ridge.l2 * np.dot(coefficients, coefficients)
        return float(0.5 * (features + ridge.intercept_l2 * np.dot(intercepts, intercepts)))


def _summary(table: EntityTable) -> Summary:
    outcome = table.outcome
    kinds, counts = np.unique(outcome.status, return_counts=True)
    return Summary(
        entities=len(table.ids),
        coefficients=len(table.coefficients),
        statuses={Status(int(kind)): int(n) for kind, n in zip(kinds, counts, strict=True)},
        iterations=float(outcome.iterations.mean()) if len(table.ids) else 0.0,
        gradient=float(outcome.gradient.max(initial=0.0)),
    )
