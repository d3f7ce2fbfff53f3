"""``gdmix convert``: from any format to any other, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gdmix.cli.output import Output, command, require_output
from gdmix.data.arrowtypes import is_string
from gdmix.data.conversion import Conversion, Wish
from gdmix.data.conversion_plan import prepare
from gdmix.data.feature_lists import list_text
from gdmix.data.formats import Writer, compressions_of, format_name, require_format
from gdmix.data.formats.tensor_metadata import FILE
from gdmix.data.formats.tensors import Tensors, describe, require_same
from gdmix.data.paths import files_of
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError, GdmixError
from gdmix.store.aside import replacing, write_text

# of rows as Python's objects there should be few at a time
_ROWS = 1 << 14


class Target(NamedTuple):
    """Where the rows go.

    Attributes
    ----------
    path : Path
        A file, or a folder of part files.
    format : str
    suffix : str
        Of the part files; empty for a file.
    rows : int or None
        Most rows of a part file.
    """

    path: Path
    format: str
    suffix: str
    rows: int | None

    @classmethod
    def of(cls, path: Path, to: str | None, rows: int | None) -> Target:
        """Return what `OUTPUT`, `--to` and `--rows-per-file` ask for.

        Raises
        ------
        ConfigError
            They do not tell a format, or do not fit together.
        """
        named = format_name(path)
        wanted = None if to is None else format_name(Path(f"x.{to}"))
        if to is not None and wanted is None:
            expected = "parquet, csv, avro, tfrecord or libsvm"
            raise ConfigError("--to", f"found {to!r}", expected, "csv.gz and the like compress")
        if named is None and to is None:
            hint = "for a folder of part files add --to parquet"
            raise ConfigError(str(path), "says no format", "a name such as x.parquet", hint)
        if named is None or path.is_dir():
            found = cls(path, wanted or "", f".{to}", rows)
        else:
            if wanted not in (None, named):
                raise ConfigError("--to", f"found {to!r}, but {path} is {named}", "one of the two")
            if rows is not None:
                hint = "name a folder, and the format by --to"
                raise ConfigError("--rows-per-file", f"found {path}, which is one file", hint=hint)
            found = cls(path, named, "", None)
        if not found.format:
            raise ConfigError(str(path), "is a folder", hint="name the parts' format by --to")
        _require_compression(found)
        return found

    @property
    def first(self) -> str:
        """Name of the file, or of the first part."""
        return f"part-00000{self.suffix}" if self.suffix else self.path.name

    def list_name(self, column: str) -> str:
        """Return what the list of a column's features is called, beside the data."""
        return f"{column}.txt" if self.suffix else f"{self.path.name.split('.')[0]}.{column}.txt"


class _Written(NamedTuple):
    rows: int
    files: int


def wish_of(
    columns: str | None, lists: list[str], label: str | None, qid: str | None, *, lossy: bool
) -> Wish:
    """Return what the options of the command line ask for."""
    names = () if columns is None else tuple(name.strip() for name in columns.split(","))
    if not all(names):
        raise ConfigError("--columns", f"found {columns!r}", "names, parted by commas")
    found = {}
    for item in lists:
        column, equals, path = item.partition("=")
        found[column if equals else ""] = path if equals else item
    return Wish(names, found, label, qid, lossy)


def run_convert(
    inputs: list[str],
    target: Target,
    wish: Wish,
    metadata: Path | None,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Convert files to one file, or to a folder of part files."""
    source = open_source(inputs, metadata=metadata)
    _require_free(target, files_of(inputs), overwrite=overwrite)
    with out.console.status("looking at the columns") as status:
        conversion = prepare(source, target.format, wish)
        lists = {target.list_name(column): keys for column, keys in conversion.lists.items()}
        tensors = Tensors(conversion.schema, conversion.sizes)
        if not target.suffix:
            _require_free_beside(target, lists, tensors, overwrite=overwrite)
        with _staged(target) as data:
            beside = data if target.suffix else target.path.parent
            texts = {name: list_text(keys, str(beside / name)) for name, keys in lists.items()}

            def tell(rows: int) -> None:
                status.update(f"converted {rows:,} rows")

            written = _write(target, data, conversion, tensors, tell)
            if not wish.lossy:
                _require_text_stays(data / target.first if target.suffix else data, conversion)
            for name, text in texts.items():
                write_text(beside / name, text)
            if target.format == "tfrecord":
                describe(beside / FILE, tensors.tensors())
    _tell(target, written, conversion, list(lists), out)


def _write(
    target: Target,
    data: Path,
    conversion: Conversion,
    tensors: Tensors,
    tell: Callable[[int], None],
) -> _Written:
    """Write all rows; return how many, and to how many files."""
    rows, file = 0, -1
    with ExitStack() as stack:
        writer: Writer | None = None
        for number, batch in _cut(conversion.batches(), target):
            if writer is None or number != file:
                stack.close()
                path = data / f"part-{number:05d}{target.suffix}" if target.suffix else data
                opened = require_format(path).open_writer(path, conversion.schema)
                writer, file = stack.enter_context(opened), number
            writer.write(batch)
            if target.format == "tfrecord":
                tensors.see(batch)
            rows += batch.num_rows
            tell(rows)
    return _Written(rows, file + 1)


def _cut(batches: Iterator[pa.RecordBatch], target: Target) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield rows and the number of the file they go to; few where they become Python's objects."""
    step = _ROWS if target.format in ("avro", "tfrecord") else 1 << 20
    most = target.rows or 1 << 62
    rows = 0
    for batch in batches:
        first = 0
        while first < batch.num_rows:
            taken = batch.slice(first, min(step, most - rows % most))
            yield rows // most, taken
            first += taken.num_rows
            rows += taken.num_rows


@contextmanager
def _staged(target: Target) -> Iterator[Path]:
    """Yield where to write; errors speak of where it goes in the end."""
    with replacing(target.path, target.first if target.suffix else None) as aside:
        if target.suffix:
            aside.mkdir()
        try:
            yield aside
        except GdmixError as error:
            if str(aside) not in error.where:
                raise
            where = error.where.replace(str(aside), str(target.path))
            raise type(error)(where, error.problem, error.expected, error.hint) from None


def _require_free(target: Target, inputs: list[Path], *, overwrite: bool) -> None:
    if not target.suffix:
        require_output(target.path, inputs, overwrite=overwrite)
        return
    path = target.path
    if path.is_dir() and any(path.resolve() in item.resolve().parents for item in inputs):
        raise ConfigError(str(path), "holds input files", hint="choose another output")
    if path.exists() and not overwrite and (path.is_file() or any(path.iterdir())):
        raise ConfigError(str(path), "exists already", hint="--overwrite replaces it")


def _require_free_beside(
    target: Target, lists: dict[str, pa.StringArray], tensors: Tensors, *, overwrite: bool
) -> None:
    for name in lists:
        path = target.path.parent / name
        if path.exists() and not overwrite:
            hint = f"--feature-list {path} numbers by it; --overwrite replaces it"
            raise ConfigError(str(path), "exists already", hint=hint)
    metadata = target.path.parent / FILE
    if target.format == "tfrecord" and metadata.exists():
        require_same(metadata, tensors.tensors())


def _require_compression(target: Target) -> None:
    name = Path(target.first)
    allowed = compressions_of(target.format)
    if format_name(name.with_suffix("")) is not None and name.suffix.lower() not in allowed:
        found = f"{target.format} is not written as {name.suffix}"
        raise ConfigError(str(target.path), found, " or ".join(("no further suffix", *allowed)))


def _require_text_stays(path: Path, conversion: Conversion) -> None:
    """Check that text which looks like numbers is not read back as numbers, as CSV files are."""
    file_format = require_format(path)
    if not file_format.IS_TEXT:
        return
    back = file_format.read_schema(path)
    for field in conversion.schema:
        kind = back.field(field.name).type
        if is_string(field.type) and not (is_string(kind) or pa.types.is_null(kind)):
            raise DataError(
                f"{path}, column {field.name!r}",
                f"the text of the column would be read back as {kind}",
                "a format with types, such as Parquet",
                "--lossy writes it all the same",
            )


def _tell(
    target: Target, written: _Written, conversion: Conversion, lists: list[str], out: Output
) -> None:
    places = [target.path if target.suffix else target.path.parent, target.path.parent]
    out.say(f"converted {written.rows:,} rows")
    paths: dict[str, object] = {"data": target.path}
    paths |= {
        f"features {column}": places[0] / target.list_name(column) for column in conversion.lists
    }
    if target.format == "tfrecord":
        paths["metadata"] = places[0] / FILE
    out.wrote(paths, [command("summarize", target.path), command("init", target.path)])
    out.result(
        {
            "output": str(target.path),
            "format": target.format,
            "rows": written.rows,
            "files": written.files,
            "columns": conversion.schema.names,
            "feature_lists": [str(places[0] / name) for name in lists],
        }
    )
