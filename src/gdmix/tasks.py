"""A task joins a loss, the labels it allows, its link, and the metrics people look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gdmix.data.validation import LabelRange
from gdmix.glm.losses import Logistic, Loss, Poisson, SmoothedHinge, Squared
from gdmix.metrics import Evaluator, parse

Floats = NDArray[np.float64]
TaskName = Literal["logistic", "linear", "poisson", "smoothed_hinge", "multiclass", "multilabel"]


@dataclass(frozen=True)
class Task:
    """What is modelled.

    Attributes
    ----------
    name : TaskName
    loss : Loss
        Of one score and its label; where a row has several scores, of one class against the rest.
    labels : LabelRange
    metrics : tuple of str
        Evaluated unless others are asked for.
    output : str
        What a score stands for once it went through the inverse link.
    mean : callable
        The inverse link: the expected label at a score.
    several : bool
        Whether a row has a score for each of several classes, and labels are their names.
    """

    name: TaskName
    loss: Loss
    labels: LabelRange
    metrics: tuple[str, ...]
    output: str
    mean: Callable[[Floats], Floats]
    several: bool = False

    def evaluators(self, names: Sequence[str] = ()) -> tuple[Evaluator, ...]:
        """Return the metrics of these names; the task's own without any.

        Raises
        ------
        ConfigError
            A name is wrong, or of a metric that does not fit the task.
        """
        return tuple(parse(name, self.name, self.mean) for name in names or self.metrics)


def _probability(score: Floats) -> Floats:
    small = np.exp(-np.abs(score))
    return np.where(score >= 0.0, 1.0, small) / (1.0 + small)


def _exponential(score: Floats) -> Floats:
    # what overflows is infinite, and so are the metrics
    with np.errstate(over="ignore"):
        return np.exp(score)


def _shares(score: Floats) -> Floats:
    whole = np.exp(score - score.max(-1, keepdims=True))
    shares: Floats = whole / whole.sum(-1, keepdims=True)
    return shares


def _itself(score: Floats) -> Floats:
    return score


TASKS: dict[TaskName, Task] = {
    task.name: task
    for task in (
        Task(
            name="logistic",
            loss=Logistic(),
            labels="binary",
            metrics=("auc", "logistic_loss"),
            output="probability",
            mean=_probability,
        ),
        Task(
            name="linear",
            loss=Squared(),
            labels="any",
            metrics=("rmse", "mae"),
            output="mean",
            mean=_itself,
        ),
        Task(
            name="poisson",
            loss=Poisson(),
            labels="counts",
            metrics=("poisson_loss", "rmse"),
            output="mean",
            mean=_exponential,
        ),
        Task(
            name="smoothed_hinge",
            loss=SmoothedHinge(),
            labels="binary",
            metrics=("auc", "smoothed_hinge_loss"),
            output="margin",
            mean=_itself,
        ),
        Task(
            name="multiclass",
            loss=Logistic(),
            labels="any",
            metrics=("accuracy", "log_loss", "f1_macro"),
            output="probability",
            mean=_shares,
            several=True,
        ),
        Task(
            name="multilabel",
            loss=Logistic(),
            labels="any",
            metrics=("f1_micro", "log_loss", "accuracy"),
            output="probability",
            mean=_probability,
            several=True,
        ),
    )
}
