"""Everything a report shows, gathered from a run directory as plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gdmix.config import ModelOptions
from gdmix.descent import Update
from gdmix.history import from_plain
from gdmix.metrics import Evaluator, parse
from gdmix.models.deep import DeepModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Mixed
from gdmix.report.calibration import Calibration, calibration
from gdmix.report.effects import Fixed, Random, fixed_effect, random_effect
from gdmix.report.notices import Notice, notices
from gdmix.report.quality import entity_quality
from gdmix.report.scores import Scores
from gdmix.store.directory import read_model
from gdmix.store.run import FINISHED, read_json


@dataclass(frozen=True)
class Headline:
    """A metric at the end of training.

    Attributes
    ----------
    metric : Evaluator
    final, first : float
        After the last update and after the first.
    best : float
    best_at : Update
        Where it was best.
    """

    metric: Evaluator
    final: float
    first: float
    best: float
    best_at: Update


@dataclass(frozen=True)
class Content:
    """A run.

    Attributes
    ----------
    name : str
        Of the run directory.
    options : ModelOptions
    date : datetime
        When the run finished.
    version : str
        Of the gdmix that trained.
    trained, validated : int
        Rows.
    updates : list of Update
        Each with the metrics of the last at least; NaN where one was not measured.
    headlines : list of Headline
    notices : list of Notice
    effects : list of Fixed or Random
        In the order they are updated.
    calibration : Calibration or None
    seconds : dict of str to float
        By stage.
    config : str
        As YAML.
    points : list of dict
        Of a grid: number, options, metrics, objective, seconds ...; otherwise one.
    chosen : dict
        The number of the chosen point, the metric that chose, and why.
    """

    name: str
    options: ModelOptions
    date: datetime
    version: str
    trained: int
    validated: int
    updates: list[Update]
    headlines: list[Headline]
    notices: list[Notice]
    effects: list[Fixed | Random]
    calibration: Calibration | None
    seconds: dict[str, float]
    config: str
    points: list[dict[str, Any]]
    chosen: dict[str, Any]


def gather(run: Path) -> Content:
    """Read a finished run.

    Raises
    ------
    RunError
        This is no finished run.
    ModelError
        Its model is damaged, or was not written.
    """
    metrics = read_json(run / FINISHED)
    saved = read_model(run / "model")
    # those after the model that was kept are no part of it
    history = metrics["history"][: metrics["chosen"]["update"]]
    updates = _with_all_metrics([from_plain(values) for values in history])
    weighted = saved.options.weight is not None
    scores = None
    if not saved.options.kind.several:
        scores = Scores.read(run / "scores" / "validation", saved.options.kind, weighted=weighted)
    unseen = metrics["unseen"].get("validation", {})
    effects = _effects(saved.model, updates, scores, unseen)
    validated = int(unseen.get("rows", 0))
    finish = _finish(run / "log.jsonl")
    return Content(
        run.resolve().name,
        saved.options,
        _date(run, finish),
        read_json(run / "model" / "manifest.json")["gdmix"],
        updates[-1].samples,
        validated,
        updates,
        _headlines(updates),
        notices(updates, effects, validated),
        effects,
        None if scores is None else calibration(scores),
        # the run's last stage ends after metrics.json is written: only the log knows its length
        metrics["seconds"] | finish.get("seconds", {}),
        (run / "config.yaml").read_text(encoding="utf-8"),
        [_without_null(point) for point in metrics["points"]],
        metrics["chosen"],
    )


def _effects(
    model: Mixed, updates: Sequence[Update], scores: Scores | None, unseen: Mapping[str, Any]
) -> list[Fixed | Random]:
    features, entities = unseen.get("features", {}), unseen.get("entities", {})
    last = {update.coordinate: update for update in updates}
    found: list[Fixed | Random] = []
    for name, part in model.parts.items():
        index = model.index_of(name)
        if isinstance(part, LinearModel):
            found.append(fixed_effect(name, part, index, last.get(name), features))
        elif isinstance(part, DeepModel):
            unknown = features.get(part.shard, 0)
            counts = (len(index), part.parameters)
            found.append(Fixed(name, last.get(name), None, *counts, [], unknown, network=True))
        else:
            quality = None if scores is None else entity_quality(scores, name, part)
            counts = (entities.get(name, 0), features.get(part.shard, 0))
            found.append(random_effect(name, part, index, last.get(name), counts, quality))
    return found


def _without_null(point: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: null stands for a metric that is none."""
    known = {name: math.nan if v is None else v for name, v in point["metrics"].items()}
    return {**point, "metrics": known}


def _with_all_metrics(updates: Sequence[Update]) -> list[Update]:
    """Give every update the last one's metrics: a run resumed with others lacks them before."""
    unknown = dict.fromkeys(updates[-1].metrics, math.nan)
    return [replace(update, metrics=unknown | dict(update.metrics)) for update in updates]


def _headlines(updates: Sequence[Update]) -> list[Headline]:
    found = []
    for name, final in updates[-1].metrics.items():
        metric = parse(name)
        sign = 1.0 if metric.larger_is_better else -1.0
        able = [update for update in updates if math.isfinite(update.metrics[name])]
        best = max(able, key=_by(name, sign)) if able else updates[-1]
        first = updates[0].metrics[name]
        found.append(Headline(metric, final, first, best.metrics[name], best))
    return found


def _by(metric: str, sign: float) -> Callable[[Update], float]:
    return lambda update: sign * update.metrics[metric]


def _finish(path: Path) -> dict[str, Any]:
    """Return the log's last event if it ends the run; the report does without it."""
    try:
        event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return {}
    return event if event.get("event") == "finish" else {}


def _date(run: Path, finish: Mapping[str, Any]) -> datetime:
    if finish:
        return datetime.fromisoformat(finish["time"]).astimezone(UTC)
    return datetime.fromtimestamp((run / FINISHED).stat().st_mtime, UTC)
