"""Penalties of a coefficient vector."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel

Floats = NDArray[np.float64]


class Ridge(NamedTuple):
    """``sum_j weight_j / 2 * b_j^2``: one weight for the features, one for the intercept.

    Attributes
    ----------
    l2 : float
        Weight of every feature's coefficient.
    intercept_l2 : float
        Weight of the intercept; 0 leaves it free.
    intercept : int
        1 when the first coefficient is an intercept.
    """

    l2: float
    intercept_l2: float
    intercept: int

    def weights(self, size: int) -> Floats:
        """Return the weight of each of `size` coefficients."""
        weights = np.full(size, float(self.l2))
        weights[: self.intercept] = self.intercept_l2
        return weights

    def value(self, coefficients: Floats) -> float:
        """Return the penalty of a coefficient vector."""
        weights = self.weights(len(coefficients))
        return float(0.5 * np.dot(weights * coefficients, coefficients))


@kernel
def ridge_weight(penalty: Ridge, j: int) -> float:
    """Return the weight of coefficient `j`, for compiled code."""
    return penalty.intercept_l2 if j < penalty.intercept else penalty.l2
