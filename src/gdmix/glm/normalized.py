"""The loss as a function of the coefficients of normalized features; no row is rewritten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.normalization import Normalization
from gdmix.glm.objective import Curvature, SmoothFunction

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NormalizedLoss:
    """The function ``f(T c)``, with ``T c`` the raw coefficients of normalized ones.

    Attributes
    ----------
    raw : SmoothFunction
    normalization : Normalization
    intercept : int
    """

    raw: SmoothFunction
    normalization: Normalization
    intercept: int

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the value, and the gradient ``T' g``."""
        there = self.normalization.coefficients(coefficients, self.intercept)
        value, gradient = self.raw.value_and_gradient(there)
        return value, self.pull(gradient)

    def curvature(self, coefficients: Floats) -> Curvature:
        """Return the Hessian ``T' H T``."""
        there = self.normalization.coefficients(coefficients, self.intercept)
        return _NormalizedCurvature(self.raw.curvature(there), self)

    def pull(self, gradient: Floats) -> Floats:
        """Return ``T' g``, for every column of ``g``."""
        out = gradient.copy()
        if self.intercept:
            out[1:] -= np.multiply.outer(self.normalization.shift, gradient[0])
        # features on the first axis, whatever follows
        out[self.intercept :] = (out[self.intercept :].T * self.normalization.factor).T
        return out


@dataclass(frozen=True)
class _NormalizedCurvature:
    raw: Curvature
    at: NormalizedLoss

    def multiply(self, vector: Floats) -> Floats:
        own = self.at.normalization
        return self.at.pull(self.raw.multiply(own.coefficients(vector, self.at.intercept)))

    def diagonal(self) -> Floats:
        out, own = self.raw.diagonal(), self.at.normalization
        if self.at.intercept and own.shift.any():
            first = np.zeros_like(out)
            first[0] = 1.0
            row = self.raw.multiply(first)[1:]
            # the sum of squares of centred features, which rounding must not make negative
            centred = out[1:] - 2.0 * own.shift * row + own.shift**2 * out[0]
            out[1:] = np.maximum(centred, 1e-15 * out[1:])
        out[self.at.intercept :] *= own.factor**2
        return out

    def dense(self) -> Floats:
        half = self.at.pull(self.raw.dense())
        return self.at.pull(half.T.copy())
