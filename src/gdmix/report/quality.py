"""How well each entity is served, with a random effect and without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.ids import positions
from gdmix.metrics import Evaluator, Lists, Sample
from gdmix.models.entity import EntityModel
from gdmix.report.histogram import Histogram, counted, edges_for
from gdmix.report.scores import Scores
from gdmix.report.text import DASH
from gdmix.tasks import Task

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_DECIMALS = 10
_EQUAL = 1e-9
_STEPS = np.array([0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 100000])


@dataclass(frozen=True)
class Pair:
    """One figure of the scores with a coordinate and without it."""

    full: float
    without: float


@dataclass(frozen=True)
class Bucket:
    """Entities with about the same number of training samples."""

    label: str
    entities: int
    mean: Pair


@dataclass(frozen=True)
class Quality:
    """A metric within each entity of the validation data.

    Attributes
    ----------
    metric : Evaluator
        The task's first.
    full, without : Histogram
        Of the entities' metric, over the same bins.
    measured, unmeasured : int
        Entities with the metric, and entities that have none: an AUC needs labels of two classes.
    overall : Pair
        The metric over all rows.
    median, mean : Pair
        Over entities; the mean is weighted by their validation rows.
    better, worse : int
        Entities that the coordinate serves better, worse.
    buckets : list of Bucket
    """

    metric: Evaluator
    full: Histogram
    without: Histogram
    measured: int
    unmeasured: int
    overall: Pair
    median: Pair
    mean: Pair
    better: int
    worse: int
    buckets: list[Bucket]


def entity_quality(scores: Scores, name: str, part: EntityModel) -> Quality | None:
    """Measure every entity; None when no entity can be measured."""
    metric = _metric(scores.task)
    codes, ids = scores.entities(part.entity)
    # rounded, as a difference is not exact and would tell apart rows whose scores are equal
    without_score = np.round(scores.score - scores.own(name), _DECIMALS)
    full = per_entity(scores.task, scores.label, scores.score, scores.weight, codes)
    without = per_entity(scores.task, scores.label, without_score, scores.weight, codes)
    known = np.isfinite(full) & np.isfinite(without)
    edges = _edges(metric, np.concatenate([full[known], without[known]]))
    if edges is None:
        return None
    rows = codes >= 0
    weights = np.bincount(codes[rows], scores.weight[rows], len(full)).astype(np.float64)[known]
    samples = _samples(ids, part)[known]
    unmeasured, full, without = int((~known).sum()), full[known], without[known]
    gain = (full - without) if metric.larger_is_better else (without - full)
    return Quality(
        metric,
        counted(full, edges),
        counted(without, edges),
        len(full),
        unmeasured,
        Pair(_overall(metric, scores, scores.score), _overall(metric, scores, without_score)),
        Pair(float(np.median(full)), float(np.median(without))),
        _mean(full, without, weights),
        int((gain > _EQUAL).sum()),
        int((gain < -_EQUAL).sum()),
        _buckets(full, without, weights, samples),
    )


def per_entity(task: Task, label: Floats, score: Floats, weight: Floats, codes: Codes) -> Floats:
    """Return the task's first metric of each entity; NaN where there is none."""
    groups = int(codes.max(initial=-1)) + 1
    rows = codes >= 0
    label, score, weight, codes = label[rows], score[rows], weight[rows], codes[rows]
    return _metric(task).values(Lists(Sample(label, score, weight), codes, groups))


def _metric(task: Task) -> Evaluator:
    return task.evaluators()[0]


def _overall(metric: Evaluator, scores: Scores, score: Floats) -> float:
    return float(metric.values(Lists(Sample(scores.label, score, scores.weight)))[0])


def _edges(metric: Evaluator, values: Floats) -> Floats | None:
    if metric.name == "auc":
        return np.linspace(0.0, 1.0, 21) if len(values) else None
    return edges_for(values, 24)


def _samples(ids: pa.Array, part: EntityModel) -> NDArray[np.int64]:
    """Return how often training saw each entity."""
    at = positions(ids, part.table.ids)
    samples = np.zeros(len(at), np.int64)
    samples[at >= 0] = part.table.samples[at[at >= 0]]
    return samples


def _mean(full: Floats, without: Floats, weights: Floats) -> Pair:
    total = float(weights.sum())
    if total <= 0.0:
        return Pair(float("nan"), float("nan"))
    return Pair(float(np.dot(full, weights)) / total, float(np.dot(without, weights)) / total)


def _buckets(
    full: Floats, without: Floats, weights: Floats, samples: NDArray[np.int64]
) -> list[Bucket]:
    which = np.searchsorted(_STEPS, samples, side="right") - 1
    found = []
    for step in np.unique(which):
        inside = which == step
        low = int(_STEPS[step])
        last = step + 1 == len(_STEPS)
        high = low if last else int(_STEPS[step + 1]) - 1
        label = f"{low:,}+" if last else f"{low:,}" if low == high else f"{low:,}{DASH}{high:,}"
        mean = _mean(full[inside], without[inside], weights[inside])
        found.append(Bucket(label, int(inside.sum()), mean))
    return found
