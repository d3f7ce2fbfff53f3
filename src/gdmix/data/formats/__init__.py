"""File formats, one module each; nothing past `gdmix.data.source` knows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from gdmix.data.formats import avro, csv, libsvm, parquet
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.errors import DataError


class Format(Protocol):
    """What a format module provides."""

    @property
    def IS_TEXT(self) -> bool:  # noqa: N802 - modules have constants
        """Whether values are text, converted to the types that are asked for."""

    def read_schema(self, path: Path) -> pa.Schema:
        """Return column names and types without reading the data."""

    def read_batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the columns of `schema`, streamed."""


_BY_SUFFIX: dict[str, Format] = {
    ".parquet": parquet,
    ".pq": parquet,
    ".avro": avro,
    ".csv": csv,
    ".tsv": csv,
    ".libsvm": libsvm,
    ".svm": libsvm,
    ".svmlight": libsvm,
    ".tfrecord": TFRecord(),
    ".tfrecords": TFRecord(),
}
_COMPRESSED = {".gz", ".zst", ".deflate", ".zlib"}


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its name, or None when the name says nothing."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _BY_SUFFIX.get(suffixes[-1]) if suffixes else None


def require_format(path: Path, metadata: Path | None = None) -> Format:
    """Return the format of a file, with tensor metadata for the formats that have it.

    Raises
    ------
    DataError
        The file name ends in no known suffix.
    """
    found = format_of(path)
    if found is None:
        known = ", ".join(sorted(_BY_SUFFIX))
        raise DataError(
            str(path), f"unknown format {path.suffix!r}", f"one of {known} (CSV also .gz, .zst)"
        )
    if metadata is not None and isinstance(found, TFRecord):
        return TFRecord(metadata)
    return found
