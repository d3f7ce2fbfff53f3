"""The regression of a fixed effect: which penalty, in which units, and the variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates.base import Setting
from gdmix.glm.normalization import Normalization
from gdmix.glm.normalized import NormalizedLoss
from gdmix.glm.objective import Objective, SmoothFunction
from gdmix.glm.penalties import Penalty
from gdmix.glm.variance import full_variances, simple_variances

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Regression:
    """One problem in raw units, and in the units in which it is solved.

    Attributes
    ----------
    raw : SmoothFunction
        The loss as a function of raw coefficients.
    penalty : Penalty
        Of raw coefficients. Where features are centred, the intercept's holds for that of centred
        features: ``b_0 + shift . b``.
    units : Normalization or None
        From solved to raw coefficients.
    intercept : int
    """

    raw: SmoothFunction
    penalty: Penalty
    units: Normalization | None
    intercept: int

    @classmethod
    def of(
        cls, raw: SmoothFunction, penalty: Penalty, setting: Setting, weight: float, intercept: int
    ) -> Regression:
        """Return the regression with the setting's normalization and prior.

        Parameters
        ----------
        raw : SmoothFunction
        penalty : Penalty
            For normalized features, its bounds for raw ones.
        setting : Setting
        weight : float
            Of the prior.
        intercept : int

        Notes
        -----
        A prior or a bound holds for the intercept as it is saved. Features are not centred then;
        that matters to a penalized intercept alone.
        """
        units = setting.normalization
        if units is not None:
            penalty = units.fold(penalty, intercept)
        raw_intercept = not intercept or bool(
            np.isfinite([penalty.lower[0], penalty.upper[0]]).any()
        )
        if setting.prior is not None and setting.prior.variances is not None:
            mean, variance = setting.prior.coefficients, setting.prior.variances
            penalty = penalty.with_prior(mean, variance, weight)
            raw_intercept = raw_intercept or bool(np.isfinite([mean[0], variance[0]]).all())
        if units is not None and raw_intercept:
            units = units._replace(shift=np.zeros_like(units.shift))
        return cls(raw, penalty, units, intercept)

    @property
    def objective(self) -> Objective:
        """What to minimize, as a function of the solved coefficients."""
        if self.units is None:
            return Objective(self.raw, self.penalty)
        loss = NormalizedLoss(self.raw, self.units, self.intercept)
        return Objective(loss, self.units.unfold(self.penalty, self.intercept))

    def begin(self, coefficients: Floats) -> Floats:
        """Return raw coefficients in the units of the objective."""
        if self.units is None:
            return coefficients
        return self.units.normalized(coefficients, self.intercept)

    def end(self, solved: Floats) -> Floats:
        """Return solved coefficients as raw ones, within the bounds to the bit."""
        if self.units is not None:
            solved = self.units.coefficients(solved, self.intercept)
        return np.clip(solved, self.penalty.lower, self.penalty.upper)

    def cost(self, coefficients: Floats) -> float:
        """Return the penalty of raw coefficients."""
        return self.objective.penalty.value(self.begin(coefficients))

    def variances(self, coefficients: Floats, full: bool) -> Floats:
        """Return the variances of raw coefficients: see `glm.variance`."""
        precision, along = self.penalty.precision, np.zeros_like(coefficients)
        if self.units is not None and self.intercept:
            along[1:] = self.units.shift
        curvature = self.raw.curvature(coefficients)
        held = float(precision[0]) if self.intercept else 0.0
        if not full:
            return simple_variances(curvature.diagonal() + precision + held * along**2)
        hessian = curvature.dense() + np.diag(precision)
        if held and along.any():
            hessian += held * np.outer(along, along)
            hessian[0] += held * along
            hessian[:, 0] += held * along
        return full_variances(hessian)
