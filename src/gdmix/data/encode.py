"""Pieces of columns → the CSR rows of a shard, batch after batch into one set of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Csr
from gdmix.data.index import FeatureIndex
from gdmix.data.piece import Piece
from gdmix.jit import kernel

Positions = NDArray[np.int32]


class Coded(NamedTuple):
    """A `Piece` whose keys have become positions.

    Attributes
    ----------
    lengths : int64[rows] or None
    codes : int32[nnz]
        Positions in `positions`.
    positions : int32[keys]
        Where each key lies in what it is looked up in, -1 where it is not there.
    values : float64[nnz] or None
    may_repeat : bool
    """

    lengths: NDArray[np.int64] | None
    codes: NDArray[np.int32]
    positions: Positions
    values: NDArray[np.float64] | None
    may_repeat: bool


def coded(piece: Piece, positions: Positions) -> Coded:
    """Return a piece with positions in the place of its keys."""
    return Coded(piece.lengths, piece.codes, positions, piece.values, piece.may_repeat)


class Assembly:
    """The rows of a shard as they come together.

    Arrays are made once, for all values that may come; memory that is not written to is never
    taken, and batches can be dropped as soon as their rows are here.

    Parameters
    ----------
    rows : int
        Rows that will come.
    most : int
        Values that will come at most.
    width : int
        Features of the shard.
    """

    def __init__(self, rows: int, most: int, width: int) -> None:
        self._indptr = np.zeros(rows + 1, np.int64)
        self._indices = np.empty(most, np.int32)
        self._values = np.empty(most, np.float64)
        self._seen_at = np.empty(0, np.int64)
        self._width = width
        self._rows = 0
        self._dropped = 0

    def add(self, rows: int, columns: Sequence[Coded]) -> None:
        """Add the rows of a batch.

        Parameters
        ----------
        rows : int
        columns : sequence of Coded
            One for each column of the shard, in the shard's order, with positions in the shard.
        """
        indptr = self._indptr[self._rows : self._rows + rows + 1]
        counts = np.zeros(rows, np.int64)
        for column in columns:
            if len(column.positions) and column.positions.min() < 0:
                place = (_lengths(column), column.codes, column.positions)
                self._dropped += count_known(*map(_frozen, place), counts)
            else:
                counts += 1 if column.lengths is None else column.lengths
        np.cumsum(counts, out=indptr[1:])
        indptr[1:] += indptr[0]
        slots = indptr[:-1].copy()
        for column in columns:
            values = np.empty(0) if column.values is None else column.values
            place = (_lengths(column), column.codes, column.positions, values)
            place_known(*map(_frozen, place), slots, self._indices, self._values)
        if any(column.may_repeat for column in columns) or len(columns) > 1:
            if not len(self._seen_at):
                self._seen_at = np.full(self._width, -1, np.int64)
            sum_repeated(indptr, self._indices, self._values, self._seen_at)
        self._rows += rows

    def finish(self) -> tuple[Csr, int]:
        """Return the rows, and how many values were dropped."""
        kept = self._indptr[-1]
        csr = Csr(self._indptr, self._indices[:kept], self._values[:kept], self._width)
        return csr, self._dropped


def encode(rows: int, pieces: Sequence[Piece], index: FeatureIndex) -> tuple[Csr, int]:
    """Assemble the rows of one batch; see `Assembly`.

    Features that `index` does not hold are dropped.
    """
    assembly = Assembly(rows, sum(len(piece.codes) for piece in pieces), len(index))
    assembly.add(rows, [coded(piece, index.positions(piece.keys)) for piece in pieces])
    return assembly.finish()


def _lengths(column: Coded) -> NDArray[np.int64]:
    """Return the lengths of a column, none at all for one value a row."""
    return np.empty(0, np.int64) if column.lengths is None else column.lengths


def _frozen(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a view that is read-only, as what Arrow gives is: kernels are then compiled once."""
    view = array.view()
    view.flags.writeable = False
    return view


@kernel
def count_known(
    lengths: NDArray[np.int64],
    codes: NDArray[np.int32],
    positions: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> int:
    """Add to `counts` how many known features each row has; return how many are unknown.

    Without `lengths` each row has one feature.
    """
    item = 0
    dropped = 0
    for row in range(len(counts)):
        length = lengths[row] if len(lengths) else 1
        for _ in range(length):
            known = positions[codes[item]] >= 0
            counts[row] += known
            dropped += not known
            item += 1
    return dropped


@kernel
def place_known(
    lengths: NDArray[np.int64],
    codes: NDArray[np.int32],
    positions: NDArray[np.int32],
    source: NDArray[np.float64],
    slots: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
) -> None:
    """Write the known features of each row from its slot on, and move the slot past them.

    Without `source` all values are 1; without `lengths` each row has one feature.
    """
    item = 0
    for row in range(len(slots)):
        length = lengths[row] if len(lengths) else 1
        slot = slots[row]
        for _ in range(length):
            position = positions[codes[item]]
            if position >= 0:
                indices[slot] = position
                values[slot] = source[item] if len(source) else 1.0
                slot += 1
            item += 1
        slots[row] = slot


@kernel
def sum_repeated(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    seen_at: NDArray[np.int64],
) -> int:
    """Add up values of a feature that a row holds more than once, in place.

    `seen_at` is scratch, int64[features]: -1, or what calls for earlier rows of the same arrays
    left. Returns where the values end.
    """
    out = indptr[0]
    start = indptr[0]
    for row in range(len(indptr) - 1):
        stop = indptr[row + 1]
        first_out = out
        for k in range(start, stop):
            feature = indices[k]
            slot = seen_at[feature]
            if slot >= first_out and slot < out and indices[slot] == feature:
                values[slot] += values[k]
            else:
                seen_at[feature] = out
                indices[out] = feature
                values[out] = values[k]
                out += 1
        start = stop
        indptr[row + 1] = out
    return out
