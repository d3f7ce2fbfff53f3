"""Checks of labels, weights, offsets, ids: each names the exact place of the first bad value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_list, is_number, is_string
from gdmix.data.piece import first_not_number, first_null
from gdmix.data.place import Place
from gdmix.errors import DataError

_SPOKEN = (is_string, is_number, pat.is_boolean, pat.is_null)
"""What can be read as text."""

LabelRange = Literal["binary", "counts", "any"]


def numbers(array: pa.Array, role: str, column: str, place: Place) -> NDArray[np.float64]:
    """Return a label, weight or offset column as float64.

    Raises
    ------
    DataError
        A value is null, not a number, or not finite.
    """
    if array.null_count:
        raise DataError(place.at(first_null(array), column), f"the {role} is null", "a number")
    values = known_numbers(array, role, column, place)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(place.at(row, column), f"the {role} is {values[row]}", "a finite number")
    return values


def without_nulls(array: pa.Array, default: float) -> pa.Array:
    """Return a column of numbers in which a null is `default`; other columns as they are."""
    if pat.is_null(array.type):
        return pa.array(np.full(len(array), default))
    if not array.null_count or not is_number(array.type):
        return array
    return pc.fill_null(array.cast(pa.float64(), safe=False), default)


def split_at(labels: NDArray[np.float64], above: float) -> NDArray[np.float64]:
    """Return 1 for labels above a number and 0 for all others; what is missing stays NaN."""
    return np.where(np.isnan(labels), np.nan, labels > above)


def known_numbers(array: pa.Array, role: str, column: str, place: Place) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it is null.

    Raises
    ------
    DataError
        The column does not hold numbers.
    """
    kind = array.type
    if not (is_number(kind) or pat.is_boolean(kind) or pat.is_null(kind)):
        hint = "convert the column to numbers" + _first_text(array, place)
        raise DataError(place.column(column), f"found type {kind} for the {role}", "numbers", hint)
    if pat.is_boolean(kind):
        array = array.cast(pa.int8())
    array = array.cast(pa.float64(), safe=False)
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)


def _first_text(array: pa.Array, place: Place) -> str:
    row = first_not_number(array) if is_string(array.type) else None
    return "" if row is None else f": row {place.first_row + row + 1} holds {array[row].as_py()!r}"


def require_labels(
    values: NDArray[np.float64], allowed: LabelRange, of: str, column: str, place: Place
) -> None:
    """Check that labels are in the range that a task or a metric (`of`) allows.

    Raises
    ------
    DataError
        Names the first row with a label outside it.
    """
    if allowed == "any":
        return
    if allowed == "binary":
        wrong = (values != 0.0) & (values != 1.0)
        expected, hint = "0 or 1", "map the response to 0 and 1 first"
    else:
        wrong = values < 0.0
        expected, hint = "0 or more", "drop such rows, or choose another task or metric"
    if wrong.any():
        row = int(np.argmax(wrong))
        found = f"the label is {values[row]:g}"
        raise DataError(place.at(row, column), found, f"{expected} for {of}", hint)


def from_zero(
    values: NDArray[np.float64], before: set[float], of: str, column: str, place: Place
) -> NDArray[np.float64]:
    """Return labels -1 and 1, as libsvm files have them, as 0 and 1.

    Parameters
    ----------
    values : float64[rows]
    before : set of float
        Which of -1 and 0 the rows before held; those of these are added.
    of : str
        What needs labels of two classes (for messages).

    Raises
    ------
    DataError
        Names the first row with a 0 where others have -1, or the other way round: one of the two
        may mean something else.
    """
    low = np.flatnonzero((values == -1.0) | (values == 0.0))
    if not len(low):
        return values
    least = next(iter(before), float(values[low[0]]))
    other = low[values[low] != least]
    if len(other):
        found = f"the label is {values[other[0]]:g}"
        expected = "0 or 1" if least == 0.0 else "-1 or 1, as in the rows before,"
        hint = "map the response to 0 and 1 first"
        raise DataError(place.at(int(other[0]), column), found, f"{expected} for {of}", hint)
    before.add(least)
    return np.where(values == -1.0, 0.0, values)


def require_weights(values: NDArray[np.float64], column: str, place: Place) -> None:
    """Check that weights are not negative.

    Raises
    ------
    DataError
        Names the first row with a negative weight.
    """
    negative = values < 0.0
    if negative.any():
        row = int(np.argmax(negative))
        raise DataError(place.at(row, column), f"the weight is {values[row]:g}", "0 or more")


def entity_ids(array: pa.Array, option: str, column: str, place: Place) -> pa.DictionaryArray:
    """Return an entity column dictionary-coded, its ids as int64 or string.

    Raises
    ------
    DataError
        An id is null, or ids are neither whole numbers nor strings.
    """
    if array.null_count:
        raise DataError(
            place.at(first_null(array), column),
            "the entity id is null",
            "an id",
            f"drop such rows, or give them an id of their own ({option})",
        )
    if not (pat.is_integer(array.type) or is_string(array.type)):
        raise DataError(
            place.column(column),
            f"found type {array.type} for an entity id",
            "whole numbers or strings",
            f"convert the column ({option})",
        )
    coded = array.dictionary_encode()
    try:
        ids = coded.dictionary.cast(pa.int64() if pat.is_integer(array.type) else pa.string())
    except pa.ArrowInvalid as error:
        raise DataError(
            place.column(column),
            f"an entity id is too large ({error})",
            "whole numbers below 2**63",
            f"convert the column to strings ({option})",
        ) from None
    return pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), ids)


def text(array: pa.Array, option: str, column: str, place: Place) -> pa.StringArray:
    """Return a text column as strings; a null is the empty text, a list its parts with blanks.

    Raises
    ------
    DataError
        The column holds neither text nor numbers.
    """
    if is_list(array.type) and is_string(array.type.value_type):
        array = pc.binary_join(array.cast(pa.list_(pa.string())), " ")
    elif not any(is_kind(array.type) for is_kind in _SPOKEN):
        raise DataError(
            place.column(column),
            f"found type {array.type} for a text",
            "strings, or lists of them",
            f"convert the column ({option})",
        )
    return pc.fill_null(array.cast(pa.string()), "")


def uids(array: pa.Array, column: str, place: Place, *, unique: bool) -> pa.Array:
    """Return a uid column as it is written.

    Raises
    ------
    DataError
        The column holds lists or structs, or a null where uids must be unique.
    """
    if pat.is_nested(array.type):
        raise DataError(
            place.column(column), f"found type {array.type} for the uid", "numbers or strings"
        )
    if unique and array.null_count:
        raise DataError(place.at(first_null(array), column), "the uid is null", "a unique uid")
    return array


def require_unique(uids: pa.ChunkedArray, column: str, places: Sequence[Place]) -> None:
    """Check that no uid repeats; `places` are those of the chunks.

    Raises
    ------
    DataError
        Names the first uid that repeats and both of its rows.
    """
    if pc.count_distinct(uids, mode="all").as_py() == len(uids):
        return
    codes = uids.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first_rows = np.unique(codes, return_index=True)
    again = np.ones(len(codes), bool)
    again[first_rows] = False
    row = int(np.argmax(again))
    place, within = _origin(row, uids, places)
    there, first_within = _origin(int(first_rows[codes[row]]), uids, places)
    of = "" if there.file == place.file else f" of {there.file}"
    raise DataError(
        place.at(within, column),
        f"uid {uids[row].as_py()!r} repeats that of row {there.first_row + first_within + 1}{of}",
        "unique uids (unique_uid: true)",
        "remove the duplicate, or set unique_uid: false",
    )


def _origin(row: int, chunked: pa.ChunkedArray, places: Sequence[Place]) -> tuple[Place, int]:
    """Return the place of the chunk that a row lies in, and its row there."""
    ends = np.cumsum([len(chunk) for chunk in chunked.chunks])
    chunk = int(np.searchsorted(ends, row, side="right"))
    return places[chunk], row - int(ends[chunk]) + len(chunked.chunk(chunk))
