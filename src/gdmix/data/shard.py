"""One shard while data is read: its rows, and the features that were met so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Csr
from gdmix.data.encode import Assembly, Positions
from gdmix.data.index import FeatureIndex, Terms
from gdmix.data.piece import Piece
from gdmix.data.vocabulary import Vocabulary


class Shard:
    """Rows with features numbered as they come, or as a known index has them.

    Parameters
    ----------
    index : FeatureIndex, optional
        Known features; all others are dropped.
    """

    def __init__(self, index: FeatureIndex | None = None) -> None:
        self._index = index
        self._rows = Assembly()
        self._vocabulary = Vocabulary()
        # the first of the shard's columns that held each feature
        self._column = np.empty(0, np.int32)
        self._ordered: dict[int, bool] = {}
        self._built: tuple[FeatureIndex, Positions] | None = None

    def add(self, rows: int, pieces: Sequence[Piece]) -> None:
        """Add the rows of a batch: a piece for each column, in the shard's order."""
        if self._index is not None:
            found = [self._index.positions(piece.keys) for piece in pieces]
            self._rows.add(rows, pieces, found, len(self._index))
            return
        found = [self._vocabulary.add(piece.keys) for piece in pieces]
        more = len(self._vocabulary) - len(self._column)
        self._column = np.append(self._column, np.full(more, len(pieces), np.int32))
        for number, (piece, positions) in enumerate(zip(pieces, found, strict=True)):
            self._ordered[number] = piece.ordered
            self._column[positions] = np.minimum(self._column[positions], number)
        self._rows.add(rows, pieces, found, len(self._vocabulary))

    def features(self) -> FeatureIndex:
        """Return the index of all features that were met."""
        mine, columns = self._mine(), self.terms()
        index, positions = FeatureIndex.build(columns)
        numbers = np.empty(len(self._vocabulary), np.int32)
        for where, places in zip(mine, positions, strict=True):
            numbers[where] = places
        self._built = index, numbers
        return index

    def terms(self) -> list[Terms]:
        """Return the features that were met: for each column those that no column before it had."""
        keys = self._vocabulary.keys()
        return [
            Terms(keys.take(pa.array(where)), ordered)
            for where, ordered in zip(self._mine(), self._ordered.values(), strict=True)
        ]

    def _mine(self) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(self._column == number) for number in self._ordered]

    def finish(self, index: FeatureIndex) -> tuple[Csr, int]:
        """Return the rows with features as `index` numbers them, and how many were dropped."""
        return self._rows.finish(len(index), self._numbers(index))

    def _numbers(self, index: FeatureIndex) -> NDArray[np.int32] | None:
        if index is self._index:
            return None
        if self._built is not None and index is self._built[0]:
            return self._built[1]
        return index.positions(self._vocabulary.keys())
