"""libsvm files, with query ids or without: ``label qid:3 1:0.5 7:1 # comment``.

A row becomes a label, a query id where the file has them, and a struct of indices and values.
Indices stay as they are written, from 0 or from 1. Comments, blank lines and lines that hold a
comment alone are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.formats import libsvm_lines as lines
from gdmix.data.formats.libsvm_writer import FEATURES, LABEL, QID, LibsvmWriter
from gdmix.data.formats.libsvm_writer import open_writer as _open_writer
from gdmix.data.formats.textstream import line_blocks
from gdmix.data.piece import first_not_number
from gdmix.errors import DataError

__all__ = ["IS_TEXT", "looks_like", "open_writer", "read_batches", "read_schema"]

IS_TEXT = False
_HEAD_BYTES = 1 << 20
_NO_QUERY = -(1 << 63)
_FAULTS = {
    lines.NO_LABEL: ("no label", "a line begins with a number, its label"),
    lines.NO_INDEX: ("no pair of index and value", "index:value, the index from 0 to 2147483647"),
    lines.NO_COLON: ("no pair of index and value", "index:value"),
    lines.NO_VALUE: ("no number behind the index", "index:value"),
    lines.LARGE_INDEX: ("an index that is too large", "from 0 to 2147483647"),
    lines.BAD_QID: ("no query id", "qid: and a whole number of at most 18 digits"),
    lines.SECOND_QID: ("a second query id", "one qid in a line"),
}


class _Block(NamedTuple):
    """Rows of some lines.

    Attributes
    ----------
    labels : float64[rows]
    queries : int64[rows]
        `_NO_QUERY` where a row has none.
    pointers : int32[rows + 1]
    indices, values : int64[pairs], float64[pairs]
    """

    labels: NDArray[np.float64]
    queries: NDArray[np.int64]
    pointers: NDArray[np.int32]
    indices: NDArray[np.int64]
    values: NDArray[np.float64]


def read_schema(path: Path) -> pa.Schema:
    """Return the columns: with a query id when a line in the first MiB has one."""
    return _schema(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _schema(path: str, stamp: int) -> pa.Schema:
    asks = False
    for data, first in line_blocks(Path(path), _HEAD_BYTES):
        asks = bool((_parsed(Path(path), data, first).queries != _NO_QUERY).any())
        break
    return pa.schema([LABEL, QID, FEATURES] if asks else [LABEL, FEATURES])


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, some megabytes of lines at a time."""
    asks = QID.name in read_schema(path).names
    for data, first in line_blocks(path):
        block = _parsed(path, data, first)
        if not asks and (block.queries != _NO_QUERY).any():
            raise DataError(
                f"{path}, in or after line {first + 1}",
                "found a query id, though the lines before have none",
                "a qid in the first lines, or in none",
            )
        if len(block.labels):
            yield _batch(block, schema.names)


def open_writer(path: Path, schema: pa.Schema) -> AbstractContextManager[LibsvmWriter]:
    """Write rows of label, query id and features to a file."""
    return _open_writer(path, schema)


def looks_like(head: bytes) -> bool:
    """Tell whether the text that a file begins with is libsvm's: rows with pairs, to the end."""
    whole = head[: head.rfind(b"\n") + 1]
    if not whole or b"\0" in whole:
        return False
    try:
        block = _parsed(Path("head"), np.frombuffer(whole, np.uint8), 0)
    except DataError:
        return False
    return len(block.indices) > 0


def _parsed(path: Path, data: NDArray[np.uint8], first: int) -> _Block:
    """Read whole lines; `first` is how many lines of the file are before them."""
    colons = int(np.count_nonzero(data == ord(":")))
    most = int(np.count_nonzero(data == ord("\n")))
    block = _Block(
        np.empty(most),
        np.full(most, _NO_QUERY),
        np.empty(most + 1, np.int32),
        np.empty(colons, np.int64),
        np.empty(colons),
    )
    marked = np.empty((colons + most, 3), np.int64)
    rows, marks, state, at = lines.parse(data, lines.POWERS, *block, marked)
    if state != lines.GOOD:
        raise _fault(path, data, first, at, *_FAULTS[state])
    if marks:
        _read_marked(path, data, first, block, marked[:marks])
    pairs = int(block.pointers[rows])
    return _Block(
        block.labels[:rows],
        block.queries[:rows],
        block.pointers[: rows + 1],
        block.indices[:pairs],
        block.values[:pairs],
    )


def _read_marked(
    path: Path, data: NDArray[np.uint8], first: int, block: _Block, marked: NDArray[np.int64]
) -> None:
    """Read the numbers that kernels leave: long ones, and words such as ``nan``."""
    starts, ends, places = marked.T
    text = data.tobytes()
    tokens = [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    array = pa.array(tokens, pa.binary())
    try:
        array = array.cast(pa.string())
        wrong = first_not_number(array)
    except pa.ArrowInvalid:
        wrong = next(k for k, token in enumerate(tokens) if not token.isascii())
    if wrong is not None:
        what = "no label" if places[wrong] < 0 else "no number"
        raise _fault(path, data, first, int(starts[wrong]), what, "a number")
    numbers = array.cast(pa.float64()).to_numpy()
    of_label = places < 0
    block.labels[-1 - places[of_label]] = numbers[of_label]
    block.values[places[~of_label]] = numbers[~of_label]


def _batch(block: _Block, names: list[str]) -> pa.RecordBatch:
    columns = []
    for name in names:
        if name == LABEL.name:
            columns.append(pa.array(block.labels))
        elif name == QID.name:
            columns.append(pa.array(block.queries, mask=block.queries == _NO_QUERY))
        else:
            pointers = pa.array(block.pointers)
            parts = [
                pa.ListArray.from_arrays(pointers, pa.array(part))
                for part in (block.indices, block.values)
            ]
            columns.append(pa.StructArray.from_arrays(parts, fields=list(FEATURES.type)))
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(block.labels), pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, names=names)


def _fault(
    path: Path, data: NDArray[np.uint8], first: int, at: int, what: str, expected: str
) -> DataError:
    line = first + int(np.count_nonzero(data[:at] == ord("\n"))) + 1
    text = data[at : at + 41].tobytes().decode("utf-8", "replace").split()
    token = text[0][:40] if text else ""
    return DataError(f"{path}, line {line}", f"found {what} ({token!r})", expected)
