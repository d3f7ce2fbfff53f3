"""Open any data as a stream of Arrow record batches: files, globs, folders or frames."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeGuard

import pyarrow as pa

from gdmix.data.agreement import cast, require_agreement, require_once, widest
from gdmix.data.arrowtypes import is_vague, plain
from gdmix.data.formats import require_format
from gdmix.data.frames import as_table
from gdmix.data.nested import root_of, type_within, values_within
from gdmix.data.paths import files_of
from gdmix.data.place import Place
from gdmix.errors import DataError, did_you_mean
from gdmix.schema import Lists

_BATCH_ROWS = 1 << 17

Data = Any
"""A path, a glob, a folder, a list of these; or a pyarrow, pandas or polars table, or a dict."""


class Batch(NamedTuple):
    """A record batch and the place it came from."""

    columns: pa.RecordBatch
    place: Place


class Source(Protocol):
    """A table that can be read more than once, a batch at a time."""

    @property
    def name(self) -> str:
        """What to call the table in messages."""

    @property
    def schema(self) -> pa.Schema:
        """Column names and types."""

    def has(self, column: str) -> bool:
        """Tell whether there is a column; ``a.b`` is the field or key b of the column a."""

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column: of the first file where it holds anything."""

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the named columns; those in `floats` may be read as floating point."""


@dataclass(frozen=True)
class FrameSource:
    """A table in memory."""

    table: pa.Table
    name: str = "data"

    @property
    def schema(self) -> pa.Schema:
        """Column names and types."""
        return self.table.schema

    def has(self, column: str) -> bool:
        """Tell whether there is a column, of its own or within another."""
        return root_of(column, self.schema) is not None

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column."""
        root = require_root(column, self.schema, self.name)
        return type_within(column, root, self.schema.field(root).type)

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield slices of the table; nothing is copied."""
        first = 0
        roots = [require_root(name, self.schema, self.name) for name in names]
        table = self.table.select(list(dict.fromkeys(roots))) if names else self.table
        for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
            yield Batch(chosen(batch, names, roots, floats), Place(self.name, first))
            first += batch.num_rows


@dataclass(frozen=True)
class FileSource:
    """Files of one schema, read in the order of their names; no rows are an error by default."""

    files: tuple[Path, ...]
    schema: pa.Schema
    name: str
    metadata: Path | Lists | None = None
    may_be_empty: bool = False

    def has(self, column: str) -> bool:
        """Tell whether there is a column, of its own or within another."""
        return root_of(column, self.schema) is not None

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column: of the first file where it holds anything."""
        root = require_root(column, self.schema, self.name)
        return type_within(column, root, self._type_of_root(root))

    def _type_of_root(self, column: str) -> pa.DataType:
        first: pa.DataType = self.schema.field(column).type
        if is_vague(first):
            for path in self.files[1:]:
                found = require_format(path, self.metadata).read_schema(path)
                if found.names.count(column) == 1 and not is_vague(found.field(column).type):
                    return found.field(column).type
        return first

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the files' batches; every file must have the columns of the first."""
        roots = [require_root(name, self.schema, self.name) for name in names]
        kinds = {root: widest(self._type_of_root(root), root in floats) for root in roots}
        wanted = pa.schema(list(kinds.items()))
        rows = 0
        for path in self.files:
            file_format = require_format(path, self.metadata)
            require_agreement(path, file_format, wanted, self.files[0])
            first = 0
            for batch in file_format.read_batches(path, wanted):
                place = Place(str(path), first)
                yield Batch(chosen(cast(batch, wanted, place), names, roots, floats), place)
                first += batch.num_rows
            rows += first
        if rows == 0 and not self.may_be_empty:
            raise DataError(self.name, "no rows", hint="is this the right path?")


def open_source(data: Data, name: str = "data", metadata: Path | Lists | None = None) -> Source:
    """Open files or a frame.

    Parameters
    ----------
    data : path, glob, folder, list of these, pyarrow/pandas/polars table, dict of columns, Source
        What to read; a source is returned as it is.
    name : str
        What to call a frame in messages.
    metadata : Path or Lists, optional
        GDMix's ``tensor_metadata.json`` for TFRecord files; one that lies beside them is found. Or
        what the lists hold that their records are.

    Raises
    ------
    DataError
        Nothing is there, a format is unknown, or the object is no table.
    """
    if _is_source(data):
        return data
    if _is_path(data):
        return _open_files([data], metadata)
    if isinstance(data, list | tuple) and data and all(_is_path(item) for item in data):
        return _open_files(data, metadata)
    table = as_table(data, name)
    if table.num_rows == 0:
        raise DataError(name, "no rows")
    return FrameSource(table, name)


def _is_source(data: object) -> TypeGuard[Source]:
    # by its class: asking a lazy frame itself for a schema may run its whole query
    return all(hasattr(type(data), verb) for verb in ("type_of", "batches"))


def require_columns(source: Source, wanted: dict[str, str]) -> None:
    """Check that columns exist, each once.

    Parameters
    ----------
    source : Source
        The data.
    wanted : dict of str to str
        Path of the option that names the column, to the column's name.

    Raises
    ------
    DataError
        Names the option, the column, the data and the nearest column that exists.
    """
    names = source.schema.names
    for option, column in wanted.items():
        if not source.has(column):
            raise DataError(
                option,
                f"column {column!r} not found in {source.name}",
                hint=did_you_mean(column, names),
            )
        require_once(names, column, source.name)


def require_root(column: str, schema: pa.Schema, where: str) -> str:
    """Return the column that holds another, or is it.

    Raises
    ------
    DataError
        There is none.
    """
    root = root_of(column, schema)
    if root is None:
        hint = did_you_mean(column, schema.names)
        raise DataError(where, f"there is no column {column!r}", hint=hint)
    return root


def chosen(
    batch: pa.RecordBatch, names: Sequence[str], roots: Sequence[str], floats: frozenset[str]
) -> pa.RecordBatch:
    """Return the named columns, taken out of the columns that hold them."""
    if list(names) == list(roots):
        return batch
    columns = []
    for name, root in zip(names, roots, strict=True):
        values = values_within(name, root, batch.column(root))
        kind = values.type if name == root else widest(values.type, name in floats)
        columns.append(values if values.type == kind else plain(values).cast(kind))
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def _is_path(item: object) -> bool:
    return isinstance(item, str | os.PathLike)


def _open_files(
    paths: Sequence[str | os.PathLike[str]], metadata: Path | Lists | None
) -> FileSource:
    files = files_of(paths)
    formats = [require_format(file, metadata) for file in files]
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return FileSource(tuple(files), formats[0].read_schema(files[0]), name, metadata)
