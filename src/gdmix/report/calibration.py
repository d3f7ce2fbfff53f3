"""Whether predictions are what is observed, on average, at every level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.report.scores import Scores

Floats = NDArray[np.float64]

_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Rows in bins of about equal number, by prediction.

    Attributes
    ----------
    predicted, observed : tuple of float
        Weighted means within each bin.
    half_width : tuple of float
        Of the 95 percent interval of the observed mean.
    rows : tuple of int
    error : float
        Mean absolute difference of the two, weighted: the expected calibration error.
    output : str
        What a prediction is: probability, or mean.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    half_width: tuple[float, ...]
    rows: tuple[int, ...]
    error: float
    output: str


def calibration(scores: Scores) -> Calibration | None:
    """Bin predictions by quantiles; None without rows of weight, or where scores are margins."""
    if scores.task.output == "margin":
        return None
    mean = scores.task.mean(scores.score)
    rows = np.isfinite(mean) & (scores.weight > 0.0)
    mean, label, weight = mean[rows], scores.label[rows], scores.weight[rows]
    if not len(mean):
        return None
    # equal predictions share a bin, so some bins may vanish
    edges = np.unique(np.quantile(mean, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    codes = np.unique(np.searchsorted(edges, mean, side="right"), return_inverse=True)[1]
    total = np.bincount(codes, weight)
    predicted = np.bincount(codes, weight * mean) / total
    observed = np.bincount(codes, weight * label) / total
    spread = np.bincount(codes, weight * (label - observed[codes]) ** 2) / total
    # Kish: rows of unequal weight say less
    effective = total**2 / np.bincount(codes, weight**2)
    error = float(np.dot(np.abs(predicted - observed), total) / total.sum())
    return Calibration(
        tuple(predicted.tolist()),
        tuple(observed.tolist()),
        tuple((1.96 * np.sqrt(spread / effective)).tolist()),
        tuple(np.bincount(codes).tolist()),
        error,
        scores.task.output,
    )
