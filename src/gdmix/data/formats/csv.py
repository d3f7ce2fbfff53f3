"""CSV and TSV files, plain or compressed, as record batches.

Types are inferred from the head of the file; whole numbers are then read as floating point
unless they name entities or samples, so that ``3`` in the head and ``3.5`` below agree.
An empty cell is null; in a column of numbers so are ``NA`` and ``null``, which in text are words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pat

from gdmix.data.arrowtypes import plain, plain_type
from gdmix.data.formats import csv_fault
from gdmix.data.formats.textstream import COMPRESSIONS
from gdmix.errors import DataError

IS_TEXT = True
_BLOCK_BYTES = 1 << 24
_NULLS = ("", "NA", "null")


def read_schema(path: Path) -> pa.Schema:
    """Return column names and the types inferred from the first 16 MB."""
    with _open(path, None) as reader:
        found = reader.schema
    # text that is not UTF-8 is taken for binary: as a string, reading it names the row
    return pa.schema([_as_text(field) for field in found])


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, read as its types."""
    with _open(path, schema) as reader:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(path, schema, error) from None
            if batch.num_rows:
                yield _with_nulls(batch.select(schema.names))


class CsvWriter:
    """Writes batches of one schema."""

    def __init__(self, writer: pacsv.CSVWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one row for each; a null is an empty cell."""
        columns = [plain(column) for column in batch.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))


@contextmanager
def open_writer(path: Path, schema: pa.Schema) -> Iterator[CsvWriter]:
    """Write rows to a file of comma or tab separated values, compressed as its name says.

    Raises
    ------
    DataError
        A column holds lists, structs or bytes.
    """
    flat = pa.schema([field.with_type(plain_type(field.type)) for field in schema])
    for field in flat:
        if pat.is_nested(field.type) or pat.is_binary(field.type):
            raise DataError(
                f"{path}, column {field.name!r}",
                f"type {field.type} cannot be a cell",
                "numbers, strings, booleans or dates",
                "leave the column out, or write another format",
            )
    options = pacsv.WriteOptions(delimiter=_delimiter(path))
    compression = COMPRESSIONS.get(path.suffix.lower())
    with (
        pa.output_stream(str(path), compression=compression) as stream,
        pacsv.CSVWriter(stream, flat, write_options=options) as writer,
    ):
        yield CsvWriter(writer, flat)


def _with_nulls(batch: pa.RecordBatch) -> pa.RecordBatch:
    for at, field in enumerate(batch.schema):
        if pa.types.is_string(field.type):
            text = batch.column(at)
            known = pc.if_else(pc.equal(text, ""), pa.scalar(None, field.type), text)
            batch = batch.set_column(at, field, known)
    return batch


def _open(path: Path, schema: pa.Schema | None) -> pacsv.CSVStreamingReader:
    convert = pacsv.ConvertOptions(strings_can_be_null=False, null_values=list(_NULLS))
    if schema is not None:
        convert.column_types = schema
        convert.include_columns = schema.names
    try:
        return pacsv.open_csv(
            _stream(path),
            read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
            convert_options=convert,
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, schema, error) from None


def _stream(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower()))


def _delimiter(path: Path) -> str:
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    return "\t" if inner.suffix.lower() == ".tsv" else ","


def _as_text(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_binary(field.type) else field


def _unreadable(path: Path, schema: pa.Schema | None, error: Exception) -> DataError:
    if "Empty CSV file" in str(error):
        return DataError(str(path), "the file is empty", "a header and rows")
    try:
        with _stream(path) as stream:
            fault = csv_fault.find(stream, _delimiter(path), schema, _NULLS)
    except (pa.ArrowException, OSError, csv_fault.Error):
        fault = None
    if fault is None:
        return DataError(str(path), f"cannot be read: {error}", hint="write it again")
    where = f"{path}, row {fault.row}" + (f", column {fault.column!r}" if fault.column else "")
    return DataError(where, fault.problem, fault.expected, fault.hint)
