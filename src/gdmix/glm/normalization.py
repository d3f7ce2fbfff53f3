"""Normalization of features, folded into the objective: the data is never rewritten."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Normalization(NamedTuple):
    """Feature ``j`` counts as ``(x_j - shift_j) * factor_j``; the intercept stays as it is.

    Attributes
    ----------
    factor, shift : float64[features]
        `shift` is all zeros unless features are centred, which needs an intercept.
    """

    factor: Floats
    shift: Floats

    def coefficients(self, normalized: Floats, intercept: int) -> Floats:
        """Return the coefficients for the features as they are."""
        raw = normalized.copy()
        raw[intercept:] *= self.factor
        if intercept:
            raw[0] -= float(self.shift @ raw[1:])
        return raw

    def normalized(self, coefficients: Floats, intercept: int) -> Floats:
        """Return the coefficients for the normalized features: the inverse of `coefficients`."""
        out = coefficients.copy()
        if intercept:
            out[0] += float(self.shift @ coefficients[1:])
        out[intercept:] /= self.factor
        return out
