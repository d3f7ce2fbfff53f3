"""CSV and TSV files, plain or compressed, as record batches.

Types are inferred from the head of the file; whole numbers are then read as floating point
unless they name entities or samples, so that ``3`` in the head and ``3.5`` below agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from gdmix.errors import DataError

_BLOCK_BYTES = 1 << 24


def read_schema(path: Path) -> pa.Schema:
    """Return column names and the types inferred from the first 16 MB."""
    with _open(path, None) as reader:
        return reader.schema


def read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, read as its types."""
    with _open(path, schema) as reader:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise _unreadable(path, error) from None
            if batch.num_rows:
                yield batch.select(schema.names)


def _open(path: Path, schema: pa.Schema | None) -> pacsv.CSVStreamingReader:
    plain = path.with_suffix("") if path.suffix.lower() in {".gz", ".zst"} else path
    delimiter = "\t" if plain.suffix.lower() == ".tsv" else ","
    convert = pacsv.ConvertOptions(strings_can_be_null=True, null_values=["", "NA", "null"])
    if schema is not None:
        convert.column_types = schema
        convert.include_columns = schema.names
    try:
        return pacsv.open_csv(
            pa.input_stream(str(path), compression="detect"),
            read_options=pacsv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=convert,
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        str(path),
        f"cannot be read: {error}",
        hint="row and column numbers above count from 0 and include the header",
    )
