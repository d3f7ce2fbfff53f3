"""Penalties of a coefficient vector: ridge, prior, lasso, box; one number for each coefficient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_VARIANCE = 1e-12
"""Of a prior: one of variance 0 holds a coefficient to its mean without infinite numbers."""


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

    def with_prior(self, mean: Floats, variance: Floats, weight: float) -> Penalty:
        """Return this penalty with Gaussian priors in place of the quadratic part.

        A coefficient with a prior pays ``weight / (2 variance) (b - mean)^2``; its L1 term and
        bounds stay. One whose mean or variance is not finite keeps its own penalty: an infinite
        variance tells no more than an unknown one.
        """
        known = np.isfinite(mean) & np.isfinite(variance)
        precision = weight / np.maximum(variance, _LEAST_VARIANCE)
        return self._replace(
            precision=np.where(known, precision, self.precision),
            mean=np.where(known, mean, self.mean),
        )

    def held(self, at: NDArray[np.integer], values: Floats) -> Penalty:
        """Return this penalty with the coefficients at `at` held to `values`, within the bounds.

        Nothing but a pull of precision 1 is left of it there: whatever the rows say nothing
        about stays where it is, and costs nothing.
        """
        precision, mean, l1 = self.precision.copy(), self.mean.copy(), self.l1.copy()
        precision[at], l1[at] = 1.0, 0.0
        mean[at] = np.clip(values, self.lower[at], self.upper[at])
        return self._replace(precision=precision, mean=mean, l1=l1)

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
