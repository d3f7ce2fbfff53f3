"""Files read as one table: whether their columns agree, and casts to a common type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from gdmix.data.arrowtypes import agree, is_number, plain, plain_type
from gdmix.data.formats import Format
from gdmix.data.place import Place
from gdmix.errors import DataError, did_you_mean


def widest(kind: pa.DataType, as_float: bool) -> pa.DataType:
    """Return the widest type of its kind, so that files may differ in width."""
    kind = plain_type(kind)
    if is_number(kind) and (as_float or not pa.types.is_integer(kind)):
        return pa.float64()
    return pa.int64() if pa.types.is_integer(kind) and kind != pa.uint64() else kind


def require_agreement(path: Path, file_format: Format, wanted: pa.Schema, first: Path) -> None:
    """Check that a file has the columns, of types that can be read as those of the first file.

    Raises
    ------
    DataError
        Names the file and the column.
    """
    found = file_format.read_schema(path)
    for field in wanted:
        if field.name not in found.names:
            raise DataError(
                str(path),
                f"column {field.name!r} is missing, though {first} has it",
                hint=did_you_mean(field.name, found.names),
            )
        require_once(found.names, field.name, str(path))
        have = found.field(field.name).type
        # text is read as what is wanted, or else names the row
        if not file_format.IS_TEXT and not agree(have, field.type):
            raise DataError(
                Place(str(path), 0).column(field.name),
                f"found type {have}",
                f"{field.type} as in {first}",
                "make the files' schemas agree",
            )


def cast(batch: pa.RecordBatch, wanted: pa.Schema, place: Place) -> pa.RecordBatch:
    """Cast single values; what reads lists and structs takes any width of number.

    Raises
    ------
    DataError
        A value is lost by the cast.
    """
    columns = []
    for encoded, field in zip(batch.columns, wanted, strict=True):
        column = plain(encoded)
        if column.type == field.type or pa.types.is_nested(field.type):
            columns.append(column)
            continue
        # an integer as a float may lose digits; nothing else may be lost
        loose = pa.types.is_floating(field.type)
        try:
            columns.append(column.cast(field.type, safe=not loose))
        except pa.ArrowException as error:
            raise DataError(
                place.column(field.name),
                f"type {column.type} cannot be read as {field.type} ({error})",
                hint="make the files' schemas agree",
            ) from None
    if not columns:
        return batch
    return pa.RecordBatch.from_arrays(columns, names=wanted.names)


def require_once(names: Sequence[str], column: str, where: str) -> None:
    """Check that no two columns have this name.

    Raises
    ------
    DataError
        Names the column.
    """
    if names.count(column) > 1:
        raise DataError(
            where, f"{names.count(column)} columns are named {column!r}", "one", "rename the others"
        )
