"""One feature column of one record batch, as features: rows' lengths, keys and values.

A key is ``name + "\\x01" + term``, the field's usual spelling of a name-and-term pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.place import Place
from gdmix.errors import DataError, did_you_mean
from gdmix.schema import Feature

SEPARATOR = "\x01"


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
        Whether the keys have an order of their own, as the positions of a dense block have.
    """

    lengths: NDArray[np.int64] | None
    codes: NDArray[np.int32]
    keys: pa.StringArray
    values: NDArray[np.float64] | None
    may_repeat: bool = False
    ordered: bool = False


Decoder = Callable[[list[pa.Array], Feature, Place], Piece]


def columns_of(feature: Feature, schema: pa.Schema, option: str, source: str) -> tuple[str, ...]:
    """Return the columns a feature is read from: one, or a pair of indices and values.

    Raises
    ------
    DataError
        Names `option` (a path in the config) when there is no such column.
    """
    if feature.column in schema.names:
        return (feature.column,)
    pair = (f"{feature.column}_indices", f"{feature.column}_values")
    if all(name in schema.names for name in pair):
        return pair
    raise DataError(
        option,
        f"column {feature.column!r} not found in {source}",
        hint=did_you_mean(feature.column, schema.names),
    )


def decoder_of(feature: Feature, types: list[pa.DataType], place: str) -> Decoder:
    """Choose how columns of these types become features.

    Raises
    ------
    DataError
        The type cannot be a feature.
    """
    if len(types) == 2:
        return _decode_pair
    kind = types[0].value_type if pat.is_dictionary(types[0]) else types[0]
    if _is_string(kind) and feature.separator is not None:
        return _decode_split
    if feature.kind == "numeric" or (_is_number(kind) and feature.kind != "categorical"):
        return _decode_number
    if _is_string(kind) or pat.is_boolean(kind) or pat.is_integer(kind):
        return _decode_one_hot
    if _is_list(kind):
        item = kind.value_type
        if _is_string(item) or (pat.is_integer(item) and feature.kind == "categorical"):
            return _decode_multi_hot
        if _is_number(item):
            return _decode_dense
        if pat.is_struct(item) and _has_fields(item, "name", "value"):
            return _decode_name_term_value
    if pat.is_struct(kind) and _has_fields(kind, "indices", "values"):
        return _decode_sparse
    raise DataError(
        place,
        f"type {kind} cannot be a feature",
        "a number, string, boolean, list of strings or numbers, struct of indices and values, "
        "or list of name-term-value",
        "convert the column, or leave it out",
    )


def _decode_number(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    array = arrays[0]
    if not _is_number(array.type):
        array = _parse_numbers(array, place, feature.column)
    present = None
    if array.null_count:
        present = array.is_valid().to_numpy(zero_copy_only=False)
        array = array.drop_null()
    values = _floats(array)
    _require_finite(values, place, feature.column, present)
    lengths = None if present is None else present.astype(np.int64)
    codes = np.zeros(len(values), np.int32)
    return Piece(lengths, codes, _keys(feature.column, pa.array([""])), _scaled(values, feature))


def _decode_one_hot(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    array = arrays[0]
    lengths = None
    if array.null_count:
        lengths = array.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        array = array.drop_null()
    codes, terms = _dictionary(array)
    values = None if feature.scale == 1.0 else np.full(len(codes), feature.scale)
    return Piece(lengths, codes, _keys(feature.column, terms), values)


def _decode_split(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    array = arrays[0]
    text = array.cast(pa.string()) if not pat.is_string(array.type) else array
    nothing = pc.equal(text, "")
    text = pc.if_else(nothing, pa.scalar(None, pa.string()), text)
    return _decode_multi_hot([pc.split_pattern(text, feature.separator)], feature, place)


def _decode_multi_hot(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    lengths, items = _lists(arrays[0], place, feature.column)
    codes, terms = _dictionary(items)
    values = None if feature.scale == 1.0 else np.full(len(codes), feature.scale)
    return Piece(lengths, codes, _keys(feature.column, terms), values, may_repeat=True)


def _decode_dense(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    lengths, items = _lists(arrays[0], place, feature.column)
    width = int(lengths.max(initial=0))
    uneven = np.flatnonzero((lengths != width) & (lengths != 0))
    if len(uneven):
        raise DataError(
            place.at(int(uneven[0]), feature.column),
            f"a list of {lengths[uneven[0]]} numbers",
            f"{width}, as in the rows beside it",
            "a list of numbers is a dense block; use name-term-value or indices and values "
            "for sparse features",
        )
    values = _floats(items)
    _require_finite(values, place, feature.column, lengths)
    codes = np.tile(np.arange(width, dtype=np.int32), int(np.count_nonzero(lengths)))
    terms = pa.array([str(position) for position in range(width)], pa.string())
    keys = _keys(feature.column, terms)
    return Piece(lengths, codes, keys, _scaled(values, feature), ordered=True)


def _decode_pair(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    lengths, indices = _lists(arrays[0], place, f"{feature.column}_indices")
    value_lengths, items = _lists(arrays[1], place, f"{feature.column}_values")
    uneven = np.flatnonzero(lengths != value_lengths)
    if len(uneven):
        row = int(uneven[0])
        raise DataError(
            place.at(row, feature.column),
            f"{lengths[row]} indices and {value_lengths[row]} values",
            "as many of one as of the other",
        )
    values = _floats(items)
    _require_finite(values, place, feature.column, lengths)
    codes, terms = _dictionary(indices)
    keys = _keys(feature.column, terms)
    return Piece(lengths, codes, keys, _scaled(values, feature), may_repeat=True)


def _decode_sparse(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    pair = [pc.struct_field(arrays[0], [name]) for name in ("indices", "values")]
    return _decode_pair(pair, feature, place)


def _decode_name_term_value(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    lengths, items = _lists(arrays[0], place, feature.column)
    names = pc.struct_field(items, ["name"]).cast(pa.string())
    if names.null_count:
        raise DataError(place.column(feature.column), "a feature without a name", "a string")
    if _has_fields(items.type, "term"):
        terms = pc.coalesce(pc.struct_field(items, ["term"]).cast(pa.string()), "")
    else:
        terms = pa.array([""] * len(items), pa.string())
    codes, keys = _dictionary(pc.binary_join_element_wise(names, terms, SEPARATOR))
    values = _floats(pc.struct_field(items, ["value"]))
    _require_finite(values, place, feature.column, lengths)
    return Piece(lengths, codes, keys, _scaled(values, feature), may_repeat=True)


def _dictionary(array: pa.Array) -> tuple[NDArray[np.int32], pa.StringArray]:
    encoded = array if pat.is_dictionary(array.type) else array.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return codes, encoded.dictionary.cast(pa.string())


def _keys(column: str, terms: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(pa.scalar(column), terms, SEPARATOR)


def _lists(array: pa.Array, place: Place, column: str) -> tuple[NDArray[np.int64], pa.Array]:
    if not _is_list(array.type):
        raise DataError(place.column(column), f"found type {array.type}", "a list")
    lengths = pc.list_value_length(array)
    if array.null_count:
        lengths = pc.fill_null(lengths, 0)
    # .flatten() respects slices and nulls; .values does not
    items = array.flatten()
    counts = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
    if items.null_count:
        first = int(np.flatnonzero(items.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(place.at(_row_of(first, counts), column), "a null inside a list", "a value")
    return counts, items


def _floats(array: pa.Array) -> NDArray[np.float64]:
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)


def _parse_numbers(array: pa.Array, place: Place, column: str) -> pa.Array:
    try:
        return array.cast(pa.string()).cast(pa.float64())
    except pa.ArrowInvalid as error:
        raise DataError(
            place.column(column), f"not a number ({error})", hint="remove `kind: numeric`"
        ) from None


def _scaled(values: NDArray[np.float64], feature: Feature) -> NDArray[np.float64]:
    return values if feature.scale == 1.0 else values * feature.scale


def _require_finite(
    values: NDArray[np.float64], place: Place, column: str, lengths: NDArray[np.generic] | None
) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    first = int(np.argmin(finite))
    row = first if lengths is None else _row_of(first, lengths)
    raise DataError(
        place.at(row, column),
        f"found {values[first]}",
        "a finite number",
        "a missing value may be null (the feature is then absent)",
    )


def _row_of(item: int, lengths: NDArray[np.generic]) -> int:
    return int(np.searchsorted(np.cumsum(lengths), item, side="right"))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pat.is_integer(kind) or pat.is_floating(kind) or pat.is_decimal(kind))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pat.is_string(kind) or pat.is_large_string(kind) or str(kind) == "string_view")


def _is_list(kind: pa.DataType) -> bool:
    return bool(pat.is_list(kind) or pat.is_large_list(kind) or pat.is_fixed_size_list(kind))


def _has_fields(kind: pa.DataType, *names: str) -> bool:
    return all(kind.get_field_index(name) >= 0 for name in names)
