"""Checks of labels, weights, offsets, ids: each names the exact place of the first bad value."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.place import Place
from gdmix.errors import DataError

LabelRange = Literal["binary", "any"]


def numbers(array: pa.Array, role: str, column: str, place: Place) -> NDArray[np.float64]:
    """Return a label, weight or offset column as float64.

    Raises
    ------
    DataError
        A value is null, not a number, or not finite.
    """
    if pat.is_boolean(array.type):
        array = array.cast(pa.int8())
    try:
        array = array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            place.column(column), f"found type {array.type} for the {role}", "numbers"
        ) from None
    if array.null_count:
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(place.at(row, column), f"the {role} is null", "a number")
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(place.at(row, column), f"the {role} is {values[row]}", "a finite number")
    return values


def require_labels(
    values: NDArray[np.float64], allowed: LabelRange, column: str, place: Place
) -> None:
    """Check that labels are in the task's range.

    Raises
    ------
    DataError
        Names the first row with a label outside it.
    """
    if allowed == "binary":
        wrong = (values != 0.0) & (values != 1.0)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                place.at(row, column),
                f"the label is {values[row]:g}",
                "0 or 1 for task 'logistic'",
                "map the response to 0 and 1 first",
            )


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
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(
            place.at(row, column),
            "the entity id is null",
            "an id",
            f"drop such rows, or give them an id of their own ({option})",
        )
    coded = array if pat.is_dictionary(array.type) else array.dictionary_encode()
    ids = coded.dictionary
    if pat.is_integer(ids.type):
        ids = ids.cast(pa.int64())
    elif pat.is_string(ids.type) or pat.is_large_string(ids.type) or str(ids.type) == "string_view":
        ids = ids.cast(pa.string())
    else:
        raise DataError(
            place.column(column),
            f"found type {ids.type} for an entity id",
            "whole numbers or strings",
            f"convert the column ({option})",
        )
    return pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), ids)


def require_unique(uids: pa.ChunkedArray, column: str, source: str) -> None:
    """Check that no uid repeats.

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
    first = int(first_rows[codes[row]])
    raise DataError(
        f"{source}, row {row + 1}, column {column!r}",
        f"uid {uids[row].as_py()!r} repeats that of row {first + 1}",
        "unique uids (unique_uid: true)",
        "remove the duplicate, or set unique_uid: false",
    )
