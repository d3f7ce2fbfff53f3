"""What Spark reads, and what gdmix reads on executors, as sources of rows in partitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gdmix.data.arrowtypes import is_vague
from gdmix.data.nested import root_of, type_within
from gdmix.data.place import Place
from gdmix.data.source import Batch, FileSource, Source, chosen, require_root

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, eq=False)
class SparkFrame:
    """A Spark data frame."""

    frame: DataFrame
    name: str = "data frame"

    @cached_property
    def schema(self) -> pa.Schema:
        """Column names and types."""
        from pyspark.sql.pandas.types import to_arrow_schema

        return to_arrow_schema(self.frame.schema)

    def has(self, column: str) -> bool:
        """Tell whether there is a column, of its own or within another."""
        return root_of(column, self.schema) is not None

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column."""
        root = require_root(column, self.schema, self.name)
        return type_within(column, root, self.schema.field(root).type)

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the rows in this process."""
        table = self.select(names).toArrow()
        yield from Batches(table.schema, table.to_batches(), self.name).batches(names, floats)

    def select(self, names: Sequence[str]) -> DataFrame:
        """Return the frame with the columns that hold these."""
        roots = dict.fromkeys(require_root(name, self.schema, self.name) for name in names)
        return self.frame.select([f"`{root}`" for root in roots])


@dataclass(frozen=True, eq=False)
class Batches:
    """Record batches that can be read once, as a task gets them of a partition."""

    schema: pa.Schema
    arriving: Iterable[pa.RecordBatch]
    name: str

    def has(self, column: str) -> bool:
        """Tell whether there is a column, of its own or within another."""
        return root_of(column, self.schema) is not None

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column."""
        root = require_root(column, self.schema, self.name)
        return type_within(column, root, self.schema.field(root).type)

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the named columns; where there are no rows, a batch without any."""
        roots = [require_root(name, self.schema, self.name) for name in names]
        first = 0
        for batch in self.arriving:
            if batch.num_rows:
                own = batch.select(list(dict.fromkeys(roots)))
                yield Batch(chosen(own, names, roots, floats), Place(self.name, first))
                first += batch.num_rows
        if not first:
            yield _nothing(self, names, floats)


@dataclass(frozen=True)
class Files:
    """Some of a source's files."""

    source: FileSource

    @property
    def name(self) -> str:
        """What to call them in messages."""
        return self.source.name

    @property
    def schema(self) -> pa.Schema:
        """Column names and types."""
        return self.source.schema

    def has(self, column: str) -> bool:
        """Tell whether there is a column, of its own or within another."""
        return self.source.has(column)

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column."""
        return self.source.type_of(column)

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the files' batches; where there are no rows, a batch without any."""
        rows = 0
        for batch in self.source.batches(names, floats):
            rows += batch.columns.num_rows
            yield batch
        if not rows:
            yield _nothing(self, names, floats)


def _nothing(source: Source, names: Sequence[str], floats: frozenset[str]) -> Batch:
    """Return the named columns without rows."""
    table = source.schema.empty_table()
    roots = [require_root(name, source.schema, source.name) for name in names]
    own = {root: table[root].combine_chunks() for root in dict.fromkeys(roots)}
    empty = pa.RecordBatch.from_arrays(list(own.values()), names=list(own))
    return Batch(chosen(empty, names, roots, floats), Place(source.name, 0))


def pieces(source: FileSource, partitions: int | None, least: int) -> list[Files]:
    """Cut files into as many pieces of about one size, in their order.

    Parameters
    ----------
    source : FileSource
    partitions : int or None
        At most so many; by default `least`. No file is cut.
    least : int
    """
    wanted = min(len(source.files), partitions or least)
    sizes = [path.stat().st_size + 1 for path in source.files]
    schema, total = _known_types(source), sum(sizes)
    found: list[list[Any]] = [[] for _ in range(wanted)]
    before = 0
    for number, (path, size) in enumerate(zip(source.files, sizes, strict=True)):
        # the middle of a file decides; no piece stays empty
        at = int((before + size / 2) / total * wanted)
        at = min(max(at, wanted - (len(source.files) - number)), wanted - 1, number)
        found[at].append(path)
        before += size
    whole = replace(source, schema=schema, may_be_empty=True)
    return [Files(replace(whole, files=tuple(paths))) for paths in found if paths]


def _known_types(source: FileSource) -> pa.Schema:
    """Return the schema with types of later files where the first file holds nothing."""
    fields = [
        field.with_type(source.type_of(field.name)) if is_vague(field.type) else field
        for field in source.schema
    ]
    return pa.schema(fields)
