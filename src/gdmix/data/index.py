"""`FeatureIndex`: the (name, term) pairs of a shard and their positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.piece import SEPARATOR, Piece

INTERCEPT = "(INTERCEPT)"


@dataclass(frozen=True)
class FeatureIndex:
    r"""The features of a shard, in order.

    Attributes
    ----------
    keys : pa.StringArray
        ``name + "\x01" + term``; a feature's position is its index.
    """

    keys: pa.StringArray

    @classmethod
    def build(cls, columns: Iterable[Sequence[Piece]]) -> FeatureIndex:
        """Collect the features of columns, each given as its pieces over all batches.

        The order follows the columns, then the terms, so that it does not depend on the order of
        rows or files; the positions of a dense block stay in their own order.
        """
        parts = [_distinct(pieces) for pieces in columns]
        if not parts:
            return cls(pa.array([], pa.string()))
        return cls(pa.concat_arrays(parts).unique())

    def extended(self, others: FeatureIndex) -> FeatureIndex:
        """Return these features where they are, and after them those of `others` that are new."""
        return FeatureIndex(pa.concat_arrays([self.keys, others.keys]).unique())

    def without(self, names: Iterable[str]) -> FeatureIndex:
        """Return the features of other names than these."""
        mine = pc.is_in(self.names, value_set=pa.array(list(names), pa.string()))
        return FeatureIndex(self.keys.filter(pc.invert(mine)))

    def __len__(self) -> int:
        return len(self.keys)

    def positions(self, keys: pa.StringArray) -> NDArray[np.int32]:
        """Return the position of each key, -1 where it is unknown."""
        found = map(self._positions.get, keys.to_pylist(), repeat(-1))
        return np.fromiter(found, np.int32, len(keys))

    @cached_property
    def _positions(self) -> dict[str, int]:
        # pc.index_in would hash all keys anew for each column of each batch
        return {key: position for position, key in enumerate(self.keys.to_pylist())}

    def terms_of(self, column: str) -> pa.StringArray:
        """Return the terms of the features of one name, in their order."""
        mine = self.keys.filter(pc.starts_with(self.keys, column + SEPARATOR))
        return pc.utf8_slice_codeunits(mine, len(column) + 1)

    @cached_property
    def names(self) -> pa.StringArray:
        """Name of every feature."""
        return self._part(0)

    @cached_property
    def terms(self) -> pa.StringArray:
        """Term of every feature; empty for a plain number."""
        return self._part(1)

    def label(self, position: int) -> str:
        """Return ``name`` or ``name=term`` for people to read."""
        name, term = self.keys[position].as_py().split(SEPARATOR, 1)
        return f"{name}={term}" if term else name

    def to_table(self) -> pa.Table:
        """Return a table of name, term and index."""
        index = pa.array(np.arange(len(self), dtype=np.int32))
        return pa.table({"name": self.names, "term": self.terms, "index": index})

    @classmethod
    def from_table(cls, table: pa.Table) -> FeatureIndex:
        """Rebuild from the table that `to_table` gave."""
        table = table.sort_by("index").combine_chunks()
        pair = [table[column].cast(pa.string()) for column in ("name", "term")]
        keys = pc.binary_join_element_wise(*pair, SEPARATOR)
        return cls(keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys)

    def _part(self, which: int) -> pa.StringArray:
        if not len(self.keys):
            return self.keys
        # a term may itself hold the separator: split once
        pairs = pc.split_pattern(self.keys, SEPARATOR, max_splits=1)
        return pc.list_element(pairs, which)


def _distinct(pieces: Sequence[Piece]) -> pa.StringArray:
    if not pieces:
        return pa.array([], pa.string())
    keys = pa.concat_arrays([piece.keys for piece in pieces]).unique()
    return keys if pieces[0].ordered else keys.take(pc.array_sort_indices(keys))
