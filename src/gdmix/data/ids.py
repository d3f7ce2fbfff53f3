"""Positions of ids in a sorted list of ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def positions(ids: pa.Array, known: pa.Array) -> NDArray[np.int32]:
    """Return where each of `ids` lies in `known`, -1 where it does not.

    Ids written as numbers and as strings of the same numbers match.
    """
    if ids.type != known.type:
        # as text, so that 7 matches "7" and nothing else, whatever other ids stand beside it
        ids, known = ids.cast(pa.string()), known.cast(pa.string())
    if ids.equals(known):
        # the rows that trained are scored by their own models: nothing to look up
        return np.arange(len(ids), dtype=np.int32)
    found = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int32)
