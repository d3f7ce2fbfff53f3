"""Penalties of a coefficient vector: ridge, prior, lasso, box; one number for each coefficient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Penalty(NamedTuple):
    """``sum_j precision_j / 2 (b_j - mean_j)^2 + l1_j |b_j|``, with ``lower <= b <= upper``.

    A ridge has mean 0; a Gaussian prior has the mean and the inverse variance of what was learnt
    before; a free coefficient has precision 0.

    Attributes
    ----------
    precision, mean, l1, lower, upper : float64[coefficients]
    """

    precision: Floats
    mean: Floats
    l1: Floats
    lower: Floats
    upper: Floats

    @classmethod
    def ridge(cls, precision: Floats) -> Penalty:
        """Return a penalty that is nothing but quadratic around zero."""
        zeros, no_bound = np.zeros_like(precision), np.full_like(precision, np.inf)
        return cls(precision, zeros, zeros, -no_bound, no_bound)

    @property
    def smooth(self) -> bool:
        """Whether there is neither an L1 term nor a bound."""
        return not (self.l1.any() or self.bounded)

    @property
    def bounded(self) -> bool:
        """Whether a coefficient has a finite bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def value(self, coefficients: Floats) -> float:
        """Return the penalty of a coefficient vector within the bounds."""
        apart = coefficients - self.mean
        quadratic = 0.5 * np.dot(self.precision * apart, apart)
        return float(quadratic + np.dot(self.l1, np.abs(coefficients)))

    def smooth_value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the quadratic part and its gradient."""
        apart = coefficients - self.mean
        gradient = self.precision * apart
        return float(0.5 * np.dot(gradient, apart)), gradient

    def take(self, positions: NDArray[np.integer]) -> Penalty:
        """Return the penalty of the coefficients at `positions`."""
        return Penalty(*(array[positions] for array in self))
