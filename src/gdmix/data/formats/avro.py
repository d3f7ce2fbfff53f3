"""Avro files as record batches: any records, bags of name, term and value among them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.types as pat

from gdmix.data.ahead import ahead
from gdmix.data.arrowtypes import plain
from gdmix.data.formats import avro_records
from gdmix.data.formats.avro_columns import BrokenError, Decoded
from gdmix.data.formats.avro_container import Block, Container
from gdmix.data.formats.avro_program import Program, compile_program
from gdmix.data.formats.avro_records import opened, records_of
from gdmix.data.formats.avro_rows import batch_of
from gdmix.data.formats.avro_types import arrow_type, may_be_number_or_text, record_schema
from gdmix.errors import DataError

IS_TEXT = False
_ROWS = 1 << 14
_BATCH_BYTES = 1 << 22
_MOST_BYTES = 1 << 26
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def read_schema(path: Path) -> pa.Schema:
    """Return column names and types, from the file's header."""
    return _schema(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _schema(path: str, stamp: int) -> pa.Schema:
    fields = _fields(path, stamp)
    kinds = {name: arrow_type(kind) for name, kind in fields.items()}
    unsure = [name for name, kind in fields.items() if may_be_number_or_text(kind)]
    if unsure:
        # of a union of numbers and text it is the values that tell
        rows = next(avro_records.read_blocks(Path(path), _projection(Path(path), unsure)), [])
        for name in unsure:
            held = {type(row[name]) for row in rows}
            if str not in held:
                kinds[name] = pa.float64() if float in held else pa.int64()
    return pa.schema(list(kinds.items()))


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, some thousand rows at a time."""
    known = read_schema(path)
    wanted = _projection(path, schema.names)
    chosen = pa.schema([known.field(name) for name in schema.names])
    program = compile_program(_fields(str(path), path.stat().st_mtime_ns), chosen)
    with opened(path) as container:
        # one thread unpacks blocks while another decodes those before
        for group in ahead(_groups(container)):
            batch = None
            if program is not None and schema.names and group.bytes <= _MOST_BYTES:
                batch = _decoded(container, program, group.blocks, schema.names)
            if batch is None:
                rows = list(chain.from_iterable(records_of(container, group.blocks, wanted)))
                batch = batch_of(path, rows, schema.names, known)
            yield batch


class _Group(NamedTuple):
    """Blocks that make a batch."""

    blocks: list[Block]
    rows: int
    bytes: int


def _groups(container: Container) -> Iterator[_Group]:
    group = _Group([], 0, 0)
    for block in container.blocks():
        group.blocks.append(block)
        group = _Group(group.blocks, group.rows + block.records, group.bytes + len(block.data))
        if group.rows >= _ROWS or group.bytes >= _BATCH_BYTES:
            yield group
            group = _Group([], 0, 0)
    if group.rows:
        yield group


def _decoded(
    container: Container, program: Program, blocks: list[Block], names: list[str]
) -> pa.RecordBatch | None:
    """Return columns; None where values are of a branch that only fastavro's way converts."""
    try:
        decoded = Decoded(program, blocks)
    except BrokenError as error:
        block = blocks[error.block]
        what = (
            f"record {error.record + 1} of {block.records} of the block is not as the schema says"
        )
        if error.record == block.records:
            what = "bytes are left behind the last record of the block"
        raise container.wrong_at(block.offset, f"the records cannot be decoded: {what}") from None
    if decoded.is_foreign:
        return None
    columns = []
    for name in names:
        try:
            columns.append(decoded.array(program.columns[name]))
        except pa.ArrowInvalid as error:
            problem = f"column {name!r} cannot be decoded ({error})"
            raise container.wrong_at(blocks[0].offset, problem) from None
    return pa.RecordBatch.from_arrays(columns, names=names)


class AvroWriter:
    """Writes batches of one schema."""

    def __init__(self, path: Path, schema: pa.Schema, writer: Any) -> None:  # noqa: ANN401
        self._path, self._schema, self._writer = path, schema, writer
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one record for each row."""
        columns = [plain(column).to_pylist() for column in batch.columns]
        for at, field in enumerate(self._schema):
            if pat.is_map(field.type):
                columns[at] = [None if row is None else dict(row) for row in columns[at]]
        for row in zip(*columns, strict=True):
            record = dict(zip(self._schema.names, row, strict=True))
            try:
                self._writer.write(record)
            except Exception as error:  # fastavro's errors are of many types
                where = f"{self._path}, row {self._rows + 1}"
                raise DataError(where, f"cannot be written to Avro ({error!r})") from None
            self._rows += 1


@contextmanager
def open_writer(
    path: Path, schema: pa.Schema, record: dict[str, Any] | None = None
) -> Iterator[AvroWriter]:
    """Write records to a file, its blocks deflated.

    Parameters
    ----------
    path : Path
    schema : pa.Schema
        Of the batches to come.
    record : dict, optional
        The Avro schema to write by; one that follows from `schema` by default.

    Raises
    ------
    DataError
        A column is of a type that Avro does not have, or its name is none in Avro.
    """
    import fastavro
    from fastavro.write import Writer

    for name in schema.names:
        if not _NAME.fullmatch(name):
            found = f"the column {name!r} cannot be written to Avro"
            expected = "a name of letters, digits and underscores that begins with no digit"
            raise DataError(str(path), found, expected, "rename the column, or leave it out")
    try:
        parsed = fastavro.parse_schema(record or record_schema(schema))
    except TypeError as error:
        raise DataError(str(path), f"type {error} cannot be written to Avro") from None
    except Exception as error:
        raise DataError(str(path), f"the columns cannot be written to Avro ({error})") from None
    with path.open("wb") as stream:
        writer = Writer(stream, parsed, codec="deflate")
        yield AvroWriter(path, schema, writer)
        writer.flush()


@lru_cache(maxsize=256)
def _fields(path: str, stamp: int) -> dict[str, Any]:
    """Return the types of a file's fields, with names written out."""
    from fastavro.schema import expand_schema

    schema = avro_records.read_schema(Path(path))
    try:
        expanded = expand_schema(schema)
    except Exception as error:
        raise DataError(path, f"the schema is wrong ({error})", hint="write it again") from None
    if not isinstance(expanded, dict) or expanded.get("type") != "record":
        raise DataError(path, "the file holds no records", "an Avro file of records")
    return {field["name"]: field["type"] for field in expanded["fields"]}


def _projection(path: Path, names: list[str]) -> Any:  # noqa: ANN401 - as in JSON
    """Return the file's schema with some of its fields, each named type defined once.

    It is None where leaving out the others saves less than it costs.
    """
    written = avro_records.read_schema(path)
    fields = _fields(str(path), path.stat().st_mtime_ns)
    if not any(pat.is_nested(arrow_type(fields[name])) for name in fields.keys() - set(names)):
        return None
    seen: set[str] = set()
    chosen = [
        {"name": name, "type": _once(kind, seen)} for name, kind in fields.items() if name in names
    ]
    kept = {key: written[key] for key in ("type", "name", "namespace") if key in written}
    return kept | {"fields": chosen}


def _once(schema: Any, seen: set[str]) -> Any:  # noqa: ANN401 - as in JSON
    if isinstance(schema, list):
        return [_once(item, seen) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema["type"] in ("record", "error", "enum", "fixed"):
        if schema["name"] in seen:
            return schema["name"]
        seen.add(schema["name"])
    return {
        key: [{**field, "type": _once(field["type"], seen)} for field in item]
        if key == "fields"
        else (_once(item, seen) if key in ("type", "items", "values") else item)
        for key, item in schema.items()
    }
