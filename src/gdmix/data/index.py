"""`FeatureIndex`: the (name, term) pairs of a shard and their positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.piece import SEPARATOR
from gdmix.data.texts import ascending
from gdmix.data.vocabulary import Vocabulary

INTERCEPT = "(INTERCEPT)"


class Terms(NamedTuple):
    """The distinct keys that one column held.

    Attributes
    ----------
    keys : pa.StringArray
    ordered : bool
        Whether the keys have an order of their own, as the positions of a dense block have.
    """

    keys: pa.StringArray
    ordered: bool = False

    def order(self) -> NDArray[np.int64]:
        """Return the order of the keys in an index."""
        order = ascending(self.keys)
        if self.ordered:
            # as numbers: 9 before 10
            lengths = pc.binary_length(self.keys).to_numpy(zero_copy_only=False)
            order = order[np.argsort(lengths[order], kind="stable")]
        return order


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
    def build(cls, columns: Sequence[Terms]) -> tuple[FeatureIndex, list[NDArray[np.int32]]]:
        """Collect the features of columns, no two of which share one.

        The order follows the columns, then the terms, so that it does not depend on the order of
        rows or files; the positions of a dense block stay in their own order. Returned as well
        is where each column's keys now lie.
        """
        parts = [pa.array([], pa.string())]
        positions = []
        first = 0
        for column in columns:
            order = column.order()
            parts.append(column.keys.take(pa.array(order)))
            mine = np.empty(len(order), np.int32)
            mine[order] = np.arange(first, first + len(order), dtype=np.int32)
            positions.append(mine)
            first += len(order)
        return cls(pa.concat_arrays(parts)), positions

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
        return self._vocabulary.find(keys)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.keys)

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
