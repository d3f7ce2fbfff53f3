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
    positives = np.bincount(group, weights=positive, minlength=groups)
    negatives = np.bincount(group, weights=negative, minlength=groups)
    # as shares of their group, so that a heavy group costs the next ones no digits
    share = negative / np.where(negatives > 0.0, negatives, 1.0)[group]
    before = np.concatenate([[0.0], np.cumsum(share)])[:-1]
    # rows of one group and one score form a tie: each sees the negatives below the tie
    # and half of those in it
    new_tie = np.ones(len(score), bool)
    new_tie[1:] = (score[1:] != score[:-1]) | (group[1:] != group[:-1])
    tie = np.cumsum(new_tie) - 1
    start = np.searchsorted(group, np.arange(groups))
    below = before[new_tie][tie] - before[start[group]]
    within = np.bincount(tie, weights=share)[tie]
    wins = np.bincount(group, weights=positive * (below + 0.5 * within), minlength=groups)
    both = (positives > 0.0) & (negatives > 0.0)
    area: Floats = np.divide(wins, positives, out=np.full(groups, np.nan), where=both)
    return area
