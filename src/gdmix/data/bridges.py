"""Sparse features from one shape to another: bags of names, index pairs, structs, numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_list, plain
from gdmix.data.piece import SEPARATOR, Piece, first_null, lists, row_of
from gdmix.data.place import Place
from gdmix.errors import DataError

SPARSE = pa.struct([("indices", pa.list_(pa.int64())), ("values", pa.list_(pa.float64()))])
"""Sparse features as libsvm files give them."""

BAG = pa.list_(pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())]))
"""Features with their names, as Avro files of Photon-ML hold them."""


def coded(
    pieces: Sequence[Piece], rows: int, keys: pa.StringArray, place: Place, *, drop: bool
) -> pa.StructArray:
    """Return features as positions within `keys`, in ascending order within a row.

    Parameters
    ----------
    pieces : sequence of Piece
        The features of some columns.
    rows : int
    keys : pa.StringArray
        Names and terms, joined.
    place : Place
    drop : bool
        Leave out what `keys` lacks.

    Raises
    ------
    DataError
        A feature is not among the keys; names the row.
    """
    parts = [_positions(piece, rows, keys, place, drop) for piece in pieces]
    row, index, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((index, row))
    counts = np.bincount(row, minlength=rows)
    return _struct(counts, index[order], value[order])


def sparse(arrays: Sequence[pa.Array], place: Place, column: str) -> pa.StructArray:
    """Return a struct, or a pair, of indices and values as `SPARSE`.

    Raises
    ------
    DataError
        A row has more indices than values, or fewer, or a null among them.
    """
    if len(arrays) == 1:
        arrays = [pc.struct_field(arrays[0], [part]) for part in ("indices", "values")]
    counts, indices = lists(arrays[0], place, column)
    others, values = lists(arrays[1], place, column)
    uneven = np.flatnonzero(counts != others)
    if len(uneven):
        row = int(uneven[0])
        found = f"{counts[row]} indices and {others[row]} values"
        raise DataError(place.at(row, column), found, "as many of one as of the other")
    try:
        numbers = indices.cast(pa.int64())
    except pa.ArrowInvalid as error:
        found = f"found an index that is no whole number ({error})"
        raise DataError(place.column(column), found, "numbers from 0") from None
    return _struct(counts, numbers, values.cast(pa.float64()))


def bag(features: pa.StructArray, keys: pa.StringArray, place: Place, column: str) -> pa.Array:
    """Return sparse features with the names that a list has for their indices, as `BAG`.

    Raises
    ------
    DataError
        The list has no line for an index; names the row.
    """
    indices, values = features.field("indices"), features.field("values")
    numbers = indices.values.to_numpy()
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(keys)))
    if len(wrong):
        lengths = np.asarray(pc.list_value_length(indices))
        where = place.at(row_of(int(wrong[0]), lengths), column)
        raise DataError(where, f"found index {numbers[wrong[0]]}", f"from 0 to {len(keys) - 1}")
    split = pc.split_pattern(keys, SEPARATOR, max_splits=1)
    names, terms = (pc.list_element(split, part).take(indices.values) for part in (0, 1))
    items = pa.StructArray.from_arrays([names, terms, values.values], fields=list(BAG.value_type))
    return pa.ListArray.from_arrays(indices.offsets, items)


def rounded(array: pa.Array, place: Place, column: str, *, lossy: bool) -> pa.Array:
    """Return numbers, or lists of them, in 32 bits.

    Raises
    ------
    DataError
        A number needs more bits, unless `lossy`; names the row.
    """
    counts = None
    items = plain(array)
    if is_list(array.type):
        counts, items = lists(array, place, column)
    wide = items.cast(pa.float64())
    # what is too large becomes infinite
    with np.errstate(over="ignore"):
        short = np.asarray(pc.fill_null(wide, 0.0)).astype(np.float32)
    if not lossy:
        exact = np.asarray(pc.fill_null(wide, 0.0))
        wrong = np.flatnonzero((short != exact) & ~np.isnan(exact))
        if len(wrong):
            row = int(wrong[0]) if counts is None else row_of(int(wrong[0]), counts)
            found = f"found {float(exact[wrong[0]])!r}, which 32 bits cannot hold"
            raise DataError(place.at(row, column), found, hint="--lossy rounds such numbers")
    if counts is None:
        return pa.array(short, mask=np.asarray(wide.is_null()))
    return pa.ListArray.from_arrays(
        _pointers(counts), pa.array(short), mask=array.is_null() if array.null_count else None
    )


def require_no_null_items(array: pa.Array, place: Place, column: str) -> None:
    """Check that lists hold no nulls.

    Raises
    ------
    DataError
        One does; names the row.
    """
    if is_list(array.type):
        lists(array, place, column)


def require_known_text(array: pa.Array, place: Place, column: str) -> None:
    """Check that no text is empty: where a null is an empty cell, it would become one.

    Raises
    ------
    DataError
        One is; names the row.
    """
    empty = pc.fill_null(pc.equal(array, ""), fill_value=False)
    if pc.any(empty).as_py():
        row = first_null(pc.if_else(empty, None, True))
        hint = "--lossy writes it as a missing one"
        raise DataError(place.at(row, column), "found an empty text", "text, or a null", hint)


def _positions(
    piece: Piece, rows: int, keys: pa.StringArray, place: Place, drop: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return row, index and value of the features of a piece."""
    lengths = np.ones(rows, np.int64) if piece.lengths is None else piece.lengths
    row = np.repeat(np.arange(rows), lengths)
    known = np.asarray(pc.fill_null(pc.index_in(piece.keys, value_set=keys), -1))
    index = known.astype(np.int64)[piece.codes]
    value = np.ones(len(index)) if piece.values is None else piece.values
    wrong = np.flatnonzero(index < 0)
    if len(wrong) and not drop:
        key = piece.keys[int(piece.codes[wrong[0]])].as_py().replace(SEPARATOR, ",")
        name = f"row {place.first_row + int(row[wrong[0]]) + 1}"
        found = f"the feature {key!r} is not in the feature list"
        raise DataError(f"{place.file}, {name}", found, hint="--lossy leaves such features out")
    there = index >= 0
    return row[there], index[there], value[there]


def _struct(counts: NDArray[np.int64], indices: pa.Array, values: pa.Array) -> pa.StructArray:
    parts = [
        pa.ListArray.from_arrays(_pointers(counts), pa.array(part)) for part in (indices, values)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(SPARSE))


def _pointers(counts: NDArray[np.int64]) -> pa.Array:
    pointers = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=pointers[1:])
    return pa.array(pointers)
