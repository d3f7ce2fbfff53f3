"""Names of metrics: ``metric[@k][:column]``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gdmix.errors import ConfigError, did_you_mean
from gdmix.metrics.evaluator import Evaluator, itself
from gdmix.metrics.metric import METRICS, Metric

Floats = NDArray[np.float64]

_OPTION = "metrics"


def parse(
    name: str, task: str | None = None, mean: Callable[[Floats], Floats] = itself
) -> Evaluator:
    """Return the metric that a name asks for: ``metric[@k][:column]``.

    Parameters
    ----------
    name : str
    task : str, optional
        A task that the metric must fit.
    mean : callable
        The task's inverse link.

    Raises
    ------
    ConfigError
        There is no such metric, it does not fit the task, or its ``k`` is missing or wrong.
    """
    body, colon, column = name.partition(":")
    base, at, cut = body.partition("@")
    fitting = [known for known in METRICS if task is None or task in METRICS[known].tasks]
    if base not in METRICS:
        raise ConfigError(_OPTION, f"no metric {base!r}", hint=did_you_mean(base, fitting))
    if base not in fitting:
        allowed = ", ".join(sorted(fitting))
        raise ConfigError(_OPTION, f"{base!r} is no metric of task {task!r}", allowed)
    if colon and not column:
        raise ConfigError(_OPTION, f"no column after ':' in {name!r}", f"{body}:COLUMN")
    return Evaluator(METRICS[base], _k(METRICS[base], cut if at else None), column or None, mean)


def _k(metric: Metric, cut: str | None) -> int | None:
    if cut is None:
        if metric.cut == "must":
            example = f"{metric.name}@10, say"
            raise ConfigError(_OPTION, f"{metric.name!r} lacks the places to count", example)
        return None
    asked = f"{metric.name}@{cut}"
    if metric.cut == "never":
        raise ConfigError(_OPTION, f"{asked!r} counts no places", repr(metric.name))
    if not (cut.isascii() and cut.isdigit()) or not 1 <= int(cut) < 2**31:
        raise ConfigError(_OPTION, f"found {cut!r} in {asked!r}", "a whole number from 1 after '@'")
    return int(cut)
