"""Lists of numbers, one for each row, end to end in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel


class Ragged(NamedTuple):
    """A list of token numbers for each row.

    Attributes
    ----------
    offsets : int64[rows + 1]
        Where each row's list begins; the last is where all end.
    ids : int32[total]
    """

    offsets: NDArray[np.int64]
    ids: NDArray[np.int32]

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.offsets) - 1

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Ragged:
        """Put lists end to end."""
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        flat = (number for ids in lists for number in ids)
        return cls(offsets, np.fromiter(flat, np.int32, count=int(offsets[-1])))

    def take(self, rows: NDArray[np.int64]) -> Ragged:
        """Return the lists of some rows, in that order; a row may come again."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(np.diff(self.offsets)[rows], out=offsets[1:])
        ids = np.empty(offsets[-1], np.int32)
        _copy_lists(self.offsets, self.ids, rows, offsets, ids)
        return Ragged(offsets, ids)


@kernel
def _copy_lists(
    offsets: NDArray[np.int64],
    ids: NDArray[np.int32],
    rows: NDArray[np.int64],
    to: NDArray[np.int64],
    copied: NDArray[np.int32],
) -> None:
    for position in range(len(rows)):
        start = offsets[rows[position]]
        for place in range(to[position], to[position + 1]):
            copied[place] = ids[start + place - to[position]]
