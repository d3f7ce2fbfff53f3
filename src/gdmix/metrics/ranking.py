"""Metrics of order: how well scores put the rows of a list in order.

The functions take `Lists` and the ``k`` of the metric's name, and return one value per list, NaN
where the metric is not defined. Weights of rows count as copies in `auc` and
`average_precision`; for the others see `kernels`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.metrics import kernels
from gdmix.metrics.lists import Integers, Lists, Ranked

Floats = NDArray[np.float64]
Columns = tuple[Integers, Floats, Floats, Floats]


def auc(lists: Lists, k: int) -> Floats:
    """Return the area under the ROC curve; NaN where only one class has weight."""
    out = np.empty(lists.count)
    kernels.areas_under_roc(*_ranked(lists), out)
    return out


def average_precision(lists: Lists, k: int) -> Floats:
    """Return the average precision; NaN where no positive has weight.

    It is the sum over the distinct scores, from the highest, of the precision there times the
    gain in recall: scikit-learn's ``average_precision_score``. The trapezoidal area under the
    curve of precision and recall, which Photon-ML reports, joins the points by lines and is
    often too high (Davis and Goadrich, 2006).
    """
    out = np.empty(lists.count)
    kernels.average_precisions(*_ranked(lists), out)
    return out


def precision(lists: Lists, k: int) -> Floats:
    """Return the relevant rows among the first `k`, divided by `k`; NaN for a list without rows.

    A list of fewer rows is divided by `k` all the same.
    """
    return _hits(lists, k)[0] / k


def recall(lists: Lists, k: int) -> Floats:
    """Return the share of a list's relevant rows that is among the first `k`; NaN without any."""
    found, relevant = _hits(lists, k)
    return _ratio(found, relevant)


def reciprocal_rank(lists: Lists, k: int) -> Floats:
    """Return one over the place of the first relevant row, 0 beyond `k`; NaN without any."""
    out = np.empty(lists.count)
    kernels.reciprocal_ranks(*_ranked(lists), k, out)
    return out


def ndcg(lists: Lists, k: int) -> Floats:
    """Return the discounted cumulative gain of the first `k` places, over the best there can be.

    The gain of a row is its label; tied rows share the mean of their gains (McSherry and Najork,
    Computing information retrieval performance measures efficiently in the presence of tied
    scores, 2008), as scikit-learn's ``ndcg_score`` does. NaN where all labels are 0.
    """
    out, best = np.empty(lists.count), np.empty(lists.count)
    kernels.discounted_gains(*_ranked(lists), k, out)
    ptr, label, weight = _taken(lists, lists.by_label)
    kernels.discounted_gains(ptr, label, label, weight, k, best)
    return _ratio(out, best)


def _ratio(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0.0)
    return shares


def _hits(lists: Lists, k: int) -> tuple[Floats, Floats]:
    found, relevant = np.empty(lists.count), np.empty(lists.count)
    kernels.hits(*_ranked(lists), k, found, relevant)
    return found, relevant


def _ranked(lists: Lists) -> Columns:
    ptr, label, weight = _taken(lists, lists.by_score)
    return ptr, lists.sample.score[lists.by_score.rows], label, weight


def _taken(lists: Lists, ranked: Ranked) -> tuple[Integers, Floats, Floats]:
    return ranked.ptr, lists.sample.label[ranked.rows], lists.sample.weight[ranked.rows]
