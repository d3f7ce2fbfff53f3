"""Metrics that are weighted means over the rows of a list; NaN where no row has weight.

All are means, where Photon-ML reports losses as sums. They take `Lists` and a ``k`` that means
nothing to them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.metrics.lists import Lists

Floats = NDArray[np.float64]


def logistic_loss(lists: Lists, k: int) -> Floats:
    """Return the mean of ``log(1 + exp(s)) - y s``, with margins as scores."""
    label, score = lists.sample.label, lists.sample.score
    return _mean(lists, np.logaddexp(0.0, score) - label * score)


def poisson_loss(lists: Lists, k: int) -> Floats:
    """Return the mean of ``exp(s) - y s``: half the deviance, but for a term of the labels."""
    with np.errstate(over="ignore"):
        return _mean(lists, np.exp(lists.sample.score) - lists.sample.label * lists.sample.score)


def smoothed_hinge_loss(lists: Lists, k: int) -> Floats:
    """Return the mean of the smooth hinge; see `gdmix.glm.losses.SmoothedHinge`."""
    short = 1.0 - (2.0 * lists.sample.label - 1.0) * lists.sample.score
    return _mean(lists, 0.5 * np.clip(short, 0.0, 1.0) ** 2 + np.maximum(short - 1.0, 0.0))


def squared_loss(lists: Lists, k: int) -> Floats:
    """Return the mean of ``(s - y)^2 / 2``."""
    return 0.5 * mean_squared_error(lists, k)


def mean_squared_error(lists: Lists, k: int) -> Floats:
    """Return the mean of ``(s - y)^2``."""
    with np.errstate(over="ignore"):
        return _mean(lists, (lists.sample.score - lists.sample.label) ** 2)


def rmse(lists: Lists, k: int) -> Floats:
    """Return the root of the mean of ``(s - y)^2``."""
    return np.sqrt(mean_squared_error(lists, k))


def mean_absolute_error(lists: Lists, k: int) -> Floats:
    """Return the mean of ``|s - y|``."""
    return _mean(lists, np.abs(lists.sample.score - lists.sample.label))


def _mean(lists: Lists, terms: Floats) -> Floats:
    weight = lists.sample.weight
    total = lists.total(weight)
    # a row without weight is left out, be its term infinite
    sums = lists.total(np.multiply(terms, weight, out=np.zeros(len(terms)), where=weight > 0.0))
    mean: Floats = np.divide(sums, total, out=np.full(lists.count, np.nan), where=total > 0.0)
    return mean
