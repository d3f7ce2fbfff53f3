"""`Metric` and the table of all metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.metrics import classes, pointwise, ranking
from gdmix.metrics.lists import Lists

Floats = NDArray[np.float64]

_BINARY = ("logistic", "smoothed_hinge")
_MEANS = ("linear", "poisson")
_SEVERAL = ("multiclass", "multilabel")
_ALL = ("logistic", "linear", "poisson", "smoothed_hinge")


class Metric(NamedTuple):
    """A figure of labels and scores, without the ``k`` and the group of its name.

    Attributes
    ----------
    name : str
    title : str
        As people write it.
    function : callable
        From `Lists` and k to one value per list, NaN where the metric is not defined.
    larger_is_better : bool
    tasks : tuple of str
        Tasks whose labels and scores it is made for.
    cut : str
        Whether a name has a ``k``: ``never``, ``may``, ``must``.
    of_mean : bool
        Whether it compares labels with expected labels; else with scores before any link.
    gains : bool
        Whether labels are gains, which cannot be negative.
    """

    name: str
    title: str
    function: Callable[[Lists, int], Floats]
    larger_is_better: bool
    tasks: tuple[str, ...]
    cut: Literal["never", "may", "must"] = "never"
    of_mean: bool = False
    gains: bool = False


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", ranking.auc, True, _BINARY),
        Metric("aupr", "AUPR", ranking.average_precision, True, _BINARY),
        Metric("precision", "precision", ranking.precision, True, _BINARY, "must"),
        Metric("recall", "recall", ranking.recall, True, _BINARY, "must"),
        Metric("ndcg", "NDCG", ranking.ndcg, True, _ALL, "may", gains=True),
        Metric("mrr", "MRR", ranking.reciprocal_rank, True, _BINARY, "may"),
        Metric("logistic_loss", "log-loss", pointwise.logistic_loss, False, ("logistic",)),
        Metric("poisson_loss", "Poisson loss", pointwise.poisson_loss, False, ("poisson",)),
        Metric(
            "smoothed_hinge_loss",
            "smoothed hinge loss",
            pointwise.smoothed_hinge_loss,
            False,
            ("smoothed_hinge",),
        ),
        Metric("squared_loss", "squared loss", pointwise.squared_loss, False, ("linear",)),
        Metric("rmse", "RMSE", pointwise.rmse, False, _MEANS, of_mean=True),
        Metric("mse", "MSE", pointwise.mean_squared_error, False, _MEANS, of_mean=True),
        Metric("mae", "MAE", pointwise.mean_absolute_error, False, _MEANS, of_mean=True),
        Metric("accuracy", "accuracy", classes.of_lists(classes.accuracy), True, _SEVERAL),
        Metric("log_loss", "log-loss", classes.of_lists(classes.log_loss), False, _SEVERAL),
        *(
            Metric(
                f"{name}_{way}",
                f"{way} {'F1' if name == 'f1' else name}",
                classes.of_lists(classes.averaged(name, way)),
                True,
                _SEVERAL,
            )
            for name in classes.FIGURES
            for way in classes.AVERAGES
        ),
    )
}
