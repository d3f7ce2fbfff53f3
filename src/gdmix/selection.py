"""Which model is the best: of several points, and of the updates of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gdmix.config import ModelOptions
from gdmix.descent import State, Update
from gdmix.grid import Point
from gdmix.metrics import parse
from gdmix.models.mixed import Part


def first_metric(options: ModelOptions) -> str:
    """Return the metric that chooses."""
    return options.evaluators[0].name


def larger_is_better(metric: str) -> bool:
    """Tell which way a metric improves."""
    return parse(metric).larger_is_better


def best_of(values: Sequence[float], metric: str) -> int | None:
    """Return the position of the best value, the first of equals; None when none is finite."""
    sign = 1.0 if larger_is_better(metric) else -1.0
    able = [k for k, value in enumerate(values) if math.isfinite(value)]
    return max(able, key=lambda k: sign * values[k], default=None)


def best_update(history: Sequence[Update], coordinates: int, metric: str) -> int | None:
    """Return after how many updates the whole model was best.

    A model is whole when each of its `coordinates` was updated. None when no metric of a whole
    model is finite.
    """
    whole = [update.metrics[metric] for update in history[coordinates - 1 :]]
    found = best_of(whole, metric)
    return None if found is None else coordinates + found


@dataclass(frozen=True)
class KeepBest:
    """An observer of a descent that keeps the parts of its best whole model.

    Attributes
    ----------
    coordinates : int
        How many are trained.
    metric : str
    """

    coordinates: int
    metric: str

    def __call__(self, update: Update, state: State) -> None:
        """Keep the parts when they are the best so far."""
        if best_update(state.history, self.coordinates, self.metric) == len(state.history):
            state.best = dict(state.parts)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained point.

    Attributes
    ----------
    number : int
        From 1.
    point : dict of str to float
        What differs from the other points.
    options : ModelOptions
        All options, at this point.
    parts : dict of str to Part
        Empty where the point was trained before, and its model is not needed any more.
    history : list of Update
    kept : int
        After how many updates the parts were taken.
    """

    number: int
    point: Point
    options: ModelOptions
    parts: dict[str, Part]
    history: list[Update]
    kept: int

    @property
    def update(self) -> Update:
        """The update after which the parts were taken."""
        return self.history[self.kept - 1]

    def as_plain(self) -> dict[str, Any]:
        """Return a line of the table of points."""
        return {
            "number": self.number,
            "options": dict(self.point),
            "metrics": dict(self.update.metrics),
            "objective": self.update.objective,
            "seconds": sum(update.seconds for update in self.history),
            "updates": len(self.history),
            "kept": self.kept,
        }


@dataclass(frozen=True, eq=False)
class Swept:
    """What a sweep over points gave.

    Attributes
    ----------
    best : Candidate
    points : list of dict
        A line for each point, as `Candidate.as_plain` has it.
    metric : str
        The first metric, which chooses.
    """

    best: Candidate
    points: list[dict[str, Any]]
    metric: str

    def as_plain(self) -> dict[str, Any]:
        """Return which point and update were chosen, and why."""
        best = self.best
        values = [line["metrics"].get(self.metric, math.nan) for line in self.points]
        way = "largest" if larger_is_better(self.metric) else "smallest"
        why = f"{way} {self.metric} of {len(values)} points"
        if len(values) == 1:
            why = "the only point"
        elif not any(map(math.isfinite, values)):
            why = f"the first point: no {self.metric} is finite"
        if best.options.keep_best:
            why += f", after update {best.kept} of {len(best.history)}"
        chosen = {"metric": self.metric, "point": best.number, "update": best.kept, "why": why}
        return {"chosen": chosen, "points": self.points}
