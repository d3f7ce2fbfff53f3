"""Open any data as a stream of Arrow record batches: files, globs, folders or frames."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from gdmix.data.formats import format_of, require_format
from gdmix.data.place import Place
from gdmix.errors import DataError, did_you_mean

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
        """What to call it in messages."""

    @property
    def schema(self) -> pa.Schema:
        """Column names and types."""

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

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield slices of the table; nothing is copied."""
        first = 0
        for batch in self.table.select(names).to_batches(max_chunksize=_BATCH_ROWS):
            yield Batch(batch, Place(self.name, first))
            first += batch.num_rows


@dataclass(frozen=True)
class FileSource:
    """Files of one schema, read in the order of their names."""

    files: tuple[Path, ...]
    schema: pa.Schema
    name: str

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the files' batches; every file must have the columns of the first."""
        wanted = pa.schema([_wanted(self.schema.field(name), floats) for name in names])
        rows = 0
        for path in self.files:
            file_format = require_format(path)
            read_as = _matching_schema(path, file_format.read_schema(path), wanted, self.files[0])
            first = 0
            for batch in file_format.read_batches(path, read_as):
                place = Place(str(path), first)
                yield Batch(_cast(batch, wanted), place)
                first += batch.num_rows
            rows += first
        if rows == 0:
            raise DataError(self.name, "no rows", hint="is this the right path?")


def open_source(data: Data, name: str = "data") -> Source:
    """Open files or a frame.

    Parameters
    ----------
    data : path, glob, folder, list of these, pyarrow/pandas/polars table, or dict of columns
        What to read.
    name : str
        What to call a frame in messages.

    Raises
    ------
    DataError
        Nothing is there, a format is unknown, or the object is no table.
    """
    if isinstance(data, str | os.PathLike):
        return _open_files([data])
    if isinstance(data, list | tuple) and data and all(_is_path(item) for item in data):
        return _open_files(data)
    table = _as_table(data, name)
    if table.num_rows == 0:
        raise DataError(name, "no rows")
    return FrameSource(table, name)


def require_columns(source: Source, wanted: dict[str, str]) -> None:
    """Check that columns exist.

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
    for option, column in wanted.items():
        if column not in source.schema.names:
            raise DataError(
                option,
                f"column {column!r} not found in {source.name}",
                hint=did_you_mean(column, source.schema.names),
            )


def _is_path(item: object) -> bool:
    return isinstance(item, str | os.PathLike)


def _open_files(paths: Sequence[str | os.PathLike[str]]) -> FileSource:
    files = [file for path in paths for file in _expand(Path(path))]
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return FileSource(tuple(files), require_format(files[0]).read_schema(files[0]), name)


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        files = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file() and not _is_hidden(file, path) and format_of(file) is not None
        ]
        if not files:
            raise DataError(str(path), "the folder holds no data files", ".parquet, .csv or .tsv")
        return files
    if path.exists():
        return [path]
    files = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    if files:
        return files
    folder = path.parent
    siblings = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    hint = did_you_mean(path.name, siblings) if siblings else f"no folder {folder}"
    raise DataError(str(path), "no such file", hint=hint)


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(root).parts)


def _as_table(data: Data, name: str) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, dict):
        return pa.table(data)
    module = type(data).__module__.partition(".")[0]
    if module == "pandas":
        return pa.Table.from_pandas(data, preserve_index=False)
    if module == "polars":
        return data.collect().to_arrow() if hasattr(data, "collect") else data.to_arrow()
    raise DataError(
        name,
        f"found {type(data).__name__}",
        "a path, a list of paths, or a pyarrow, pandas or polars table",
    )


def _wanted(field: pa.Field, floats: frozenset[str]) -> pa.Field:
    if field.name in floats and pa.types.is_integer(field.type):
        return field.with_type(pa.float64())
    # a column that is empty throughout says nothing of its type
    return field.with_type(pa.float64()) if pa.types.is_null(field.type) else field


def _matching_schema(path: Path, found: pa.Schema, wanted: pa.Schema, first: Path) -> pa.Schema:
    fields = []
    for field in wanted:
        if field.name not in found.names:
            raise DataError(
                str(path),
                f"column {field.name!r} is missing, though {first} has it",
                hint=did_you_mean(field.name, found.names),
            )
        have = found.field(field.name).type
        if not _same_family(have, field.type):
            raise DataError(
                Place(str(path), 0).column(field.name),
                f"found type {have}",
                f"{field.type} as in {first}",
                "make the files' schemas agree",
            )
        # only text formats convert while reading; Parquet keeps its own type and is cast
        fields.append(field)
    return pa.schema(fields)


def _same_family(have: pa.DataType, want: pa.DataType) -> bool:
    def family(kind: pa.DataType) -> str:
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_null(kind):
            return "any"
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return "number"
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
            return "string"
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return f"list<{family(kind.value_type)}>"
        return str(kind)

    pair = {family(have), family(want)}
    return len(pair) == 1 or "any" in pair


def _cast(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    return batch if batch.schema.equals(wanted) else batch.cast(wanted)
