"""Arrow types told apart by what they mean here: numbers, strings, lists, structs, nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type without its encoding: no dictionary, no view."""
    if pat.is_dictionary(kind):
        return plain_type(kind.value_type)
    return pa.string() if pat.is_string_view(kind) else kind


def plain(array: pa.Array) -> pa.Array:
    """Return the array without its encoding; a dictionary may hold nulls, repeats, idle values."""
    if pat.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    return array.cast(pa.string()) if pat.is_string_view(array.type) else array


def is_number(kind: pa.DataType) -> bool:
    """Tell whether values are integers, floating point or decimals."""
    return bool(pat.is_integer(kind) or pat.is_floating(kind) or pat.is_decimal(kind))


def is_string(kind: pa.DataType) -> bool:
    """Tell whether values are text."""
    return bool(pat.is_string(kind) or pat.is_large_string(kind) or pat.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Tell whether values are lists, of one length or not."""
    return bool(pat.is_list(kind) or pat.is_large_list(kind) or pat.is_fixed_size_list(kind))


def has_fields(kind: pa.DataType, *names: str) -> bool:
    """Tell whether values are structs with these fields."""
    return bool(pat.is_struct(kind)) and all(kind.get_field_index(name) >= 0 for name in names)


def is_vague(kind: pa.DataType) -> bool:
    """Tell whether a column held nothing from which its type could be told."""
    return bool(pat.is_null(kind)) or (is_list(kind) and is_vague(plain_type(kind.value_type)))


def agree(one: pa.DataType, other: pa.DataType) -> bool:
    """Tell whether columns of two files can be read as one column."""
    one, other = plain_type(one), plain_type(other)
    if one == other or is_vague(one) or is_vague(other):
        return True
    if is_list(one) and is_list(other):
        return agree(one.value_type, other.value_type)
    if pat.is_struct(one) and pat.is_struct(other):
        names = {field.name for field in one}
        return names == {field.name for field in other} and all(
            agree(one.field(name).type, other.field(name).type) for name in names
        )
    return any(check(one) and check(other) for check in (is_number, is_string))
