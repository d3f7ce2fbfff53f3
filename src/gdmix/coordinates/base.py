"""What every coordinate has: options that all share, and the two things it does."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.engine import Column, Engine, Rows
from gdmix.glm.losses import Loss
from gdmix.glm.penalties import Ridge
from gdmix.glm.status import Status
from gdmix.options import INVALID, Options
from gdmix.schema import FeatureList

Part = Any
"""`LinearModel` or `EntityModel`."""


class Summary(NamedTuple):
    """How one update of a coordinate went.

    Attributes
    ----------
    entities : int
        Models trained; 1 for a fixed effect.
    coefficients : int
    statuses : dict of Status to int
        How many models stopped for which reason.
    iterations : float
        Mean over models.
    gradient : float
        Largest gradient norm over models, relative to that at zero coefficients.
    """

    entities: int
    coefficients: int
    statuses: dict[Status, int]
    iterations: float
    gradient: float


class Fit(NamedTuple):
    """The outcome of one update.

    Attributes
    ----------
    part : LinearModel or EntityModel
    scores : Column
        The part's own score of every row.
    objective : float
        Weighted loss plus this coordinate's penalty.
    summary : Summary
    """

    part: Part
    scores: Column
    objective: float
    summary: Summary


class Coordinate(Options):
    """Options that fixed and random effects share."""

    features: FeatureList = Field(
        default=(),
        description="Columns, or names of bags; none leaves a model of intercepts alone.",
    )
    l2: float = Field(
        default=1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="L2 penalty: l2 / 2 times the sum of squared coefficients.",
    )
    intercept: bool = Field(default=True, description="Whether there is an intercept.")
    penalize_intercept: bool = Field(
        default=False, description="Whether the L2 penalty holds for the intercept too."
    )
    tolerance: float = Field(
        default=1e-7,
        gt=0.0,
        lt=1.0,
        description="Stop when the gradient's norm is below this times its norm at zero.",
    )
    max_iterations: int = Field(default=300, ge=1, description="Most iterations of the solver.")

    @model_validator(mode="after")
    def _require_coefficients(self) -> Self:
        if not self.features and not self.intercept:
            raise PydanticCustomError(
                INVALID, "features: no features and no intercept: nothing to learn"
            )
        return self

    @property
    def ridge(self) -> Ridge:
        """The penalty of this coordinate's coefficient vectors."""
        intercept_l2 = self.l2 if self.penalize_intercept else 0.0
        return Ridge(self.l2, intercept_l2, int(self.intercept))

    @abstractmethod
    def fit(
        self, engine: Engine, rows: Rows, shard: str, loss: Loss, offset: Column, start: Part | None
    ) -> Fit:
        """Solve this coordinate to tolerance against `offset`, the score of all others.

        Parameters
        ----------
        engine : Engine
        rows : Rows
            Training data.
        shard : str
            The shard with this coordinate's features.
        loss : Loss
        offset : Column
        start : LinearModel, EntityModel or None
            Where to begin.
        """

    @abstractmethod
    def penalty(self, part: Part) -> float:
        """Return the penalty of what this coordinate learnt."""
