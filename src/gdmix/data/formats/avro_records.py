"""Avro files as records: what models and scores are read from and written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from gdmix.data.formats.avro_container import Block, Container
from gdmix.data.formats.avro_types import fault_of
from gdmix.errors import DataError, GdmixError

Record = dict[str, Any]


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a file.

    Raises
    ------
    DataError
        The file is no Avro file, or damaged; names the byte.
    """
    for block in read_blocks(path):
        yield from block


def read_blocks(path: Path, wanted: Any = None) -> Iterator[list[Record]]:  # noqa: ANN401
    """Yield the records of a file block by block, with the fields of the schema `wanted` alone."""
    with opened(path) as container:
        yield from _decode(container, container, wanted)


def records_of(
    container: Container,
    blocks: Iterable[Block],
    wanted: Any = None,  # noqa: ANN401 - as in JSON
) -> Iterator[list[Record]]:
    """Yield the records of some blocks that were read from a container, as `read_blocks` does."""
    yield from _decode(container, container.plain(blocks), wanted)


def _decode(container: Container, stream: object, wanted: Any) -> Iterator[list[Record]]:  # noqa: ANN401
    import fastavro

    try:
        _require_bounded(container)
        for block in fastavro.block_reader(cast(BinaryIO, stream), wanted):
            yield cast(list[Record], list(block))
    except GdmixError:
        raise
    except Exception as error:  # fastavro's errors are of many types
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise container.wrong(f"the records cannot be decoded ({what})") from None


def _require_bounded(container: Container) -> None:
    from fastavro.schema import expand_schema

    if fault := fault_of(expand_schema(container.schema)):
        raise container.wrong(fault, "gdmix reads no such types")


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """Open a file.

    Raises
    ------
    DataError
        The file cannot be read, or is no Avro file.
    """
    try:
        with path.open("rb") as stream:
            yield Container(path, stream, path.stat().st_size)
    except OSError as error:
        raise DataError(str(path), f"cannot be read ({error.strerror or error})") from None


def read_schema(path: Path) -> Any:  # noqa: ANN401 - as in JSON
    """Return the schema that a file was written with, without defaults."""
    with opened(path) as container:
        return container.schema


def write_records(
    path: Path,
    schema: Any,  # noqa: ANN401 - as in JSON
    records: Iterable[Record],
    codec: str = "deflate",
) -> None:
    """Write records to a file."""
    import fastavro

    with path.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(schema), records, codec=codec)
