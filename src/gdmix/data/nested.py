"""Columns within columns: ``a.b`` is the field or key ``b`` of the struct or map column ``a``."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat


def root_of(name: str, schema: pa.Schema) -> str | None:
    """Return the column of a table that holds `name`: itself, or the one it is within.

    None when there is no such column. A name with a point of its own comes before a nested one.
    """
    if name in schema.names:
        return name
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        root = ".".join(parts[:count])
        if root in schema.names:
            inside = _type_within(schema.field(root).type, parts[count:])
            return None if inside is None else root
    return None


def type_within(name: str, root: str, kind: pa.DataType) -> pa.DataType:
    """Return the type of `name` within the column `root` of type `kind`."""
    found = _type_within(kind, _path(name, root))
    assert found is not None
    return found


def values_within(name: str, root: str, column: pa.Array) -> pa.Array:
    """Return the values of `name` within the column `root`; null where a row has none."""
    for part in _path(name, root):
        if pat.is_struct(column.type):
            column = pc.struct_field(column, [part])
        else:
            column = pc.map_lookup(column, part, "last")
    return column


def _path(name: str, root: str) -> list[str]:
    return name[len(root) + 1 :].split(".") if name != root else []


def _type_within(kind: pa.DataType, path: list[str]) -> pa.DataType | None:
    for part in path:
        if pat.is_struct(kind) and kind.get_field_index(part) >= 0:
            kind = kind.field(part).type
        elif pat.is_map(kind) and pat.is_string(kind.key_type):
            kind = kind.item_type
        else:
            return None
    return kind
