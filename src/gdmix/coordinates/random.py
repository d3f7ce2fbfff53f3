"""The random effect: a small regression for each entity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.coordinates.base import Fit, Regressed, Setting, Summary
from gdmix.coordinates.entities import EntitySolver
from gdmix.coordinates.sparsity import without_zeros
from gdmix.data.sampling import Kind, Sampling
from gdmix.engine import Column, Engine, EntityTable, Grouping, Rows, Run
from gdmix.glm.groups import Problem
from gdmix.glm.status import Status
from gdmix.models.carrying import with_kept
from gdmix.models.entity import EntityModel
from gdmix.options import INVALID


class RandomEffect(Regressed):
    """One coefficient vector for each entity: user, item, advertiser.

    Each entity knows the features that its own samples have. Its intercept is part of the effect
    and shrinks like the rest unless asked otherwise.
    """

    positional: ClassVar[tuple[str, ...]] = ("entity",)

    entity: str = Field(min_length=1, description="Column with the entity's id.")
    penalize_intercept: bool = Field(
        default=True, description="Whether the penalty holds for the intercept too."
    )
    intercept_bound: float = Field(
        default=10.0,
        gt=0.0,
        description="Largest absolute value of an unpenalized intercept (labels of one class).",
    )

    active_lower_bound: int | None = Field(
        default=None, ge=1, description="Entities with fewer samples get no model: they score 0."
    )
    active_upper_bound: int | None = Field(
        default=None,
        ge=1,
        description="Most samples of an entity that train its model; the others are passive: they "
        "are scored all the same.",
    )
    active_sampling: Kind = Field(
        default="exact",
        description="How an upper bound chooses by the hash of uids: `exact` takes that many and "
        "raises their weights to stand for all; `hash_groups`, as GDMix, takes one of "
        "`samples // bound + 1` groups, and weights stay.",
    )
    ignore_lower_bound_for_new: bool = Field(
        default=False,
        description="Whether entities that the initial model does not know are spared the lower "
        "bound; without an initial model it holds for all.",
    )
    features_to_samples_ratio: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description="Most features of an entity, as a multiple of the samples that train its "
        "model: those that correlate best with the label stay.",
    )

    @model_validator(mode="after")
    def _check_sampling(self) -> Self:
        lower, upper = self.active_lower_bound, self.active_upper_bound
        problem = ""
        if lower is not None and upper is not None and upper < lower:
            problem = f"active_upper_bound: found {upper}, below active_lower_bound {lower}"
        elif upper is None and self.active_sampling != "exact":
            problem = f"active_sampling: found {self.active_sampling!r} without active_upper_bound"
        elif lower is None and self.ignore_lower_bound_for_new:
            problem = "ignore_lower_bound_for_new: there is no active_lower_bound to ignore"
        if problem:
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self

    @property
    def sampling(self) -> Sampling:
        """Which rows of an entity train its model."""
        return Sampling(
            self.active_lower_bound or 1,
            self.active_upper_bound,
            self.active_sampling,
            self.features_to_samples_ratio,
            self.ignore_lower_bound_for_new,
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
            loss,
            problem,
            penalty,
            self.prior_weight,
            setting.normalization,
            self.variance,
            self.sparsity_threshold,
        )
        begin = None if setting.start is None else setting.start.table
        by = Grouping(self.entity, setting.shard, intercept, self.sampling)
        prior = None if setting.prior is None else setting.prior.table
        known = None if setting.previous is None else setting.previous.table.ids
        offset = self._beside(engine, rows, setting, by, offset)
        table, scores = engine.group(solve, rows, by, offset, begin, prior, known)
        if self.variance == "none":
            table = table._replace(variances=None)
        objective = float(table.outcome.objective.sum())
        own = float(table.outcome.penalty.sum())
        summary = _summary(table, engine.count(rows) - int(table.samples.sum()))
        if setting.previous is not None:
            trained = len(table.ids)
            table, kept = with_kept(table, setting.previous.table, intercept)
            own += self.standing_cost(engine, rows, setting, kept)
            summary = summary._replace(
                kept_entities=len(table.ids) - trained, kept_coefficients=len(kept)
            )
        if self.sparsity_threshold > 0.0:
            # not before: what became zero today must not be what it was yesterday
            table = without_zeros(table, intercept)
        part = EntityModel(setting.shard, self.entity, intercept, table)
        if self.sparsity_threshold > 0.0 or setting.previous is not None:
            # rows that train no model may have one that is kept
            scores = part.score(engine, rows)
        return Fit(part, scores, objective, own, summary)

    def _beside(
        self, engine: Engine, rows: Rows, setting: Setting, by: Grouping, offset: Column
    ) -> Column:
        """Add to `offset` the coefficients kept of features that rows have, but do not train."""
        previous = setting.previous
        if previous is None or self.features_to_samples_ratio is None:
            return offset
        nothing, _ = engine.group(_leave, rows, by, offset, None, None, previous.table.ids)
        kept, _ = with_kept(nothing, previous.table, by.intercept)
        return offset + EntityModel(by.shard, by.entity, by.intercept, kept).score(engine, rows)


def _leave(run: Run) -> None:
    """Leave all coefficients at zero."""


def _summary(table: EntityTable, passive: int) -> Summary:
    outcome = table.outcome
    kinds, counts = np.unique(outcome.status, return_counts=True)
    return Summary(
        entities=len(table.ids),
        coefficients=len(table.coefficients),
        statuses={Status(int(kind)): int(n) for kind, n in zip(kinds, counts, strict=True)},
        iterations=float(outcome.iterations.mean()) if len(table.ids) else 0.0,
        gradient=float(outcome.gradient.max(initial=0.0)),
        quantiles=_quantiles(outcome.iterations),
        passive=passive,
    )


def _quantiles(iterations: NDArray[np.int32]) -> tuple[int, ...]:
    if not len(iterations):
        return ()
    shares = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
    return tuple(int(q) for q in np.quantile(iterations, shares, method="inverted_cdf"))
