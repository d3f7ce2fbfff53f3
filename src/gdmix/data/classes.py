"""Labels that are classes by name: exactly one in a row, or any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_list, is_string, is_vague, plain_type
from gdmix.data.dataset import Csr
from gdmix.data.decode import Decoder
from gdmix.data.index import FeatureIndex
from gdmix.data.piece import Piece, dictionary, first_null, floats, keys_of, lists, row_of
from gdmix.data.place import Place
from gdmix.errors import DataError
from gdmix.schema import Feature

MOST = 10_000
"""More classes than this are taken for ids in the wrong column."""

_EXPECTED = "strings or whole numbers"
_HINT = "set `label_separator` for text such as a|b; one class a row is `task: multiclass`"
_LARGEST = 2.0**53


class Classes(NamedTuple):
    """Where classes are read from.

    Attributes
    ----------
    shard : str
        Under which their names are kept, as features are.
    feature : Feature
        The label column.
    single : bool
        Whether a row has exactly one.
    """

    shard: str
    feature: Feature
    single: bool


def classes_decoder(classes: Classes, kind: pa.DataType, place: str, *, strict: bool) -> Decoder:
    """Choose how a column of this type becomes classes.

    Parameters
    ----------
    classes : Classes
    kind : pa.DataType
    place : str
        The column, for messages.
    strict : bool
        Whether a row without a label is an error.

    Raises
    ------
    DataError
        The type cannot be that of classes.
    """
    kind = plain_type(kind)
    if not classes.single and classes.feature.separator is not None and is_string(kind):
        return partial(_split, strict=strict)
    item = kind if classes.single else plain_type(kind.value_type) if is_list(kind) else None
    good = item is not None and (is_vague(item) or _is_name(item))
    if not good and not pat.is_null(kind):
        expected = _EXPECTED if classes.single else f"lists of {_EXPECTED}"
        hint = "" if classes.single else _HINT
        raise DataError(place, f"found type {kind} for the label", expected, hint)
    return partial(_one if classes.single else _several, strict=strict)


def require_known(piece: Piece, index: FeatureIndex, place: Place, column: str) -> None:
    """Refuse a row whose class is none of those known; each row has one.

    Raises
    ------
    DataError
        Names the first such row.
    """
    wrong = (index.positions(piece.keys) < 0)[piece.codes]
    if wrong.any():
        row = int(np.argmax(wrong))
        _, name = piece.keys[int(piece.codes[row])].as_py().split("\x01", 1)
        names = index.terms.to_pylist()
        known = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
        raise DataError(
            place.at(row, column),
            f"the class {name!r} is none that was trained",
            f"one of {known}",
            "drop such rows, or train anew with rows of this class",
        )


def require_sense(classes: Classes, index: FeatureIndex, source: str) -> None:
    """Refuse training data with too few classes, or with as many as ids have.

    Raises
    ------
    DataError
    """
    count, place = len(index), f"{source}, column {classes.feature.column!r}"
    least = 2 if classes.single else 1
    if count < least:
        found = f"found {count} {'class' if count == 1 else 'classes'}"
        raise DataError(place, found, f"{least} or more in the training data")
    if count > MOST:
        found = f"found {count:,} classes"
        raise DataError(place, found, f"{MOST:,} at most", "is this the column of an id?")


def numbered(csr: Csr, *, single: bool) -> NDArray[np.float64]:
    """Return labels as numbers.

    Parameters
    ----------
    csr : Csr
        The classes of every row.
    single : bool

    Returns
    -------
    float64[rows]
        The number of each row's class, NaN where it has none that is known, if `single`.
    float64[rows, classes]
        Otherwise 1 for each class that a row has, and 0.
    """
    rows = len(csr.indptr) - 1
    owner = np.repeat(np.arange(rows), np.diff(csr.indptr))
    if single:
        number = np.full(rows, np.nan)
        number[owner] = csr.indices
        return number
    table = np.zeros((rows, csr.width))
    table[owner, csr.indices] = 1.0
    return table


def _is_name(kind: pa.DataType) -> bool:
    return bool(
        is_string(kind) or pat.is_integer(kind) or pat.is_boolean(kind) or pat.is_floating(kind)
    )


def _one(arrays: Sequence[pa.Array], feature: Feature, place: Place, *, strict: bool) -> Piece:
    """Return the class of each row."""
    array = _names(arrays[0], place, feature.column, None)
    if strict and array.null_count:
        where = place.at(first_null(array), feature.column)
        raise DataError(where, "the label is missing", "the name of a class", "drop such rows")
    lengths = None
    if array.null_count:
        lengths = array.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
    codes, terms = dictionary(array.drop_null())
    ordered = bool(pat.is_integer(array.type))
    return Piece(lengths, codes, keys_of(feature.column, terms), None, ordered=ordered)


def _split(arrays: Sequence[pa.Array], feature: Feature, place: Place, *, strict: bool) -> Piece:
    """Return the classes of each row, named in a text; an empty one has none."""
    text = arrays[0].cast(pa.string())
    parts = pc.split_pattern(text, feature.separator)
    none = pa.scalar([], parts.type)
    lists_of = pc.if_else(pc.equal(text, ""), none, parts)
    return _several([lists_of], feature, place, strict=strict)


def _several(arrays: Sequence[pa.Array], feature: Feature, place: Place, *, strict: bool) -> Piece:
    """Return the classes of each row."""
    array, column = arrays[0], feature.column
    if strict and array.null_count:
        hint = "an empty list says that a row has no label; drop rows of which none is known"
        raise DataError(place.at(first_null(array), column), "the label is missing", "a list", hint)
    if pat.is_null(array.type):
        array = array.cast(pa.list_(pa.string()))
    lengths, items = lists(array, place, column)
    names = _names(items, place, column, lengths)
    if names.null_count:
        row = row_of(first_null(names), lengths)
        raise DataError(place.at(row, column), "an empty name in a list of labels", "a name")
    codes, terms = dictionary(names)
    keys, ordered = keys_of(column, terms), bool(pat.is_integer(names.type))
    return Piece(lengths, codes, keys, None, may_repeat=True, ordered=ordered)


def _names(
    array: pa.Array, place: Place, column: str, lengths: NDArray[np.int64] | None
) -> pa.Array:
    """Return names of classes as strings or whole numbers, null where there is none."""
    if pat.is_null(array.type) or is_string(array.type):
        text = array.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if not pat.is_floating(array.type):
        return array
    numbers = floats(array)
    known = ~np.isnan(numbers)
    wrong = known & ~((numbers == np.floor(numbers)) & (np.abs(numbers) <= _LARGEST))
    if wrong.any():
        item = int(np.argmax(wrong))
        row = item if lengths is None else row_of(item, lengths)
        raise DataError(place.at(row, column), f"the label is {numbers[item]:g}", _EXPECTED)
    return pa.array(np.where(known, numbers, 0.0).astype(np.int64), mask=~known)
