"""What every coordinate has: options that all share, and the two things it does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.deep.target import Kind as TaskKind
from gdmix.engine import Column, Engine, Rows
from gdmix.glm.losses import Loss
from gdmix.glm.minimize import Record
from gdmix.glm.normalization import Normalization
from gdmix.glm.penalties import Penalty
from gdmix.glm.status import Status
from gdmix.options import INVALID, Options
from gdmix.schema import FeatureList

Floats = NDArray[np.float64]

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
    quantiles : tuple of int
        Iterations over models: least, quartiles, 95 of 100, most; empty for a fixed effect.
    trace : tuple of Record
        Of a fixed effect: objective, gradient norm and passes over the rows by iteration.
    passive : int
        Rows that were scored, not trained on.
    kept_entities : int
        Models of the initial model whose entities have no rows that train.
    kept_coefficients : int
        Coefficients of the initial model that no such row speaks of; those of `kept_entities` too.
    """

    entities: int
    coefficients: int
    statuses: dict[Status, int]
    iterations: float
    gradient: float
    quantiles: tuple[int, ...] = ()
    trace: tuple[Record, ...] = ()
    passive: int = 0
    kept_entities: int = 0
    kept_coefficients: int = 0


class Box(NamedTuple):
    """Bounds of coefficients, the intercept first.

    Attributes
    ----------
    lower, upper : float64[intercept + features]
    """

    lower: Floats
    upper: Floats


class HeldOut(NamedTuple):
    """Validation rows, for coordinates that watch them while they learn.

    Attributes
    ----------
    rows : Rows
    offset : Column
        The score of all others.
    metric : callable
        From a column of own scores to the first metric.
    larger_is_better : bool
    """

    rows: Rows
    offset: Column
    metric: Callable[[Column], float]
    larger_is_better: bool


class Setting(NamedTuple):
    """What a coordinate is fitted under; all but `start` holds for a whole descent.

    Attributes
    ----------
    shard : str
        The shard with the coordinate's features.
    loss : Loss
    start : LinearModel, EntityModel or None
        Where to begin.
    prior : LinearModel, EntityModel or None
        What was learnt before, in the same shard's positions: its coefficients and variances are
        the mean and the variance of a Gaussian prior. NaN where it knows nothing.
    box : Box or None
    normalization : Normalization or None
    previous : LinearModel, EntityModel or None
        What this coordinate was before this descent, whether or not it is a prior too. What no
        row speaks of stays as it is there.
    held_out : HeldOut or None
        Validation rows, where there are some.
    workspace : Path or None
        Folder for checkpoints of a long update; it is gone once the update is kept.
    name, task : str
        Of the coordinate, and what is modelled.
    """

    shard: str
    loss: Loss
    start: Part | None = None
    prior: Part | None = None
    box: Box | None = None
    normalization: Normalization | None = None
    previous: Part | None = None
    held_out: HeldOut | None = None
    workspace: Path | None = None
    name: str = ""
    task: TaskKind = "logistic"


class Fit(NamedTuple):
    """The outcome of one update.

    Attributes
    ----------
    part : LinearModel or EntityModel
    scores : Column
        The part's own score of every row.
    objective : float
        Weighted loss of the rows trained on, plus this coordinate's penalty.
    penalty : float
        This coordinate's penalty alone.
    summary : Summary
    """

    part: Part
    scores: Column
    objective: float
    penalty: float
    summary: Summary


class ElasticNet(Options):
    """``weight * (alpha * |b| + (1 - alpha) / 2 * b^2)`` for every coefficient."""

    weight: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Weight of the whole penalty."
    )
    alpha: float = Field(default=0.5, ge=0.0, le=1.0, description="Share of the L1 part.")


class Bound(Options):
    """Bounds of the coefficients whose name and term match; ``*`` and ``?`` stand for anything."""

    name: str = Field(min_length=1, description="Feature name; `(INTERCEPT)` for the intercept.")
    term: str = Field(default="*", description="Feature term.")
    lower: float | None = Field(default=None, allow_inf_nan=False, description="Least coefficient.")
    upper: float | None = Field(
        default=None, allow_inf_nan=False, description="Largest coefficient."
    )

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.lower is None and self.upper is None:
            found = "neither lower nor upper is there; give one, or both"
            raise PydanticCustomError(INVALID, "{text}", {"text": found})
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            found = f"lower: found {self.lower:g}, above upper {self.upper:g}"
            raise PydanticCustomError(INVALID, "{text}", {"text": found})
        return self


class Coordinate(Options):
    """A block of the model: what all kinds of it have."""

    features: FeatureList = Field(
        default=(),
        description="Columns, or names of bags; none leaves a model of intercepts alone.",
    )

    def standing_cost(
        self,
        engine: Engine,
        rows: Rows,
        setting: Setting,
    ) -> float:
        """Return what ``setting.previous`` pays where it stands."""
        return 0.0

    @abstractmethod
    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Solve this coordinate against `offset`, the score of all others.

        Parameters
        ----------
        engine : Engine
        rows : Rows
            Training data.
        setting : Setting
        offset : Column
        """


class Regressed(Coordinate):
    """A block of linear models: options that fixed and random effects share."""

    l2: float = Field(
        default=1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="L2 penalty: l2 / 2 times the sum of squared coefficients.",
    )
    l1: float = Field(
        default=0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="L1 penalty: l1 times the sum of absolute coefficients.",
    )
    elastic_net: ElasticNet | None = Field(
        default=None, description="Weight and alpha, in place of l1 and l2."
    )
    bounds: tuple[Bound, ...] = Field(
        default=(), description="Bounds of coefficients by feature name and term."
    )
    normalization: Literal["none", "standard_deviation", "max_magnitude", "standardization"] = (
        Field(
            default="none",
            description="Scale of features that the penalty sees; coefficients are saved for the "
            "features as they are. `standardization` also centres, and needs an intercept.",
        )
    )
    variance: Literal["none", "simple", "full"] = Field(
        default="none",
        description="Variances of coefficients: inverse of the Hessian's diagonal (`simple`), or "
        "diagonal of its inverse (`full`).",
    )
    prior_weight: float = Field(
        default=1.0,
        gt=0.0,
        allow_inf_nan=False,
        description="Weight of the prior in incremental training.",
    )
    intercept: bool = Field(default=True, description="Whether there is an intercept.")
    penalize_intercept: bool = Field(
        default=False, description="Whether the penalty holds for the intercept too."
    )
    tolerance: float = Field(
        default=1e-7,
        gt=0.0,
        lt=1.0,
        description="Stop when the gradient's norm is below this times its norm at zero.",
    )
    max_iterations: int = Field(default=300, ge=1, description="Most iterations of the solver.")
    sparsity_threshold: float = Field(
        default=0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Features' coefficients of at most this absolute value become zero after each "
        "update, unless bounds forbid zero.",
    )

    @model_validator(mode="after")
    def _require_one_penalty(self) -> Self:
        for name in ("l1", "l2"):
            if self.elastic_net is not None and name in self.model_fields_set:
                found = f"{name}: given beside elastic_net, which stands in its place; remove one"
                raise PydanticCustomError(INVALID, "{text}", {"text": found})
        return self

    @model_validator(mode="after")
    def _require_coefficients(self) -> Self:
        if not self.features and not self.intercept:
            raise PydanticCustomError(
                INVALID, "features: no features and no intercept: nothing to learn"
            )
        if self.normalization == "standardization" and not self.intercept:
            text = "normalization: `standardization` centres features, which needs an intercept; "
            raise PydanticCustomError(
                INVALID, text + "expected `intercept: true`, or `standard_deviation`"
            )
        return self

    def penalty(self, width: int, setting: Setting) -> Penalty:
        """Return the penalty of a vector of all features' coefficients, the intercept first.

        It holds for the coefficients of normalized features, and knows no prior.
        """
        l1, l2 = self.l1, self.l2
        if self.elastic_net is not None:
            weight, alpha = self.elastic_net.weight, self.elastic_net.alpha
            l1, l2 = weight * alpha, weight * (1.0 - alpha)
        intercept = int(self.intercept)
        size = intercept + width
        penalty = Penalty.ridge(np.full(size, l2))._replace(l1=np.full(size, l1))
        if intercept and not self.penalize_intercept:
            penalty.precision[0] = penalty.l1[0] = 0.0
        if setting.box is not None:
            penalty = penalty._replace(lower=setting.box.lower, upper=setting.box.upper)
        return penalty

    def standing_cost(
        self,
        engine: Engine,
        rows: Rows,
        setting: Setting,
        which: NDArray[np.integer] | slice = slice(None),
    ) -> float:
        """Return the penalty of coefficients of ``setting.previous``, where they stand.

        One with a prior is at its mean, and pays nothing for it.
        """
        previous = setting.previous
        assert previous is not None
        held: Part = getattr(previous, "table", previous)
        positions, coefficients = previous.positions(), held.coefficients
        pays = coefficients
        penalty = self.penalty(engine.width(rows, setting.shard), setting)
        if setting.normalization is not None:
            penalty = setting.normalization.fold(penalty, int(self.intercept))
            if self.intercept and not np.isfinite([penalty.lower[0], penalty.upper[0]]).any():
                pays = setting.normalization.centred(coefficients, positions)
        penalty = penalty.take(positions[which])
        if setting.prior is not None:
            variances = held.variances
            penalty = penalty.with_prior(coefficients[which], variances[which], self.prior_weight)
            pays = np.where(np.isfinite(variances), coefficients, pays)
        return penalty.value(pays[which])
