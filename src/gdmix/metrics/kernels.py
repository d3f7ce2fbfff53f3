"""One pass over ranked lists for each metric of order. Rows of equal score have no order.

Every kernel takes the bounds of the lists, and score, label and weight of the rows in ranked
order; it writes one value per list, NaN where the metric is not defined. What depends on places
within a tie is the expected value over all its orders, so that no result depends on the order of
rows. Places count rows: one of weight 0 stands in no list, any other counts once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import inner_kernel, kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RELEVANT = 0.5
"""Rows with larger labels are the relevant ones."""


@inner_kernel
def end_of_tie(score: Floats, first: int, stop: int) -> int:
    """Return where the rows end that have the score of row `first`."""
    end = first + 1
    while end < stop and score[end] == score[first]:
        end += 1
    return end


@kernel
def areas_under_roc(
    ptr: Integers, score: Floats, label: Floats, weight: Floats, out: Floats
) -> None:
    """Write the share of pairs of a positive and a negative that are in order; ties count half."""
    for item in range(len(out)):
        positives, negatives, won = 0.0, 0.0, 0.0
        first, stop = ptr[item], ptr[item + 1]
        while first < stop:
            end = end_of_tie(score, first, stop)
            positive, negative = 0.0, 0.0
            for row in range(first, end):
                positive += weight[row] * label[row]
                negative += weight[row] * (1.0 - label[row])
            won += negative * (positives + 0.5 * positive)
            positives += positive
            negatives += negative
            first = end
        both = positives > 0.0 and negatives > 0.0
        out[item] = won / positives / negatives if both else np.nan


@kernel
def average_precisions(
    ptr: Integers, score: Floats, label: Floats, weight: Floats, out: Floats
) -> None:
    """Write the mean of the precision at every distinct score, by the recall gained there."""
    for item in range(len(out)):
        positives, everything, area = 0.0, 0.0, 0.0
        first, stop = ptr[item], ptr[item + 1]
        while first < stop:
            end = end_of_tie(score, first, stop)
            positive = 0.0
            for row in range(first, end):
                positive += weight[row] * label[row]
                everything += weight[row]
            positives += positive
            if positive > 0.0:
                area += positive * (positives / everything)
            first = end
        out[item] = area / positives if positives > 0.0 else np.nan


@kernel
def hits(
    ptr: Integers, score: Floats, label: Floats, weight: Floats, k: int, out: Floats, total: Floats
) -> None:
    """Write the relevant rows among the first `k` to `out` and those of the list to `total`.

    `out` is NaN for a list without rows.
    """
    for item in range(len(out)):
        places, found = 0, 0.0
        total[item] = 0.0
        first, stop = ptr[item], ptr[item + 1]
        while first < stop:
            end = end_of_tie(score, first, stop)
            tied, relevant = 0, 0.0
            for row in range(first, end):
                if weight[row] > 0.0:
                    tied += 1
                    relevant += 1.0 if label[row] > RELEVANT else 0.0
            inside = min(max(k - places, 0), tied)
            if inside > 0:
                found += relevant * inside / tied
            places += tied
            total[item] += relevant
            first = end
        out[item] = found if places > 0 else np.nan


@kernel
def reciprocal_ranks(
    ptr: Integers, score: Floats, label: Floats, weight: Floats, k: int, out: Floats
) -> None:
    """Write one over the place of the first relevant row; 0 when that is beyond `k`."""
    for item in range(len(out)):
        places = 0
        out[item] = np.nan
        first, stop = ptr[item], ptr[item + 1]
        while first < stop:
            end = end_of_tie(score, first, stop)
            tied, relevant = 0, 0
            for row in range(first, end):
                if weight[row] > 0.0:
                    tied += 1
                    relevant += 1 if label[row] > RELEVANT else 0
            if relevant > 0:
                expected, none_yet = 0.0, 1.0
                for before in range(min(tied - relevant + 1, k - places)):
                    chance = relevant / (tied - before)
                    expected += none_yet * chance / (places + before + 1)
                    none_yet *= 1.0 - chance
                out[item] = expected
                break
            places += tied
            first = end


@kernel
def discounted_gains(
    ptr: Integers, score: Floats, label: Floats, weight: Floats, k: int, out: Floats
) -> None:
    """Write the sum of ``label / log2(1 + place)`` over the first `k` places."""
    for item in range(len(out)):
        places, total = 0, 0.0
        first, stop = ptr[item], ptr[item + 1]
        while first < stop and places < k:
            end = end_of_tie(score, first, stop)
            tied, gain, discount = 0, 0.0, 0.0
            for row in range(first, end):
                if weight[row] > 0.0:
                    if places + tied < k:
                        discount += 1.0 / np.log2(2.0 + places + tied)
                    tied += 1
                    gain += label[row]
            if tied > 0:
                total += gain / tied * discount
            places += tied
            first = end
        out[item] = total
