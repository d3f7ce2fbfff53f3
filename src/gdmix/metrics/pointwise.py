"""Metrics that are weighted means over rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def logistic_loss(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the mean of ``log(1 + exp(s)) - y s``, with margins as scores."""
    return _mean(np.logaddexp(0.0, score) - label * score, weight)


def mean_squared_error(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the mean of ``(s - y)^2``."""
    return _mean((score - label) ** 2, weight)


def rmse(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the root of the mean of ``(s - y)^2``."""
    return float(np.sqrt(mean_squared_error(label, score, weight)))


def mean_absolute_error(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the mean of ``|s - y|``."""
    return _mean(np.abs(score - label), weight)


def _mean(terms: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float(np.dot(terms, weight)) / total if total > 0.0 else float("nan")
