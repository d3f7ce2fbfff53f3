"""How a column of lists, or of text that a separator splits, becomes features."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.arrowtypes import has_fields, plain
from gdmix.data.piece import (
    SEPARATOR,
    Piece,
    dictionary,
    first_null,
    floats,
    keys_of,
    lists,
    ones,
    require_finite,
    row_of,
    scaled,
)
from gdmix.data.place import Place
from gdmix.errors import DataError
from gdmix.schema import Feature


def decode_split(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Text such as ``a|b|c`` as the list of its parts; empty text is the empty list."""
    text = arrays[0].cast(pa.string())
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return decode_multi_hot([pc.split_pattern(text, feature.separator)], feature, place)


def decode_multi_hot(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """One feature for each item of the list, at 1."""
    lengths, items = lists(arrays[0], place, feature.column)
    codes, terms = dictionary(items)
    keys = keys_of(feature.column, terms)
    return Piece(lengths, codes, keys, ones(len(codes), feature.scale), may_repeat=True)


def decode_dense(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Features named by position; every list that is there has the same length."""
    lengths, items = lists(arrays[0], place, feature.column)
    present = np.flatnonzero(lengths)
    width = int(lengths[present[0]]) if len(present) else 0
    require_width(lengths, width, "as in the rows before it", place, feature.column)
    values = scaled(floats(items), feature.scale)
    require_finite(values, place, feature.column, lengths)
    codes = np.tile(np.arange(width, dtype=np.int32), len(present))
    terms = pa.array([str(position) for position in range(width)], pa.string())
    keys = keys_of(feature.column, terms)
    return Piece(lengths, codes, keys, values, ordered=True)


def require_width(
    lengths: NDArray[np.int64],
    width: int,
    why: str,
    place: Place,
    column: str,
) -> None:
    """Check the lengths of dense lists; an empty one is absent.

    Raises
    ------
    DataError
        Names the first row whose list is of another length.
    """
    uneven = np.flatnonzero((lengths != width) & (lengths != 0))
    if len(uneven):
        raise DataError(
            place.at(int(uneven[0]), column),
            f"a list of {lengths[uneven[0]]} numbers",
            f"{width}, {why}",
            "a list of numbers is a dense block; use name-term-value or indices and values "
            "for sparse features",
        )


def decode_pair(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Sparse features from a list of indices and a list of values."""
    names = (f"{feature.column}_indices", f"{feature.column}_values")
    return _sparse(arrays, names, feature, place)


def decode_sparse(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Sparse features from a struct of the two lists."""
    pair = [pc.struct_field(arrays[0], [name]) for name in ("indices", "values")]
    return _sparse(pair, (feature.column, feature.column), feature, place)


def _sparse(
    arrays: list[pa.Array], names: tuple[str, str], feature: Feature, place: Place
) -> Piece:
    lengths, indices = lists(arrays[0], place, names[0])
    value_lengths, items = lists(arrays[1], place, names[1])
    uneven = np.flatnonzero(lengths != value_lengths)
    if len(uneven):
        row = int(uneven[0])
        raise DataError(
            place.at(row, names[0]),
            f"{lengths[row]} indices and {value_lengths[row]} values",
            "as many of one as of the other",
        )
    values = scaled(floats(items), feature.scale)
    require_finite(values, place, names[1], lengths)
    codes, terms = dictionary(indices)
    keys = keys_of(feature.column, terms)
    return Piece(lengths, codes, keys, values, may_repeat=True)


def decode_name_term_value(arrays: list[pa.Array], feature: Feature, place: Place) -> Piece:
    """Features as they are written: name, term (absent or null: empty) and value."""
    lengths, items = lists(arrays[0], place, feature.column)
    names = plain(pc.struct_field(items, ["name"])).cast(pa.string())
    numbers = pc.struct_field(items, ["value"])
    for part, what in ((names, "name"), (numbers, "value")):
        if part.null_count:
            row = row_of(first_null(part), lengths)
            raise DataError(place.at(row, feature.column), f"a feature without a {what}", what)
    if has_fields(items.type, "term"):
        terms = pc.coalesce(plain(pc.struct_field(items, ["term"])).cast(pa.string()), "")
    else:
        terms = pa.array([""] * len(items), pa.string())
    _require_plain_names(names, lengths, place, feature.column)
    codes, keys = dictionary(pc.binary_join_element_wise(names, terms, SEPARATOR))
    values = scaled(floats(numbers), feature.scale)
    require_finite(values, place, feature.column, lengths)
    return Piece(lengths, codes, keys, values, may_repeat=True)


def _require_plain_names(
    names: pa.StringArray,
    lengths: NDArray[np.int64],
    place: Place,
    column: str,
) -> None:
    """Refuse a name that holds the separator: two features could share a key."""
    wrong = pc.match_substring(names, SEPARATOR).to_numpy(zero_copy_only=False)
    if wrong.any():
        item = int(np.argmax(wrong))
        raise DataError(
            place.at(row_of(item, lengths), column),
            f"the name {names[item].as_py()!r} holds the character U+0001",
            "a name without it (a term may have it)",
        )
