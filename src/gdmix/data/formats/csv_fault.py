"""Where a CSV file goes wrong: read again, slowly, after the fast reader has given up."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.types as pat

Error = csv.Error
_NUMBER = re.compile(
    r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(nan|inf|infinity)\s*", re.I
)
_WHOLE = re.compile(r"\s*-?\d+\s*")
_MOST = 1 << 24


class Fault(NamedTuple):
    """The first value or row that cannot be read; rows count from 1 below the header."""

    row: int
    column: str
    problem: str
    expected: str
    hint: str


def find(
    stream: BinaryIO, delimiter: str, schema: pa.Schema | None, nulls: Collection[str]
) -> Fault | None:
    """Return the first fault, or None when each row looks right.

    Parameters
    ----------
    stream : file of bytes, already decompressed
    delimiter : str
    schema : pa.Schema, optional
        The columns to look at and their types; without it only the number of columns is checked.
    nulls : collection of str
        What a null may be written as.
    """
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    before = csv.field_size_limit(_MOST)
    try:
        rows = (cells for cells in csv.reader(text, delimiter=delimiter) if cells)
        header = next(rows, [])
        wanted = {} if schema is None else {field.name: field.type for field in schema}
        checked = [(i, name, wanted[name]) for i, name in enumerate(header) if name in wanted]
        return _first(rows, len(header), checked, nulls)
    finally:
        csv.field_size_limit(before)


def _first(
    rows: Iterator[list[str]],
    width: int,
    checked: list[tuple[int, str, pa.DataType]],
    nulls: Collection[str],
) -> Fault | None:
    for row, cells in enumerate(rows, 1):
        if len(cells) != width:
            hint = "quote values that hold the delimiter"
            return Fault(row, "", f"found {len(cells)} values", f"{width}, as in the header", hint)
        for i, name, kind in checked:
            cell = cells[i]
            if not cell.isprintable() and any("\udc80" <= mark <= "\udcff" for mark in cell):
                return Fault(row, name, "the text is not UTF-8", "UTF-8", "convert the file")
            if cell not in nulls and not _fits(cell, kind):
                return Fault(row, name, f"found {cell[:60]!r}", *_advice(kind))
    return None


def _fits(cell: str, kind: pa.DataType) -> bool:
    if pat.is_integer(kind):
        return _WHOLE.fullmatch(cell) is not None and abs(int(cell)) < 1 << 63
    if pat.is_floating(kind):
        return _NUMBER.fullmatch(cell) is not None
    if pat.is_boolean(kind):
        return cell.strip().lower() in {"true", "false", "0", "1"}
    return not pat.is_null(kind)


def _advice(kind: pa.DataType) -> tuple[str, str]:
    hint = "mend the value; if the column is text, use Parquet, where columns have types"
    if pat.is_null(kind):
        return "nothing, as in the first 16 MB", hint
    what = {pat.is_integer: "a whole number", pat.is_floating: "a number"}
    found = next((word for check, word in what.items() if check(kind)), str(kind))
    return f"{found}, as in the head of the first file", hint
