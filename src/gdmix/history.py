"""The record of a descent as plain values, for JSON, and back."""

from __future__ import annotations

import math
from typing import Any

from gdmix.coordinates import Summary
from gdmix.descent import Update
from gdmix.glm.minimize import Record
from gdmix.glm.status import Status


def as_plain(update: Update) -> dict[str, Any]:
    """Return an update as numbers, strings and mappings."""
    summary = update.summary
    return {
        "sweep": update.sweep,
        "coordinate": update.coordinate,
        "samples": update.samples,
        "entities": summary.entities,
        "coefficients": summary.coefficients,
        "passive": summary.passive,
        "seconds": update.seconds,
        "objective": update.objective,
        "penalty": update.penalty,
        "iterations": summary.iterations,
        "gradient_norm": summary.gradient,
        "iteration_quantiles": list(summary.quantiles),
        "trace": [list(record) for record in summary.trace],
        "status": {status.name.lower(): count for status, count in summary.statuses.items()},
        "metrics": dict(update.metrics),
    }


def from_plain(values: dict[str, Any]) -> Update:
    """Return the update that `as_plain` wrote."""
    statuses = {Status[name.upper()]: count for name, count in values["status"].items()}
    summary = Summary(
        values["entities"],
        values["coefficients"],
        statuses,
        values["iterations"],
        _number(values["gradient_norm"]),
        tuple(values["iteration_quantiles"]),
        tuple(Record(i, _number(f), _number(g), n) for i, f, g, n in values["trace"]),
        values["passive"],
    )
    return Update(
        values["sweep"],
        values["coordinate"],
        values["samples"],
        values["seconds"],
        _number(values["objective"]),
        _number(values["penalty"]),
        summary,
        {name: _number(value) for name, value in values["metrics"].items()},
    )


def _number(value: float | None) -> float:
    """JSON has no NaN and no infinity: null stands for what is not finite."""
    return math.nan if value is None else value
