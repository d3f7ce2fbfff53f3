"""File formats, one module each; nothing past `gdmix.data.source` knows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from gdmix.data.formats import avro, csv, libsvm, parquet
from gdmix.data.formats.avro_container import MAGIC
from gdmix.data.formats.textstream import COMPRESSIONS
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.data.formats.tfrecord_frames import is_tfrecord
from gdmix.errors import DataError
from gdmix.schema import Lists

_HEAD_BYTES = 1 << 20


class Writer(Protocol):
    """Writes record batches of one schema to a file."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch."""


class Format(Protocol):
    """What a format module provides."""

    @property
    def IS_TEXT(self) -> bool:  # noqa: N802 - modules have constants
        """Whether values are text, converted to the types that are asked for."""

    def read_schema(self, path: Path) -> pa.Schema:
        """Return column names and types without reading the data."""

    def read_batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the columns of `schema`, streamed."""

    def open_writer(self, path: Path, schema: pa.Schema) -> AbstractContextManager[Writer]:
        """Write record batches of `schema` to a file, compressed as its name says."""


_RECORDS = TFRecord()
_BY_SUFFIX: dict[str, Format] = {
    ".parquet": parquet,
    ".pq": parquet,
    ".avro": avro,
    ".csv": csv,
    ".tsv": csv,
    ".libsvm": libsvm,
    ".svm": libsvm,
    ".svmlight": libsvm,
    ".tfrecord": _RECORDS,
    ".tfrecords": _RECORDS,
}
_NAMES = {
    id(parquet): "parquet",
    id(avro): "avro",
    id(csv): "csv",
    id(libsvm): "libsvm",
    id(_RECORDS): "tfrecord",
}
_COMPRESSED = {".gz", ".zst", ".deflate", ".zlib"}


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its name, or None when the name says nothing."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _BY_SUFFIX.get(suffixes[-1]) if suffixes else None


def format_name(path: Path) -> str | None:
    """Return the name of a file's format, by the file's name alone."""
    found = format_of(path)
    return None if found is None else _NAMES[id(found)]


def compressions_of(name: str) -> tuple[str, ...]:
    """Return the suffixes of compressed files that a format can write."""
    if name in ("csv", "libsvm"):
        return tuple(COMPRESSIONS)
    return (".gz",) if name == "tfrecord" else ()


def format_within(path: Path) -> Format | None:
    """Return the format of a file by its first bytes, or None when they leave a doubt."""
    try:
        return _within(path, path.stat().st_mtime_ns)
    except (pa.ArrowException, OSError):
        return None


@lru_cache(maxsize=256)
def _within(path: Path, stamp: int) -> Format | None:
    compression = COMPRESSIONS.get(path.suffix.lower())
    with pa.input_stream(str(path), compression=compression) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(MAGIC):
        return avro
    if head.startswith(b"PAR1"):
        return parquet
    if is_tfrecord(head):
        return TFRecord()
    if len(head) < _HEAD_BYTES:
        head += b"\n"
    return libsvm if libsvm.looks_like(head) else None


def require_format(path: Path, metadata: Path | Lists | None = None) -> Format:
    """Return the format of a file, with tensor metadata for the formats that have it.

    The name tells; where it says nothing, the first bytes do.

    Raises
    ------
    DataError
        The file name ends in no known suffix, and its bytes are of no known kind.
    """
    found = format_of(path) or format_within(path)
    if found is None:
        known = ", ".join(sorted(_BY_SUFFIX))
        raise DataError(
            str(path),
            f"unknown format {path.suffix!r}",
            f"one of {known} (text and TFRecords also .gz, .zst)",
        )
    if metadata is not None and isinstance(found, TFRecord):
        return TFRecord(metadata)
    return found
