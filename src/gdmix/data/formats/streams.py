"""Bytes of files that may be compressed: gzip, Zstandard, and the zlib that TensorFlow writes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from gdmix.errors import DataError

UNREADABLE = (pa.ArrowException, OSError, zlib.error)
"""What reading may raise."""

_ARROWS = {".gz": "gzip", ".zst": "zstd"}
_ZLIB = {".deflate", ".zlib"}
_PIECE = 1 << 20


class Readable(Protocol):
    """What can be read into memory."""

    def readinto(self, room: memoryview, /) -> int | None:
        """Fill the room, or a part of it; return how many bytes came, 0 at the end."""


class Writable(Protocol):
    """What bytes can be written to."""

    def write(self, data: memoryview, /) -> object:
        """Write all of the bytes."""


@contextmanager
def open_input(path: Path) -> Iterator[Readable]:
    """Open a file for reading, decompressed as its suffix says.

    Raises
    ------
    DataError
        It cannot be opened.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in _ZLIB:
            stream: Readable = _Inflated(path)
        else:
            stream = pa.input_stream(str(path), compression=_ARROWS.get(suffix))
    except UNREADABLE as error:
        raise DataError(str(path), f"cannot be read: {error}", hint="write it again") from None
    with stream:  # type: ignore[attr-defined]
        yield stream


@contextmanager
def open_output(path: Path) -> Iterator[Writable]:
    """Open a file for writing, compressed as its suffix says."""
    suffix = path.suffix.lower()
    if suffix in _ZLIB:
        with path.open("wb") as stream:
            deflated = _Deflated(stream)
            yield deflated
            deflated.finish()
        return
    with pa.output_stream(str(path), compression=_ARROWS.get(suffix)) as stream:
        yield stream


class _Inflated(io.RawIOBase):
    """A file of one zlib stream, or of several one after the other."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._inflate = zlib.decompressobj()
        self._piece = b""
        self._begun = False

    def readinto(self, room: memoryview, /) -> int:  # type: ignore[override]
        """Fill a part of the room: a little input may become very much output."""
        found = b""
        while not found:
            if self._inflate.eof:
                self._piece, self._inflate = self._inflate.unused_data, zlib.decompressobj()
                self._begun = False
            self._piece = self._piece or self._file.read(_PIECE)
            if not self._piece:
                if self._begun:
                    raise zlib.error("the stream is cut off")
                return 0
            self._begun = True
            found = self._inflate.decompress(self._piece, len(room))
            self._piece = self._inflate.unconsumed_tail
        room[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class _Deflated:
    """Writes one zlib stream."""

    def __init__(self, stream: io.BufferedWriter) -> None:
        self._stream, self._deflate = stream, zlib.compressobj()

    def write(self, data: memoryview, /) -> None:
        """Compress bytes."""
        self._stream.write(self._deflate.compress(data))

    def finish(self) -> None:
        """Write what is left."""
        self._stream.write(self._deflate.flush())
