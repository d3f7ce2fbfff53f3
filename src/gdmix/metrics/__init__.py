"""Metrics of scores against labels, exact and weighted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.metrics.pointwise import logistic_loss, mean_absolute_error, mean_squared_error, rmse
from gdmix.metrics.ranking import auc, grouped_auc

__all__ = ["METRICS", "Metric", "auc", "grouped_auc"]

Floats = NDArray[np.float64]


class Metric(NamedTuple):
    """A named figure of ``(label, score, weight)``; scores are margins, before any link.

    `tasks` names the tasks whose labels and scores it is made for.
    """

    name: str
    title: str
    function: Callable[[Floats, Floats, Floats], float]
    larger_is_better: bool
    tasks: tuple[str, ...]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", auc, True, ("logistic",)),
        Metric("logistic_loss", "log-loss", logistic_loss, False, ("logistic",)),
        Metric("rmse", "RMSE", rmse, False, ("linear",)),
        Metric("mse", "MSE", mean_squared_error, False, ("linear",)),
        Metric("mae", "MAE", mean_absolute_error, False, ("linear",)),
    )
}
