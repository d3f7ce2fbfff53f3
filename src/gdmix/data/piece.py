r"""`Piece`: the features of one column of one batch, and the steps by which columns become them.

A key is ``name + "\x01" + term``, the field's usual spelling of a name-and-term pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_list, plain
from gdmix.data.place import Place
from gdmix.errors import DataError

SEPARATOR = "\x01"

_SPAN = 1 << 16


class Piece(NamedTuple):
    """The features that one column contributes to the rows of one batch.

    Attributes
    ----------
    lengths : int64[rows] or None
        Features of each row; None when every row has exactly one.
    codes : int32[nnz]
        Positions in `keys`, row by row.
    keys : pa.StringArray
        The distinct keys of this batch.
    values : float64[nnz] or None
        None when all are 1.
    may_repeat : bool
        Whether a row can hold a key twice (lists can).
    ordered : bool
        Whether the keys are ordered as whole numbers, as the positions of a dense block are.
    """

    lengths: NDArray[np.int64] | None
    codes: NDArray[np.int32]
    keys: pa.StringArray
    values: NDArray[np.float64] | None
    may_repeat: bool = False
    ordered: bool = False


def dictionary(array: pa.Array) -> tuple[NDArray[np.int32], pa.StringArray]:
    """Return the codes of an array without nulls, and its distinct values as strings."""
    values = plain(array)
    if pa.types.is_int64(values.type) and (dense := _dense_codes(values)) is not None:
        return dense
    encoded = values.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes, encoded.dictionary.cast(pa.string())


def _dense_codes(array: pa.Int64Array) -> tuple[NDArray[np.int32], pa.StringArray] | None:
    """Code numbers that lie close together without hashing; None where they do not."""
    numbers = array.to_numpy(zero_copy_only=False)
    if not len(numbers):
        return None
    low, high = int(numbers.min()), int(numbers.max())
    if high - low >= max(_SPAN, 2 * len(numbers)):
        return None
    within = numbers - low
    there = np.zeros(high - low + 1, bool)
    there[within] = True
    codes = np.cumsum(there, dtype=np.int32) - 1
    return codes[within], pa.array(np.flatnonzero(there) + low).cast(pa.string())


def keys_of(column: str, terms: pa.StringArray) -> pa.StringArray:
    """Join a column's name to its terms."""
    return pc.binary_join_element_wise(pa.scalar(column), terms, SEPARATOR)


def lists(array: pa.Array, place: Place, column: str) -> tuple[NDArray[np.int64], pa.Array]:
    """Return the length of every row's list, a null one's being 0, and the items under each other.

    Raises
    ------
    DataError
        The column holds no lists, or a list holds a null.
    """
    if not is_list(array.type):
        raise DataError(place.column(column), f"found type {array.type}", "a list")
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    # .flatten() respects slices and nulls; .values does not
    items = plain(array.flatten())
    counts = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    if items.null_count:
        row = row_of(first_null(items), counts)
        raise DataError(place.at(row, column), "a null inside a list", "a value")
    return counts, items


def floats(array: pa.Array) -> NDArray[np.float64]:
    """Return an array of numbers as float64."""
    values = plain(array).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def scaled(values: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Multiply values by the scale of a feature."""
    if scale == 1.0:
        return values
    # what overflows is found by `require_finite`
    with np.errstate(over="ignore"):
        return values * scale


def ones(count: int, scale: float) -> NDArray[np.float64] | None:
    """Return the values of indicators."""
    return None if scale == 1.0 else np.full(count, scale)


def require_finite(
    values: NDArray[np.float64], place: Place, column: str, lengths: NDArray[np.int64] | None
) -> None:
    """Check the values of a column whose rows hold `lengths` of them (None: one each).

    Raises
    ------
    DataError
        Names the row of the first value that is NaN or infinite.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    first = int(np.argmin(finite))
    row = first if lengths is None else row_of(first, lengths)
    raise DataError(
        place.at(row, column),
        f"found {values[first]}",
        "a finite number",
        "a missing value may be null (the feature is then absent)",
    )


def row_of(item: int, lengths: NDArray[np.int64]) -> int:
    """Return the row that an item lies in."""
    return int(np.searchsorted(np.cumsum(lengths), item, side="right"))


def first_null(array: pa.Array) -> int:
    """Return the position of the first null."""
    return int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))


def first_not_number(array: pa.Array) -> int | None:
    """Return the position of the first string that is no number, None when there is none."""
    first, last = 0, len(array)
    if _are_numbers(array):
        return None
    # all before `first` are numbers; the string sought lies before `last`
    while last - first > 1:
        middle = (first + last) // 2
        if _are_numbers(array[first:middle]):
            first = middle
        else:
            last = middle
    return first


def _are_numbers(array: pa.Array) -> bool:
    try:
        array.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
