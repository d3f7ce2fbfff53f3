"""Scratch of the solver of entities with L1 terms, bounds or centred features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Scratch(NamedTuple):
    """Scratch of one thread, as large as its largest entity needs.

    Attributes
    ----------
    vectors : float64[6, coefficients]
        Gradient, step, next coefficients, scale of the Hessian's diagonal, lower, upper.
    inner : float64[9, coefficients]
        Of the model; its first row becomes the model's minimum.
    margins : float64[4, rows]
        Slope of the margins along the step, curvature, next margins, margins of the model.
    hessian, factor : float64[dense, dense]
    free : int64[coefficients]
    """

    vectors: Floats
    inner: Floats
    margins: Floats
    hessian: Floats
    factor: Floats
    free: NDArray[np.int64]
