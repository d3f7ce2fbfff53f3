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
        ids = _cast(ids, known.type)
    found = pc.fill_null(pc.index_in(ids, value_set=known), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int32)


def _cast(ids: pa.Array, wanted: pa.DataType) -> pa.Array:
    try:
        return ids.cast(wanted)
    except pa.ArrowInvalid:
        # strings that are not numbers are ids nobody has seen
        number = pc.match_substring_regex(ids, r"^[+-]?\d{1,18}$")
        return pc.if_else(number, ids, pa.scalar(None, pa.string())).cast(wanted)
