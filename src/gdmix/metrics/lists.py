"""Rows in lists: what a metric is computed on, sorted once for all metrics that need an order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Ranked(NamedTuple):
    """Rows list after list, and within a list from the highest value to the lowest.

    Attributes
    ----------
    ptr : int64[lists + 1]
        Where each list lies.
    rows : int64[rows]
        Which row stands there.
    """

    ptr: Integers
    rows: Integers


@dataclass(frozen=True, eq=False)
class Sample:
    """Labels, scores and weights of the same rows.

    Attributes
    ----------
    label, score, weight : float64[rows]
        Where there are several classes, scores are float64[rows, classes]; labels too, where a row
        may have several.
    """

    label: Floats
    score: Floats
    weight: Floats

    @cached_property
    def by_score(self) -> Integers:
        """The rows from the lowest score to the highest."""
        return np.argsort(self.score)

    @cached_property
    def by_label(self) -> Integers:
        """The rows from the lowest label to the highest."""
        return np.argsort(self.label)


@dataclass(frozen=True, eq=False)
class Lists:
    """A sample cut into lists.

    Attributes
    ----------
    sample : Sample
    group : int[rows] or None
        The list of each row, from 0; None when all rows are one list.
    count : int
        Number of lists.
    """

    sample: Sample
    group: NDArray[np.integer] | None = None
    count: int = 1

    @cached_property
    def by_score(self) -> Ranked:
        """The lists by falling score."""
        return self._ranked(self.sample.by_score)

    @cached_property
    def by_label(self) -> Ranked:
        """The lists by falling label."""
        return self._ranked(self.sample.by_label)

    def with_score(self, score: Floats) -> Lists:
        """Return the same lists with other scores."""
        return Lists(replace(self.sample, score=score), self.group, self.count)

    def total(self, terms: Floats) -> Floats:
        """Return the sum of a term per row within each list."""
        if self.group is None:
            return np.asarray([terms.sum()])
        # an empty sample would be counted in whole numbers
        return np.bincount(self.group, terms, self.count).astype(np.float64, copy=False)

    def sizes(self) -> Integers:
        """Return the number of rows of each list."""
        if self.group is None:
            return np.asarray([len(self.sample.label)], np.int64)
        return np.bincount(self.group, minlength=self.count).astype(np.int64)

    def _ranked(self, ascending: Integers) -> Ranked:
        ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.sizes())])
        if self.group is None:
            return Ranked(ptr, np.ascontiguousarray(ascending[::-1]))
        rows = np.empty(len(ascending), np.int64)
        deal_out(ascending, self.group.astype(np.int32, copy=False), ptr[1:].copy(), rows)
        return Ranked(ptr, rows)


@kernel
def deal_out(order: Integers, group: NDArray[np.int32], stop: Integers, out: Integers) -> None:
    """Write the rows of `order` to their lists, each filled from its end; `stop` is used up."""
    for row in order:
        stop[group[row]] -= 1
        out[stop[group[row]]] = row
