"""Scores of several classes as a table, and what is told of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.metrics import Sample
from gdmix.metrics.classes import FIGURES, confusion, counts_of
from gdmix.tasks import Task

Floats = NDArray[np.float64]


def answers(task: Task, names: pa.Array, score: Floats) -> dict[str, pa.Array]:
    """Return what scores say, as columns.

    Parameters
    ----------
    task : Task
    names : pa.StringArray
        Of the classes.
    score : float64[rows, classes]

    Returns
    -------
    dict of str to pa.Array
        ``class``, or ``labels`` where a row may have several: a list; then ``probability_NAME`` and
        ``logit_NAME`` of every class.
    """
    shares = task.mean(score)
    columns = _answer(task, names, score)
    for before, values in (("probability", shares), ("logit", score)):
        for number, name in enumerate(names.to_pylist()):
            columns[f"{before}_{name}"] = pa.array(values[:, number])
    return columns


def named(names: pa.Array, label: Floats) -> pa.Array:
    """Return labels by name, as `gdmix.data.classes.numbered` has them: null where unknown."""
    if label.ndim > 1:
        return _lists(names, label > 0.0)
    return names.take(pa.array(label, from_pandas=True).cast(pa.int32()))


def logits(names: pa.Array, table: pa.Table) -> Floats:
    """Return the scores in a table of them: float64[rows, classes]."""
    return np.column_stack([table[f"logit_{name}"].to_numpy() for name in names.to_pylist()])


def figures(names: pa.Array, sample: Sample) -> dict[str, Any]:
    """Return figures of every class, as plain values.

    Returns
    -------
    dict
        ``names``; ``weight`` of the rows that have each class; ``precision``, ``recall`` and
        ``f1`` of each, NaN where it is not defined; and where rows have one class ``confusion``,
        the weight of rows by right class and answer.
    """
    label, score, weight = sample.label, sample.score, sample.weight
    counts = counts_of(label, score, weight)
    told: dict[str, Any] = {"names": names.to_pylist(), "weight": counts.positives.tolist()}
    told |= {name: figure(counts).tolist() for name, figure in FIGURES.items()}
    if label.ndim == 1:
        told["confusion"] = confusion(label, score, weight).tolist()
    return told


def _answer(task: Task, names: pa.Array, score: Floats) -> dict[str, pa.Array]:
    if task.name == "multilabel":
        return {"labels": _lists(names, score > 0.0)}
    return {"class": names.take(pa.array(score.argmax(1)))}


def _lists(names: pa.Array, chosen: NDArray[np.bool_]) -> pa.Array:
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(chosen.sum(1))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), names.take(np.nonzero(chosen)[1]))
