"""Area under the ROC curve, over all rows and within groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(label: Floats, score: Floats, weight: Floats) -> float:
    """Return the weighted area under the ROC curve; tied scores count half.

    NaN when only one class has weight.
    """
    return float(grouped_auc(label, score, weight, np.zeros(len(label), np.int64), 1)[0])


def grouped_auc(
    label: Floats, score: Floats, weight: Floats, group: NDArray[np.integer], groups: int
) -> Floats:
    """Return the AUC within each group.

    Parameters
    ----------
    label, score, weight : float64[rows]
        Labels are 0 or 1.
    group : int[rows]
        Group of each row, from 0.
    groups : int
        Number of groups.

    Returns
    -------
    float64[groups]
        NaN where a group lacks weight of one class.
    """
    order = np.lexsort((score, group))
    group, score, label, weight = group[order], score[order], label[order], weight[order]
    positive, negative = weight * label, weight * (1.0 - label)
    before = np.cumsum(negative) - negative
    # rows of one group and one score form a tie: each sees the negatives below the tie
    # and half of those in it
    new_tie = np.ones(len(score), bool)
    new_tie[1:] = (score[1:] != score[:-1]) | (group[1:] != group[:-1])
    tie = np.cumsum(new_tie) - 1
    below = before[new_tie]
    within = np.bincount(tie, weights=negative)
    positives = np.bincount(group, weights=positive, minlength=groups)
    negatives = np.bincount(group, weights=negative, minlength=groups)
    below_group = np.cumsum(negatives) - negatives
    wins = positive * (below[tie] + 0.5 * within[tie] - below_group[group])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(group, weights=wins, minlength=groups) / (positives * negatives)
