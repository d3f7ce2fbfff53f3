"""Train a network of several classes: what a descent is for other models, in one update."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates import DeepEffect, HeldOut
from gdmix.data.dataset import Dataset
from gdmix.descent import Observer, Plan, State, Update
from gdmix.engine import Engine
from gdmix.errors import ConfigError
from gdmix.metrics import Evaluation
from gdmix.metrics.classes import log_loss
from gdmix.models.deep import DeepModel

Floats = NDArray[np.float64]


def learn(
    engine: Engine,
    plan: Plan,
    train: Dataset,
    validation: Dataset | None = None,
    state: State | None = None,
    observers: Iterable[Observer] = (),
    workspace: Path | None = None,
    *,
    outputs: int,
) -> State:
    """Train the only coordinate of a plan.

    Parameters
    ----------
    engine, plan, train, validation, state, observers, workspace
        As for `gdmix.descent.descend`.
    outputs : int
        How many classes there are.

    Raises
    ------
    ConfigError
        The initial model knows other classes.
    """
    state = state or State()
    if state.history:
        return state
    ((name, coordinate),) = plan.coordinates.items()
    assert isinstance(coordinate, DeepEffect)
    setting = plan.settings[name]
    # every point of a grid is a run of its own: it begins where the first one does
    setting = setting._replace(
        start=setting.previous,
        held_out=None if validation is None else _watched(plan, validation),
        workspace=None if workspace is None else workspace / f"{1:05d}-{name}",
    )
    _require_same(setting.previous, outputs)
    started = time.perf_counter()
    part, summary = coordinate.learn(engine, train, setting, np.zeros(train.rows), outputs)
    seconds = time.perf_counter() - started
    state.parts[name], state.penalties[name] = part, 0.0
    metrics = {} if validation is None else _metrics(engine, plan, validation, part)
    objective = _loss(train, part.scores(engine, train))
    update = Update(1, name, train.rows, seconds, objective, 0.0, summary, metrics)
    state.history.append(update)
    for observer in observers:
        observer(update, state)
    return state


def _watched(plan: Plan, validation: Dataset) -> HeldOut:
    first = plan.metrics[0]

    def measure(scores: Floats) -> float:
        return first.value(validation, scores)

    return HeldOut(validation, np.zeros(validation.rows), measure, first.larger_is_better)


def _metrics(engine: Engine, plan: Plan, validation: Dataset, part: DeepModel) -> dict[str, float]:
    return Evaluation(plan.metrics, validation, part.scores(engine, validation)).values()


def _loss(rows: Dataset, score: Floats) -> float:
    """Return the sum of the rows' losses by weight; that of several labels is the sum of theirs."""
    labels = rows.label.shape[1] if rows.label.ndim > 1 else 1
    return labels * float(rows.weight.sum()) * log_loss(rows.label, score, rows.weight)


def _require_same(previous: DeepModel | None, outputs: int) -> None:
    known = outputs if previous is None else previous.trained.target.outputs
    if known != outputs:
        raise ConfigError(
            "label",
            f"found {outputs} classes with those of the initial model",
            f"its {known} alone",
            "drop the new ones, or train without an initial model",
        )
