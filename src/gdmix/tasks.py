"""A task joins a loss, the labels it allows, its link, and the metrics people look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gdmix.data.validation import LabelRange
from gdmix.glm.losses import Logistic, Loss, Squared

Floats = NDArray[np.float64]
TaskName = Literal["logistic", "linear"]


@dataclass(frozen=True)
class Task:
    """What is modelled.

    Attributes
    ----------
    name : str
    loss : Loss
    labels : LabelRange
    metrics : tuple of str
        Evaluated unless others are asked for.
    output : str
        What the link turns a score into.
    """

    name: TaskName
    loss: Loss
    labels: LabelRange
    metrics: tuple[str, ...]
    output: str

    def mean(self, score: Floats) -> Floats:
        """Return the expected label at a score: a probability for the logistic task."""
        if self.name == "linear":
            return score
        small = np.exp(-np.abs(score))
        return np.where(score >= 0.0, 1.0, small) / (1.0 + small)


TASKS: dict[TaskName, Task] = {
    "logistic": Task("logistic", Logistic(), "binary", ("auc", "logistic_loss"), "probability"),
    "linear": Task("linear", Squared(), "any", ("rmse", "mae"), "mean"),
}
