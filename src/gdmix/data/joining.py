"""Columns of other tables, taken to the rows of one by a key: `JoinedSource`.

The other tables are held in memory, the columns that are asked for alone; the rows stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.arrowtypes import plain
from gdmix.data.place import Place
from gdmix.data.source import Batch, Source, require_root
from gdmix.data.vocabulary import Vocabulary
from gdmix.errors import DataError, did_you_mean

Misfit = Literal["missing", "duplicate", "extra"]


class Other(NamedTuple):
    """A table whose columns are joined.

    Attributes
    ----------
    source : Source
    key : str
        The column that names a row, here and there: 7 and "7" are one.
    columns : tuple of str
        Taken from here even where the rows have them; without any, those that the rows lack.
    allow : tuple of str
        ``missing``: a row without a match has nulls; ``duplicate``: of equal keys the last counts;
        ``extra``: keys that no row has are passed over.
    """

    source: Source
    key: str = "uid"
    columns: tuple[str, ...] = ()
    allow: tuple[Misfit, ...] = ()


class JoinedSource:
    """A table, and columns of others.

    Raises
    ------
    DataError
        A key or a column is not there.
    """

    def __init__(self, rows: Source, others: Sequence[Other]) -> None:
        self._rows, self._others = rows, tuple(others)
        self.name = rows.name
        self.notes: list[str] = []
        for other in self._others:
            for source in (rows, other.source):
                require_root(other.key, source.schema, f"join by {other.key!r}: {source.name}")
            for column in other.columns:
                require_root(column, other.source.schema, f"join: {other.source.name}")

    @property
    def schema(self) -> pa.Schema:
        """Column names and types: the rows' own, then those of the others."""
        fields = {field.name: field for field in self._rows.schema}
        for other in self._others:
            for field in other.source.schema:
                if field.name not in fields or field.name in other.columns:
                    fields[field.name] = field
        return pa.schema(list(fields.values()))

    def has(self, column: str) -> bool:
        """Tell whether there is a column, here or in another table."""
        return self._rows.has(column) or any(other.source.has(column) for other in self._others)

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column where it is taken from."""
        owner = self._owner(column)
        return (self._rows if owner is None else owner.source).type_of(column)

    def batches(self, names: Sequence[str], floats: frozenset[str]) -> Iterator[Batch]:
        """Yield the named columns, row by row those of the others whose key is the row's.

        Raises
        ------
        DataError
            A row has no match, or a key is there twice or for no row, and that is not allowed.
        """
        self.notes.clear()
        owners = {name: self._owner(name) for name in names}
        keys = [other.key for other in self._others]
        own = [name for name in names if owners[name] is None]
        lookups = [
            _Lookup(other, [name for name in names if owners[name] is other], floats)
            for other in self._others
        ]
        asked = list(dict.fromkeys([*own, *keys]))
        for batch, place in self._rows.batches(asked, floats - set(keys)):
            columns = {name: batch.column(name) for name in asked}
            for lookup in lookups:
                columns |= lookup.taken(batch.column(lookup.key), place)
            yield Batch(pa.RecordBatch.from_pydict({n: columns[n] for n in names}), place)
        for lookup in lookups:
            self.notes += lookup.finish(self.name)

    def _owner(self, column: str) -> Other | None:
        for other in self._others:
            if column in other.columns:
                return other
        if self._rows.has(column):
            return None
        for other in self._others:
            if other.source.has(column):
                return other
        where, hint = self.name, did_you_mean(column, self.schema.names)
        raise DataError(where, f"there is no column {column!r}", hint=hint)


class _Lookup:
    """The columns of another table by key."""

    def __init__(self, other: Other, names: list[str], floats: frozenset[str]) -> None:
        self.key, self._other, self._names = other.key, other, names
        asked = list(dict.fromkeys([*names, other.key]))
        batches, places = [], []
        for batch, place in other.source.batches(asked, floats - {other.key}):
            batches.append(pa.RecordBatch.from_arrays(list(map(plain, batch.columns)), asked))
            places.append(place)
        table = pa.Table.from_batches(batches).combine_chunks()
        self._columns = {name: table.column(name) for name in names}
        self._vocabulary = Vocabulary()
        position = np.concatenate(
            [
                self._vocabulary.add(_keys(batch.column(other.key), other.key, place))
                for batch, place in zip(batches, places, strict=True)
            ]
        )
        # of equal keys the last one stays
        self._row = np.empty(len(self._vocabulary), np.int64)
        self._row[position] = np.arange(len(position))
        self._seen = np.zeros(len(self._vocabulary), bool)
        self._missing = 0
        self._repeated = len(position) - len(self._vocabulary)
        if self._repeated:
            count = np.bincount(position)
            self._require("duplicate", self._repeated, str(self._key_at(int(np.argmax(count > 1)))))

    def taken(self, keys: pa.Array, place: Place) -> dict[str, pa.Array]:
        """Return this table's columns for rows with these keys; null where there is no match."""
        found = self._vocabulary.find(_keys(plain(keys), self.key, place))
        known = found >= 0
        self._seen[found[known]] = True
        if not known.all():
            first = int(np.argmin(known))
            self._missing += int((~known).sum())
            if "missing" not in self._other.allow:
                raise self._misfit(
                    place.at(first, self.key),
                    f"{self._other.source.name} has no row for {keys[first].as_py()!r}",
                    "missing",
                )
        rows = pa.array(np.where(known, self._row[np.maximum(found, 0)], 0), mask=~known)
        return {name: _take(column, rows) for name, column in self._columns.items()}

    def finish(self, rows: str) -> list[str]:
        """Say what did not fit, when all rows have been seen."""
        extra = int((~self._seen).sum())
        if extra:
            self._require("extra", extra, str(self._key_at(int(np.argmin(self._seen)))))
        where = self._other.source.name
        counts = (
            (self._missing, f"rows of {rows} have no match in {where}: their columns are null"),
            (self._repeated, f"rows of {where} repeat a key: the last of equals counts"),
            (extra, f"rows of {where} belong to no row of {rows}"),
        )
        return [f"{count:,} {what}" for count, what in counts if count]

    def _require(self, misfit: Misfit, count: int, example: str) -> None:
        if misfit in self._other.allow:
            return
        what = {"duplicate": "rows repeat a key", "extra": "keys belong to no row"}[misfit]
        found = f"{count:,} {what} (column {self.key!r}), such as {example!r}"
        raise self._misfit(self._other.source.name, found, misfit)

    def _misfit(self, where: str, found: str, misfit: Misfit) -> DataError:
        hint = f"mend the data, or allow it (joins: allow: [{misfit}])"
        return DataError(where, found, "one row for each key", hint)

    def _key_at(self, position: int) -> object:
        return self._vocabulary.keys()[position].as_py()


def _keys(column: pa.Array, name: str, place: Place) -> pa.StringArray:
    if column.null_count:
        row = int(np.argmax(np.asarray(column.is_null())))
        raise DataError(place.at(row, name), "the key of a join is null", "a value")
    if not (pa.types.is_integer(column.type) or pa.types.is_string(column.type)):
        expected = "whole numbers or strings"
        raise DataError(place.column(name), f"found keys of type {column.type}", expected)
    return column.cast(pa.string())


def _take(column: pa.ChunkedArray, rows: pa.Array) -> pa.Array:
    taken = pc.take(column, rows)
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
