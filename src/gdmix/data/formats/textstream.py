"""Text files, plain or compressed, as blocks of whole lines in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.errors import DataError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}

_BLOCK_BYTES = 1 << 23
_LONGEST_LINE = 1 << 28
_MARK = b"\xef\xbb\xbf"


def line_blocks(
    path: Path, block_bytes: int = _BLOCK_BYTES
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Yield whole lines, and how many lines of the file come before them.

    Every line ends in a newline, the last one of the file too; a byte order mark is left out.

    Raises
    ------
    DataError
        The file cannot be read, or a line is longer than 256 MiB.
    """
    first = 0
    rest = b""
    for piece in _pieces(path, block_bytes):
        whole, newline, tail = piece.rpartition(b"\n")
        if not newline:
            rest += tail
            if len(rest) > _LONGEST_LINE:
                raise DataError(
                    f"{path}, line {first + 1}",
                    "the line is longer than 256 MiB",
                    "a row in each line",
                )
            continue
        yield _array(rest + whole + newline), first
        first += whole.count(b"\n") + 1
        rest = tail
    if rest:
        yield _array(rest + b"\n"), first


def _pieces(path: Path, block_bytes: int) -> Iterator[bytes]:
    begun = False
    try:
        with pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower())) as file:
            while piece := file.read(block_bytes):
                yield piece if begun else piece.removeprefix(_MARK)
                begun = True
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), f"cannot be read: {error}", hint="write it again") from None


def _array(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)
