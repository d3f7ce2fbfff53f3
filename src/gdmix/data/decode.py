"""How one feature column of a record batch becomes features: the choice, and single values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from gdmix.data import decode_lists as many
from gdmix.data.arrowtypes import has_fields, is_list, is_number, is_string, is_vague, plain_type
from gdmix.data.piece import (
    Piece,
    dictionary,
    first_not_number,
    floats,
    keys_of,
    ones,
    require_finite,
    scaled,
)
from gdmix.data.place import Place
from gdmix.data.source import Source
from gdmix.errors import DataError, did_you_mean
from gdmix.schema import Feature

Decoder = Callable[[list[pa.Array], Feature, Place], Piece]

_ALLOWED = (
    "a number, string, boolean, list of strings or numbers, struct of indices and values, "
    "or list of name-term-value"
)


def columns_of(feature: Feature, source: Source, option: str) -> tuple[str, ...]:
    """Return the columns a feature is read from: one, or a pair of indices and values.

    Raises
    ------
    DataError
        Names `option` (a path in the config) when there is no such column.
    """
    if source.has(feature.column):
        return (feature.column,)
    pair = (f"{feature.column}_indices", f"{feature.column}_values")
    if all(source.has(name) for name in pair):
        return pair
    raise DataError(
        option,
        f"column {feature.column!r} not found in {source.name}",
        hint=did_you_mean(feature.column, source.schema.names),
    )


def feature_names(names: Iterable[str]) -> list[str]:
    """Return what the columns of a table are called as features: a pair of two is one."""
    known = list(names)
    taken = {name.removesuffix("_indices") for name in known if name.endswith("_indices")}
    pairs = {name for name in taken if f"{name}_values" in known and name not in known}
    halves = {f"{name}_{part}": name for name in pairs for part in ("indices", "values")}
    return list(dict.fromkeys(halves.get(name, name) for name in known))


def decoder_of(feature: Feature, types: list[pa.DataType], place: str) -> Decoder:
    """Choose how columns of these types become features.

    Raises
    ------
    DataError
        The type cannot be a feature.
    """
    kinds = [plain_type(kind) for kind in types]
    if len(kinds) == 2:
        found = _of_pair(kinds)
    elif is_list(kinds[0]):
        found = _of_list(feature, plain_type(kinds[0].value_type))
    elif has_fields(kinds[0], "indices", "values"):
        fields = [plain_type(kinds[0].field(name).type) for name in ("indices", "values")]
        found = many.decode_sparse if _of_pair(fields) else None
    else:
        found = _of_scalar(feature, kinds[0])
    if found is not None:
        return found
    named = " and ".join(str(kind) for kind in kinds)
    as_what = "a feature" if feature.kind == "auto" else f"a feature of `kind: {feature.kind}`"
    raise DataError(
        place,
        f"type {named} cannot be {as_what}",
        _ALLOWED,
        "convert the column, or leave it out",
    )


def _of_scalar(feature: Feature, kind: pa.DataType) -> Decoder | None:
    if pat.is_null(kind):
        return _decode_absent
    if feature.separator is not None and (is_string(kind) or pat.is_integer(kind)):
        return many.decode_split
    if feature.kind == "numeric" and (is_string(kind) or pat.is_boolean(kind)):
        return decode_number
    if is_number(kind) and feature.kind != "categorical":
        return decode_number
    if is_string(kind) or pat.is_boolean(kind) or pat.is_integer(kind):
        return decode_one_hot
    return None


def _of_list(feature: Feature, item: pa.DataType) -> Decoder | None:
    if is_string(item) or is_vague(item):
        return many.decode_multi_hot
    if pat.is_integer(item) and feature.kind == "categorical":
        return many.decode_multi_hot
    if is_number(item) and feature.kind != "categorical":
        return many.decode_dense
    if has_fields(item, "name", "value"):
        term = item.field("term").type if has_fields(item, "term") else pa.string()
        terms = is_string(plain_type(term)) or pat.is_integer(term) or pat.is_null(term)
        if terms and is_string(plain_type(item.field("name").type)):
            return many.decode_name_term_value if is_number(item.field("value").type) else None
    return None


def _of_pair(kinds: list[pa.DataType]) -> Decoder | None:
    if not all(is_list(kind) for kind in kinds):
        return None
    index, value = (plain_type(kind.value_type) for kind in kinds)
    good_index = is_string(index) or pat.is_integer(index) or is_vague(index)
    return many.decode_pair if good_index and (is_number(value) or is_vague(value)) else None


def decode_number(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """One feature: the number."""
    array = _as_numbers(arrays[0], place, feature.column)
    lengths = None
    if array.null_count:
        lengths = array.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        array = array.drop_null()
    values = scaled(floats(array), feature.scale)
    require_finite(values, place, feature.column, lengths)
    codes = np.zeros(len(values), np.int32)
    keys = keys_of(feature.column, pa.array([""]))
    return Piece(lengths, codes, keys, values)


def decode_one_hot(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """One feature: the column with the value as its term, at 1."""
    array = arrays[0]
    lengths = None
    if array.null_count:
        lengths = array.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        array = array.drop_null()
    codes, terms = dictionary(array)
    return Piece(lengths, codes, keys_of(feature.column, terms), ones(len(codes), feature.scale))


def _decode_absent(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Nothing: the column is null throughout."""
    array = arrays[0]
    if array.null_count < len(array):
        row = int(np.argmax(array.is_valid().to_numpy(zero_copy_only=False)))
        raise DataError(
            place.at(row, feature.column), "a value in a column that began empty", "null"
        )
    nothing = np.zeros(0, np.int32)
    return Piece(np.zeros(len(array), np.int64), nothing, pa.array([], pa.string()), None)


def _as_numbers(array: pa.Array, place: Place, column: str) -> pa.Array:
    if pat.is_boolean(array.type):
        return array.cast(pa.int8())
    if not is_string(array.type):
        return array
    row = first_not_number(array)
    if row is None:
        return array.cast(pa.float64())
    raise DataError(
        place.at(row, column),
        f"found {array[row].as_py()!r}",
        "a number",
        "mend the value, or remove `kind: numeric`",
    )
