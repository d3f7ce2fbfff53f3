"""Avro's types as Arrow's, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from gdmix.data.arrowtypes import is_list, is_string, plain_type

Schema = Any
"""A schema as JSON has it."""

OPAQUE = pa.struct([])
"""What stands for a type that has no counterpart: of no use as anything, and named in errors."""

_PLAIN = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "enum": pa.string(),
    "bytes": pa.binary(),
    "fixed": pa.binary(),
}
LEAST_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8}
LEAST_BYTES |= {"string": 1, "bytes": 1, "enum": 1, "array": 1, "map": 1}
"""How many bytes a value takes at least, by the name of its type."""

_LARGEST = 1 << 31
_WIDTHS = (pa.bool_(), pa.int64(), pa.float32(), pa.float64())


def arrow_type(schema: Schema, within: tuple[str, ...] = ()) -> pa.DataType:
    """Return the Arrow type of an expanded schema; `OPAQUE` where there is none.

    Unions of numbers become the widest of them, unions with text become text.
    """
    if isinstance(schema, str):
        return _PLAIN.get(schema, OPAQUE)
    if isinstance(schema, list):
        return _of_union([arrow_type(item, within) for item in schema])
    kind = schema["type"]
    if kind == "array":
        return pa.list_(arrow_type(schema["items"], within))
    if kind == "map":
        return pa.map_(pa.string(), arrow_type(schema["values"], within))
    if kind in ("record", "error"):
        name = str(schema.get("name"))
        if name in within:
            return OPAQUE
        inside = (*within, name)
        fields = [(item["name"], arrow_type(item["type"], inside)) for item in schema["fields"]]
        return pa.struct(fields)
    return arrow_type(kind, within) if not isinstance(kind, str) else _PLAIN.get(kind, OPAQUE)


def fault_of(schema: Schema) -> str:
    """Say why values of an expanded schema could take any time or depth; empty where they cannot.

    A type within itself is decoded by recursion, and a few bytes may claim any number of items that
    take none.
    """
    if isinstance(schema, list):
        return next(filter(None, map(fault_of, schema)), "")
    if isinstance(schema, str):
        return "" if schema in LEAST_BYTES else f"the type {schema!r} holds itself"
    kind = schema["type"]
    if kind in ("array", "map"):
        inside = schema["items" if kind == "array" else "values"]
        found = fault_of(inside)
        empty = not found and kind == "array" and least_bytes(inside) == 0
        return "an array has items that take no bytes" if empty else found
    if kind in ("record", "error"):
        return fault_of([field["type"] for field in schema["fields"]])
    if kind == "fixed":
        size = schema["size"]
        usual = isinstance(size, int) and 0 <= size <= _LARGEST
        return "" if usual else f"a fixed value has the size {size!r}"
    return "" if kind == "enum" else fault_of(kind)


def least_bytes(schema: Schema) -> int:
    """Return how many bytes a value takes at least, of an expanded schema without a fault."""
    if isinstance(schema, list):
        return 1 + min((least_bytes(branch) for branch in schema), default=0)
    if isinstance(schema, str):
        return LEAST_BYTES[schema]
    kind = schema["type"]
    if kind in ("record", "error"):
        return sum(least_bytes(item["type"]) for item in schema["fields"])
    return int(schema["size"]) if kind == "fixed" else least_bytes(kind)


def may_be_number_or_text(schema: Schema) -> bool:
    """Tell whether a value is text, or else a number."""
    if not isinstance(schema, list):
        return False
    kinds = [arrow_type(item) for item in schema]
    return pa.string() in kinds and any(kind in _WIDTHS for kind in kinds)


def _of_union(kinds: list[pa.DataType]) -> pa.DataType:
    kinds = [kind for kind in dict.fromkeys(kinds) if not pat.is_null(kind)]
    if not kinds:
        return pa.null()
    if len(kinds) == 1:
        return kinds[0]
    if all(kind in _WIDTHS for kind in kinds):
        return max(kinds, key=_WIDTHS.index)
    if pa.string() in kinds and not any(pat.is_nested(kind) for kind in kinds):
        return pa.string()
    return OPAQUE


def record_schema(schema: pa.Schema, name: str = "Row") -> Schema:
    """Return the Avro schema of a table; every value may be null."""
    names: dict[str, int] = {}
    return {
        "type": "record",
        "name": name,
        "fields": [
            {"name": field.name, "type": _nullable(field.type, field.name, names), "default": None}
            for field in schema
        ],
    }


def _nullable(kind: pa.DataType, name: str, names: dict[str, int]) -> Schema:
    found = _avro_type(kind, name, names)
    return ["null", found] if found != "null" else "null"


def _avro_type(kind: pa.DataType, name: str, names: dict[str, int]) -> Schema:
    kind = plain_type(kind)
    if is_list(kind):
        return {"type": "array", "items": _item_type(kind.value_type, name, names)}
    if pat.is_map(kind):
        return {"type": "map", "values": _nullable(kind.item_type, name, names)}
    if pat.is_struct(kind):
        names[name] = names.get(name, 0) + 1
        number = names[name]
        fields = [
            {"name": field.name, "type": _nullable(field.type, field.name, names), "default": None}
            for field in kind
        ]
        if [field.name for field in kind] == ["name", "term", "value"]:
            return _bag_item(f"{_identifier(name)}Feature{number}")
        return {"type": "record", "name": f"{_identifier(name)}Item{number}", "fields": fields}
    return _single(kind)


def _item_type(kind: pa.DataType, name: str, names: dict[str, int]) -> Schema:
    # values within a list are there
    return _avro_type(kind, name, names)


def _bag_item(name: str) -> Schema:
    """Return a feature as Photon-ML's ``FeatureAvro`` has it."""
    fields: list[Mapping[str, Any]] = [
        {"name": "name", "type": "string"},
        {"name": "term", "type": ["null", "string"], "default": None},
        {"name": "value", "type": "double"},
    ]
    return {"type": "record", "name": name, "fields": fields}


def _single(kind: pa.DataType) -> Schema:
    for check, found in (
        (pat.is_null, "null"),
        (pat.is_boolean, "boolean"),
        (pat.is_integer, "long"),
        (pat.is_float64, "double"),
        (pat.is_decimal, "double"),
        (pat.is_floating, "float"),
        (is_string, "string"),
        (pat.is_binary, "bytes"),
        (pat.is_large_binary, "bytes"),
    ):
        if check(kind):
            return found
    raise TypeError(str(kind))


def _identifier(name: str) -> str:
    letters = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return f"_{letters}" if not letters or letters[0].isdigit() else letters
