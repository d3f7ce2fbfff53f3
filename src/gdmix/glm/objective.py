"""Objective = weighted sum of losses over rows + penalty: the only place the two are added.

One convention everywhere: the intercept comes first; the objective is a *sum* over rows, not a
mean, so a penalty weight means the same for five rows and for five billion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.penalties import Penalty

Floats = NDArray[np.float64]


class Curvature(Protocol):
    """The Hessian at one point."""

    def multiply(self, vector: Floats) -> Floats:
        """Return ``H v``."""

    def diagonal(self) -> Floats:
        """Return the diagonal of ``H``."""

    def dense(self) -> Floats:
        """Return ``H`` itself, both triangles: float64[d, d]."""


class SmoothFunction(Protocol):
    """What a minimizer asks of a function."""

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the value and the gradient."""

    def curvature(self, coefficients: Floats) -> Curvature:
        """Return the Hessian as something to multiply with."""


@dataclass(frozen=True)
class Objective:
    """Sum over rows plus penalty.

    Attributes
    ----------
    rows : SmoothFunction
        Weighted sum of losses; who holds the rows is the engine's affair.
    penalty : Penalty
        Only its quadratic part is added here: L1 terms and bounds are a minimizer's affair.
    """

    rows: SmoothFunction
    penalty: Penalty

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the objective and its gradient."""
        value, gradient = self.rows.value_and_gradient(coefficients)
        quadratic, slope = self.penalty.smooth_value_and_gradient(coefficients)
        return value + quadratic, gradient + slope

    def curvature(self, coefficients: Floats) -> Curvature:
        """Return the Hessian of the objective."""
        return _Penalized(self.rows.curvature(coefficients), self.penalty.precision)


@dataclass(frozen=True)
class _Penalized:
    rows: Curvature
    weights: Floats

    def multiply(self, vector: Floats) -> Floats:
        return self.rows.multiply(vector) + self.weights * vector

    def diagonal(self) -> Floats:
        return self.rows.diagonal() + self.weights

    def dense(self) -> Floats:
        return self.rows.dense() + np.diag(self.weights)
