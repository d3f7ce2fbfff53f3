"""Pieces of columns → the CSR rows of a shard, batch after batch into one set of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Csr
from gdmix.data.piece import Piece
from gdmix.jit import kernel

Positions = NDArray[np.int32]

_BLOCK = 1 << 20


class Assembly:
    """The rows of a shard as they come together.

    The arrays grow in place, so that at no time there are two of them, and a batch can be
    dropped as soon as its rows are here.
    """

    def __init__(self) -> None:
        self._indptr = np.zeros(1, np.int64)
        self._indices = np.empty(0, np.int32)
        self._values = np.empty(0, np.float64)
        self._seen_at = np.empty(0, np.int64)
        self._rows = 0
        self._dropped = 0

    def add(
        self, rows: int, pieces: Sequence[Piece], positions: Sequence[Positions], width: int
    ) -> None:
        """Add the rows of a batch.

        Parameters
        ----------
        rows : int
        pieces : sequence of Piece
            One for each column of the shard, in the shard's order.
        positions : sequence of int32[keys]
            Where the keys of each piece lie; a feature at -1 is dropped.
        width : int
            Features known by now.
        """
        begin, end = self._rows, self._rows + rows
        _grow(self._indptr, end + 1)
        indptr = self._indptr[begin : end + 1]
        np.cumsum(self._counts(rows, pieces, positions), out=indptr[1:])
        indptr[1:] += indptr[0]
        for array in (self._indices, self._values):
            _grow(array, indptr[-1])
        slots = indptr[:-1].copy()
        for piece, known in zip(pieces, positions, strict=True):
            place_known(*_frozen(piece, known), slots, self._indices, self._values)
        if any(piece.may_repeat for piece in pieces) or len(pieces) > 1:
            seen = len(self._seen_at)
            _grow(self._seen_at, width)
            self._seen_at[seen:] = -1
            sum_repeated(indptr, self._indices, self._values, self._seen_at)
        self._rows = end

    def _counts(
        self, rows: int, pieces: Sequence[Piece], positions: Sequence[Positions]
    ) -> NDArray[np.int64]:
        counts = np.zeros(rows, np.int64)
        for piece, known in zip(pieces, positions, strict=True):
            if len(known) and known.min() < 0:
                self._dropped += count_known(*_frozen(piece, known)[:3], counts)
            else:
                counts += 1 if piece.lengths is None else piece.lengths
        return counts

    def finish(self, width: int, numbers: Positions | None = None) -> tuple[Csr, int]:
        """Return the rows, and how many values were dropped; nothing can be added any more.

        Parameters
        ----------
        width : int
            Features of the shard.
        numbers : int32[features], optional
            What becomes of each feature's position.
        """
        self._indptr.resize(self._rows + 1, refcheck=False)
        for array in (self._indices, self._values):
            array.resize(int(self._indptr[-1]), refcheck=False)
        if numbers is not None:
            for first in range(0, len(self._indices), _BLOCK):
                block = self._indices[first : first + _BLOCK]
                block[:] = numbers[block]
        return Csr(self._indptr, self._indices, self._values, width), self._dropped


def _grow(array: NDArray[np.generic], wanted: int) -> None:
    """Make room in place; large arrays are moved by the memory's page tables, not copied."""
    if wanted > len(array):
        array.resize(max(int(wanted), len(array) + len(array) // 8), refcheck=False)


def _frozen(
    piece: Piece, positions: Positions
) -> tuple[NDArray[np.int64], NDArray[np.int32], Positions, NDArray[np.float64]]:
    """Return lengths, codes, positions and values for kernels, empty where there are none.

    All are read-only, as what Arrow gives is: kernels are then compiled once.
    """
    lengths = np.empty(0, np.int64) if piece.lengths is None else piece.lengths.view()
    values = np.empty(0) if piece.values is None else piece.values.view()
    codes, positions = piece.codes.view(), positions.view()
    for array in (lengths, codes, positions, values):
        array.flags.writeable = False
    return lengths, codes, positions, values


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
    start = int(indptr[0])
    out = start
    for row in range(len(indptr) - 1):
        stop = int(indptr[row + 1])
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
