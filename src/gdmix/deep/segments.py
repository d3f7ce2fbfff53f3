"""Rows in groups that lie one after the other: sums by group, places, runs, pairs of rows.

Groups are ragged and nothing is padded: a group of n rows takes n places in every tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# pairs at once: what they take of memory is a few dozen megabytes
_PAIRS = 1 << 20


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of rows.

    Attributes
    ----------
    pointers : Long[groups + 1]
        Group g is the rows ``pointers[g]`` to ``pointers[g + 1] - 1``.
    of : Long[rows]
        The group of each row.
    """

    pointers: Tensor
    of: Tensor

    @property
    def count(self) -> int:
        """Return the number of groups, those without rows among them."""
        return len(self.pointers) - 1

    @classmethod
    def at(cls, pointers: Tensor, rows: int) -> Groups:
        """Build the groups of `rows` rows that begin at `pointers`."""
        numbers = torch.arange(len(pointers) - 1, device=pointers.device)
        return cls(pointers, numbers.repeat_interleave(pointers.diff(), output_size=rows))

    def kept(self, keep: Tensor) -> Groups:
        """Return the groups of those rows for which the Bool[rows] `keep` is true."""
        of = self.of[keep]
        sizes = torch.bincount(of, minlength=self.count)
        return Groups(torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]), of)

    def begins(self) -> Tensor:
        """Return for each row where its group begins."""
        return self.pointers[self.of]

    def ends(self) -> Tensor:
        """Return for each row where its group ends."""
        return self.pointers[self.of + 1]

    def places(self) -> Tensor:
        """Return for each row its place in its group, from 0."""
        return torch.arange(len(self.of), device=self.of.device) - self.begins()

    def total(self, terms: Tensor) -> Tensor:
        """Return the sum of the rows' terms by group."""
        return terms.new_zeros(self.count).index_add(0, self.of, terms)

    def log_total(self, terms: Tensor) -> Tensor:
        """Return the logarithm of the sum of ``exp(term)`` by group; 0 for groups without rows."""
        with torch.no_grad():
            top = terms.new_full((self.count,), -torch.inf)
            top = top.scatter_reduce(0, self.of, terms, "amax")
            empty = self.pointers.diff() == 0
            top = top.masked_fill(empty, 0.0)
        summed = self.total(torch.exp(terms - top[self.of]))
        return torch.log(summed.masked_fill(empty, 1.0)) + top

    def sorted(self, *keys: Tensor) -> Tensor:
        """Return the order of rows by group and, within it, by the keys: the first counts most."""
        order = torch.arange(len(self.of), device=self.of.device)
        for key in (*reversed(keys), self.of):
            order = order[torch.argsort(key[order], stable=True)]
        return order


def runs(*keys: Tensor) -> tuple[Tensor, Tensor]:
    """Find rows that are equal to their neighbours in all of the keys.

    Returns
    -------
    number : Long[rows]
        The run of each row, from 0.
    ends : Long[runs]
        Where each run ends.
    """
    change = torch.zeros(len(keys[0]), dtype=torch.bool, device=keys[0].device)
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    number = change.cumsum(0)
    return number, torch.bincount(number).cumsum(0)


def pairs(begin: Tensor, end: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the pairs of each row i with rows ``begin[i]`` to ``end[i] - 1``, many at a time.

    Yields
    ------
    first, second : Long[pairs]
        About a million pairs, but always all of a row.
    """
    count = end - begin
    before = np.concatenate([[0], np.cumsum(count.cpu().numpy())])
    low, rows = 0, len(count)
    while low < rows:
        # rows whose pairs fit; one that alone has more is taken alone
        high = int(np.searchsorted(before, before[low] + _PAIRS, "right")) - 1
        high = max(high, low + 1)
        many = int(before[high] - before[low])
        numbers = torch.arange(low, high, device=count.device)
        first = numbers.repeat_interleave(count[low:high], output_size=many)
        start = count[low:high].cumsum(0) - count[low:high]
        shift = begin[low:high] - start
        second = torch.arange(many, device=count.device) + shift[first - low]
        yield first, second
        low = high
