"""Figures of several classes, or several labels: a score for each of them in every row.

Where exactly one class is right the largest score is the answer, the first of equal ones. Where
any number of labels may be right those with a score above 0, a probability above one half, are
the answer. Weights count as copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.metrics.lists import Lists

Floats = NDArray[np.float64]
Figure = Callable[[Floats, Floats, Floats], float]
"""From labels, scores[rows, classes] and weights to a number."""

Average = Literal["macro", "micro"]
AVERAGES: tuple[Average, ...] = ("macro", "micro")


def confusion(label: Floats, score: Floats, weight: Floats) -> Floats:
    """Return the weight of rows by right class and answer: float64[classes, classes].

    Parameters
    ----------
    label : float64[rows]
        Number of the right class.
    score : float64[rows, classes]
    weight : float64[rows]
    """
    classes = score.shape[1]
    cells = label.astype(np.int64) * classes + score.argmax(1)
    table = np.bincount(cells, weight, classes * classes).astype(np.float64, copy=False)
    return table.reshape(classes, classes)


class Counts(NamedTuple):
    """How often each class, or label, was answered and was right.

    Attributes
    ----------
    hits, answers, positives : float64[classes]
        Weight of rows where it was answered and right; where it was answered; where it was right.
    """

    hits: Floats
    answers: Floats
    positives: Floats

    def summed(self) -> Counts:
        """Return the counts of all classes together, as of one: for micro averages."""
        return Counts(*(part.sum(keepdims=True) for part in self))


def counts_of_classes(table: Floats) -> Counts:
    """Return the counts of a table of `confusion`."""
    return Counts(table.diagonal().copy(), table.sum(0), table.sum(1))


def counts_of_labels(label: Floats, score: Floats, weight: Floats) -> Counts:
    """Return the counts of labels.

    Parameters
    ----------
    label, score : float64[rows, labels]
        Labels are 0 and 1.
    weight : float64[rows]
    """
    answered, right = score > 0.0, label > 0.0
    return Counts(weight @ (answered & right), weight @ answered, weight @ right)


def precision(counts: Counts) -> Floats:
    """Return the share of answers that are right; NaN for what was never answered."""
    return _ratio(counts.hits, counts.answers)


def recall(counts: Counts) -> Floats:
    """Return the share of what is right that was answered; NaN for what is never right."""
    return _ratio(counts.hits, counts.positives)


def f1(counts: Counts) -> Floats:
    """Return the harmonic mean of precision and recall; NaN for what is neither."""
    return _ratio(2.0 * counts.hits, counts.answers + counts.positives)


FIGURES: Mapping[str, Callable[[Counts], Floats]] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
}
"""Figures of each class, by name."""


def counts_of(label: Floats, score: Floats, weight: Floats) -> Counts:
    """Return the counts of classes, or of labels where a row has several: labels tell which."""
    if label.ndim == 1:
        return counts_of_classes(confusion(label, score, weight))
    return counts_of_labels(label, score, weight)


def averaged(name: str, average: Average) -> Figure:
    """Return one of `FIGURES` over all classes: the mean of each one's, or that of all as one."""
    figure = FIGURES[name]

    def over_all(label: Floats, score: Floats, weight: Floats) -> float:
        counts = counts_of(label, score, weight)
        return macro(figure(counts if average == "macro" else counts.summed()))

    return over_all


def of_lists(figure: Figure) -> Callable[[Lists, int], Floats]:
    """Return a figure as one of lists of rows; lists have no places to count."""

    def of_each(lists: Lists, _: int) -> Floats:
        label, score, weight = lists.sample.label, lists.sample.score, lists.sample.weight
        if lists.group is None:
            return np.asarray([figure(label, score, weight)])
        ends = np.cumsum(lists.sizes())[:-1]
        each = np.split(np.argsort(lists.group, kind="stable"), ends)
        return np.asarray([figure(label[rows], score[rows], weight[rows]) for rows in each])

    return of_each


def log_loss(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the log loss of classes, or of labels where a row has several."""
    return (classes_log_loss if label.ndim == 1 else labels_log_loss)(label, score, weight)


def macro(values: Floats) -> float:
    """Return the mean over the classes that have a value; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def accuracy(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the share of rows whose answer is right; of several labels, all must be."""
    if label.ndim == 1:
        is_right = score.argmax(1) == label
    else:
        is_right = ((score > 0.0) == (label > 0.0)).all(1)
    return _share(weight[is_right].sum(), weight.sum())


def classes_log_loss(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the mean of minus the logarithm of the right class's probability (softmax)."""
    top = score.max(1, keepdims=True)
    whole = np.log(np.exp(score - top).sum(1)) + top[:, 0]
    right = score[np.arange(len(label)), label.astype(np.int64)]
    return _share(weight @ (whole - right), weight.sum())


def labels_log_loss(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the mean, over rows and labels, of the logistic loss."""
    away = (1.0 - 2.0 * label) * score
    lost = np.maximum(away, 0.0) + np.log1p(np.exp(-np.abs(score)))
    return _share(weight @ lost.mean(1), weight.sum())


def _ratio(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0.0)
    return shares


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else float("nan")
