"""From an Avro schema to the program that decodes it, and to the outputs that its columns take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.formats import avro_kernels as run
from gdmix.data.formats.avro_types import (
    LEAST_BYTES,
    OPAQUE,
    Schema,
    arrow_type,
    fault_of,
    least_bytes,
)

NOWHERE = -1
ABSENT = -1
FOREIGN = -1

_AS_IS = {"int": run.LONG, "long": run.LONG, "boolean": run.BOOLEAN}
_AS_REAL = {
    "int": run.LONG_AS_REAL,
    "long": run.LONG_AS_REAL,
    "boolean": run.BOOLEAN_AS_REAL,
    "float": run.FLOAT,
    "double": run.DOUBLE,
}


class UnsupportedError(Exception):
    """The schema is none that a program decodes."""


class Shape(NamedTuple):
    """A column, or a part of one, and the outputs that it is made of.

    Attributes
    ----------
    kind : pa.DataType
    number : int
        Output of values, or of the lengths of lists; none of a struct.
    valid : int
        Output that has 0 for a null; none where there are no nulls, or where values tell: lengths
        and places of texts are `ABSENT`.
    parts : tuple of Shape
        Fields of a struct; items of a list; keys and items of a map.
    symbols : tuple of str
        What the codes of an enum stand for.
    """

    kind: pa.DataType
    number: int = NOWHERE
    valid: int = NOWHERE
    parts: tuple[Shape, ...] = ()
    symbols: tuple[str, ...] = ()


class Program(NamedTuple):
    """Instructions, and what they write.

    Attributes
    ----------
    code : int64[instructions, 3]
        Operation, output, argument; see `avro_kernels`.
    jumps : int64[branches]
        The lines that branches of unions begin at.
    columns : dict of str to Shape
    outputs : list of (int, int)
        Of each the words that a value takes, and the least bytes of data that come with one; 0
        where each record has one.
    depth : int
        Arrays within arrays.
    """

    code: NDArray[np.int64]
    jumps: NDArray[np.int64]
    columns: dict[str, Shape]
    outputs: list[tuple[int, int]]
    depth: int


def compile_program(fields: Mapping[str, Schema], wanted: pa.Schema) -> Program | None:
    """Return the program that decodes some fields of a record and passes over the others.

    Parameters
    ----------
    fields : mapping of str to schema
        Types of the record's fields, in order, with names written out.
    wanted : pa.Schema
        Names and types of the columns to make.

    Returns
    -------
    Program or None
        None where values have no place in columns of these types, or hold others of their own type.
    """
    if any(fault_of(schema) for schema in fields.values()):
        return None
    compiler = _Compiler()
    columns = {}
    try:
        for name, schema in fields.items():
            if name in wanted.names:
                columns[name] = compiler.shape(schema, wanted.field(name).type, 0)
                compiler.value(schema, columns[name])
            else:
                compiler.value(schema, None)
    except UnsupportedError:
        return None
    compiler.emit(run.RECORD_END)
    code = np.array(compiler.code, np.int64).reshape(-1, 3)
    jumps = np.array(compiler.jumps, np.int64)
    return Program(code, jumps, columns, compiler.outputs, compiler.depth)


class _Compiler:
    """A program that is being written."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int]] = []
        self.jumps: list[int] = []
        self.outputs: list[tuple[int, int]] = []
        self.depth = 1
        self._level = 0

    def emit(self, op: int, number: int = NOWHERE, argument: int = 0) -> int:
        """Add an instruction, and return its line."""
        self.code.append((op, number, argument))
        return len(self.code) - 1

    def shape(self, schema: Schema, kind: pa.DataType, width: int) -> Shape:
        """Add the outputs of a value; one comes with `width` bytes at least, or is a record's."""
        branches, nullable = _branches(schema)
        if kind == OPAQUE or not branches:
            raise UnsupportedError
        if not pat.is_nested(kind):
            texts = pat.is_string(kind) or pat.is_binary(kind)
            symbols = _symbols(branches)
            number = self._output(width, 2 if texts and not symbols else 1)
            flagged = nullable and (not texts or bool(symbols))
            return Shape(kind, number, self._output(width) if flagged else NOWHERE, (), symbols)
        if len(branches) != 1 or arrow_type(branches[0]) != kind:
            raise UnsupportedError
        if pat.is_struct(kind):
            fields = zip(branches[0]["fields"], kind, strict=True)
            parts = tuple(self.shape(item["type"], field.type, width) for item, field in fields)
            return Shape(kind, NOWHERE, self._output(width) if nullable else NOWHERE, parts)
        inside = branches[0]["values" if pat.is_map(kind) else "items"]
        each = _item_width(inside, pat.is_map(kind))
        parts = (self.shape(inside, _item_kind(kind), each),)
        if pat.is_map(kind):
            parts = (Shape(pa.string(), self._output(each, 2)), *parts)
        return Shape(kind, self._output(width), NOWHERE, parts)

    def _output(self, width: int, words: int = 1) -> int:
        self.outputs.append((words, width))
        return len(self.outputs) - 1

    def value(self, schema: Schema, shape: Shape | None) -> None:
        """Add the instructions that read a value; into nowhere without a shape."""
        if not isinstance(schema, list):
            self._there(schema, shape)
            return
        first = len(self.jumps)
        self.jumps += [0] * len(schema)
        self.emit(run.UNION, first, len(schema))
        exits = []
        for k, branch in enumerate(schema):
            self.jumps[first + k] = len(self.code)
            self._there(branch, shape)
            if k < len(schema) - 1:
                exits.append(self.emit(run.JUMP))
        for line in exits:
            self.code[line] = (run.JUMP, NOWHERE, len(self.code))

    def _there(self, schema: Schema, shape: Shape | None) -> None:
        name = _name(schema)
        if name == "null":
            if shape is not None:
                self._null(shape)
            return
        if shape is not None and shape.valid != NOWHERE:
            self.emit(run.PUT, shape.valid, 1)
        if name == "record":
            for k, item in enumerate(schema["fields"]):
                self.value(item["type"], shape and shape.parts[k])
        elif name in ("array", "map"):
            self._items(schema, name == "map", shape)
        else:
            self._scalar(schema, name, shape)

    def _items(self, schema: Schema, is_map: bool, shape: Shape | None) -> None:
        inside = schema["values" if is_map else "items"]
        self._level += 1
        self.depth = max(self.depth, self._level)
        start = self.emit(run.ITEMS)
        if is_map:
            self.emit(run.TEXT, shape.parts[0].number if shape else NOWHERE)
        self.value(inside, shape and shape.parts[-1])
        end = self.emit(run.ITEM_END, _item_width(inside, is_map), start + 1)
        self.code[start] = (run.ITEMS, NOWHERE, end)
        self.emit(run.LEAVE, shape.number if shape else NOWHERE)
        self._level -= 1

    def _scalar(self, schema: Schema, name: str, shape: Shape | None) -> None:
        number = NOWHERE if shape is None else shape.number
        size = least_bytes(schema)
        if shape is None:
            op = run.TEXT if name in ("string", "bytes") else run.SKIP
            op = run.LONG if name in ("int", "long", "enum") else op
            self.emit(op, NOWHERE, size)
        elif name == "enum" and shape.symbols:
            self.emit(run.CODE, number, len(shape.symbols))
        elif name == "fixed" and pat.is_binary(shape.kind):
            self.emit(run.SKIP, number, size)
        elif (name, shape.kind) in (("string", pa.string()), ("bytes", pa.binary())):
            self.emit(run.TEXT, number)
        elif pat.is_floating(shape.kind) and name in _AS_REAL:
            self.emit(_AS_REAL[name], number, size)
        elif (pat.is_integer(shape.kind) or pat.is_boolean(shape.kind)) and name in _AS_IS:
            self.emit(_AS_IS[name], number, size)
        else:
            # a text among numbers, or a number among texts
            self.emit(run.JUMP, NOWHERE, FOREIGN)

    def _null(self, shape: Shape) -> None:
        if shape.valid != NOWHERE:
            self.emit(run.PUT, shape.valid, 0)
        if pat.is_struct(shape.kind):
            for part in shape.parts:
                self._null(part)
            return
        # of a text, a second word follows
        words = self.outputs[shape.number][0]
        told = pat.is_nested(shape.kind) or words == 2
        self.emit(run.PUT, shape.number, ABSENT if told else 0)
        if words == 2:
            self.emit(run.PUT, shape.number, 0)


def _branches(schema: Schema) -> tuple[list[Schema], bool]:
    """Return the branches of a union that are not null, or the schema; and whether one is null."""
    branches = schema if isinstance(schema, list) else [schema]
    real = [branch for branch in branches if _name(branch) != "null"]
    return real, len(real) < len(branches)


def _name(schema: Schema) -> str:
    """Return the name of a schema's type."""
    name = schema["type"] if isinstance(schema, Mapping) else schema
    if name == "error":
        return "record"
    if not isinstance(name, str) or name not in {*LEAST_BYTES, "record", "fixed"}:
        raise UnsupportedError
    return name


def _symbols(branches: list[Schema]) -> tuple[str, ...]:
    only = branches[0]
    return tuple(only["symbols"]) if len(branches) == 1 and _name(only) == "enum" else ()


def _item_kind(kind: pa.DataType) -> pa.DataType:
    return kind.item_type if pat.is_map(kind) else kind.value_type


def _item_width(schema: Schema, is_map: bool) -> int:
    """Return the least bytes of an item; arrays of items without bytes have no bounds."""
    width = least_bytes(schema) + is_map
    if width == 0:
        raise UnsupportedError
    return width
