"""The fixed effect that is given: scores of a model outside, on which the others build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.coordinates.base import Fit, Setting, Summary
from gdmix.coordinates.fixed import FixedEffect
from gdmix.engine import Column, Engine, Rows
from gdmix.glm.status import Status
from gdmix.models.linear import LinearModel
from gdmix.options import INVALID

_GIVEN = ("score", "scale", "learn_scale", "features", "intercept", "l2")


class ExternalEffect(FixedEffect):
    """Scores from a column, as they are, or times a scale that is learnt.

    A row whose score is null has none: it scores 0.
    """

    positional: ClassVar[tuple[str, ...]] = ("score",)

    score: str = Field(min_length=1, description="Column of scores of a model outside.")
    scale: float = Field(
        default=1.0, allow_inf_nan=False, description="Factor of the scores, unless it is learnt."
    )
    learn_scale: bool = Field(
        default=False,
        description="Whether the factor is fitted, as the only coefficient of a fixed effect; "
        "then that has all its options.",
    )
    l2: float = Field(
        default=0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="L2 penalty of a scale that is learnt.",
    )
    intercept: bool = Field(
        default=False, description="Whether an intercept is learnt beside the scale."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_the_score(cls, values: object) -> object:
        if isinstance(values, Mapping) and isinstance(values.get("score"), str):
            feature = {"column": values["score"], "kind": "numeric"}
            return {**values, "features": values.get("features", [feature])}
        return values

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        problem = ""
        if [feature.column for feature in self.features] != [self.score]:
            problem = "features: an external effect has none but its score; remove this option"
        elif self.learn_scale and "scale" in self.model_fields_set and self.scale != 1.0:
            problem = "scale: found beside `learn_scale: true`; remove one of the two"
        elif not self.learn_scale:
            for name in self.model_fields_set.difference(_GIVEN) | self._learnt():
                problem = f"{name}: nothing is learnt; set `learn_scale: true`, or remove it"
        if problem:
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self

    def _learnt(self) -> set[str]:
        return {name for name, is_set in (("intercept", self.intercept), ("l2", self.l2)) if is_set}

    if TYPE_CHECKING:
        # the score may be given without its name

        def __init__(self, score: str, **options: Any) -> None: ...  # noqa: ANN401

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Return the scores as they are; or fit their scale as `FixedEffect.fit` does."""
        if self.learn_scale:
            return super().fit(engine, rows, setting, offset)
        width = engine.width(rows, setting.shard)
        part = LinearModel(setting.shard, 0, np.full(width, self.scale))
        own = part.score(engine, rows)
        loss = engine.weighted_loss(setting.loss, rows, offset + own)
        return Fit(part, own, loss, 0.0, Summary(1, width, {Status.CONVERGED: 1}, 0.0, 0.0))
