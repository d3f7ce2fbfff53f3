"""TFRecords whose records are lists, as DeText's for ranking: a row for each item of a list.

A record of a query holds what its documents have one after the other: a label and a text of each,
so many numbers of each, and sparse features as ``x_indices0`` (the document), ``x_indices1`` (the
feature) and ``x_values``. What the query has once is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.formats.examples import EXAMPLE, Examples, Places, Values
from gdmix.data.formats.tensor_metadata import find_metadata
from gdmix.data.formats.tfrecord_frames import read_records
from gdmix.errors import ConfigError, DataError, did_you_mean
from gdmix.schema import Lists

_HEAD_BYTES = 1 << 20
_NUMBERS = {0: pa.null(), 1: pa.string(), 2: pa.float32(), 3: pa.int64()}
_PARTS = ("indices0", "indices1", "values")


def lists_of(path: Path, metadata: Path | Lists | None) -> Lists | None:
    """Return what the records of a file hold if they are lists; None if they are rows.

    What is not given may be said by the metadata beside the data: an entry ``lists``.

    Raises
    ------
    DataError
        It is there, and wrong.
    """
    if isinstance(metadata, Lists):
        return metadata
    found = metadata or find_metadata(path)
    try:
        values = None if found is None else json.loads(found.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        # who reads the metadata says what is wrong with it
        return None
    if not isinstance(values, dict) or "lists" not in values:
        return None
    try:
        return Lists.parse(values["lists"])
    except ConfigError as error:
        raise DataError(f"{found}, lists", str(error)) from None


def list_schema(path: Path, lists: Lists) -> pa.Schema:
    """Return the columns that the records of a file become; types follow from the first records.

    Raises
    ------
    DataError
        A column that every list needs is in none of the first records.
    """
    records = next(read_records(path, _HEAD_BYTES), None)
    kinds: dict[str, pa.DataType] = {}
    if records is not None:
        examples = Examples(path, records)
        known = examples.names(EXAMPLE)
        if lists.length not in known:
            found = f"there is no column {lists.length!r}, of a value for each row of a list"
            raise DataError(str(path), found, hint=did_you_mean(lists.length, known))
        kinds = _kinds(examples, [name for name in _stored(lists) if name in known])
    columns = {lists.length: kinds.get(lists.length, pa.null())}
    for name, width in lists.each.items():
        kind = kinds.get(name, pa.null())
        columns[name] = kind if width == 1 else pa.list_(kind)
    columns |= {name: kinds.get(name, pa.null()) for name in lists.once}
    for name in lists.sparse:
        columns[f"{name}_indices"] = pa.list_(pa.int64())
        columns[f"{name}_values"] = pa.list_(pa.float32())
    columns[lists.group] = pa.string()
    return pa.schema(list(columns.items()))


def list_batches(path: Path, schema: pa.Schema, lists: Lists) -> Iterator[pa.RecordBatch]:
    """Yield the columns of `schema`, a row for each item of each list.

    Raises
    ------
    DataError
        A record is broken, or holds more or fewer values than its list has rows.
    """
    for records in read_records(path):
        batch = _Batch(path, Examples(path, records), lists)
        columns = [batch.column(field, records.first) for field in schema]
        if columns:
            yield pa.RecordBatch.from_arrays(columns, names=schema.names)
        else:
            empty = pa.array([{}] * int(batch.sizes.sum()), pa.struct([]))
            yield pa.RecordBatch.from_struct_array(empty)


class _Batch:
    """The lists of some records as columns.

    Attributes
    ----------
    sizes : int64[records]
        Rows of each list.
    """

    def __init__(self, path: Path, examples: Examples, lists: Lists) -> None:
        self._path, self._examples, self._lists = path, examples, lists
        self._spans = dict(
            zip(_stored(lists), examples.spans(_stored(lists), EXAMPLE), strict=True)
        )
        self.sizes = self._counts(lists.length)
        self._owner = np.repeat(np.arange(len(self.sizes)), self.sizes)

    def column(self, field: pa.Field, first: int) -> pa.Array:
        """Return a column; `first` is the number of the first record within the file."""
        name, kind, lists = field.name, field.type, self._lists
        if name == lists.group:
            numbers = np.arange(first, first + len(self.sizes)).tolist()
            return pa.array([f"{self._path}:{n + 1}" for n in numbers]).take(pa.array(self._owner))
        for bag in lists.sparse:
            if name in (f"{bag}_indices", f"{bag}_values"):
                return self._sparse(bag, name.endswith("_values"), kind.value_type)
        if name in lists.once:
            found = self._examples.values(self._spans[name], kind, name)
            self._require(name, found.counts, np.minimum(found.counts, 1), "once for a list")
            return _where(found, found.counts > 0, kind).take(pa.array(self._owner))
        width = lists.each.get(name, 1)
        item = kind.value_type if pat.is_list(kind) else kind
        found = self._examples.values(self._spans[name], item, name)
        there = found.counts > 0
        expected = np.where(there, self.sizes * width, 0)
        self._require(name, found.counts, expected, f"{width} for each row of the list")
        if not pat.is_list(kind):
            return _where(found, there[self._owner], kind)
        return _blocks(np.where(there, width, 0)[self._owner], _items(found, item))

    def _sparse(self, bag: str, want_values: bool, kind: pa.DataType) -> pa.Array:
        """Return the indices, or the values, that every row has of a sparse tensor."""
        names = [f"{bag}_{part}" for part in _PARTS]
        kinds = (pa.int64(), pa.int64(), kind if want_values else pa.float32())
        found = [
            self._examples.values(self._spans[name], item, name)
            for name, item in zip(names, kinds, strict=True)
        ]
        for name, other in zip(names[1:], found[1:], strict=True):
            self._require(name, other.counts, found[0].counts, f"as many as in {names[0]!r}")
        record = np.repeat(np.arange(len(self.sizes)), found[0].counts)
        places = _items(found[0], pa.int64()).to_numpy()
        features = _items(found[1], pa.int64()).to_numpy()
        self._require_range(names[0], places, self.sizes[record], record)
        most = np.full(len(record), self._lists.sparse[bag])
        self._require_range(names[1], features, most, record)
        starts = np.cumsum(self.sizes) - self.sizes
        rows = starts[record] + places
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=int(self.sizes.sum()))
        items = _items(found[2], kind) if want_values else pa.array(features)
        return _blocks(counts, items.take(pa.array(order)))

    def _counts(self, name: str) -> Places:
        counts = np.empty(len(self._spans[name]), np.int64)
        kinds = np.empty(len(counts), np.int8)
        self._examples.count(self._spans[name], name, counts, kinds)
        return counts

    def _require(self, name: str, counts: Places, expected: Places, why: str) -> None:
        wrong = np.flatnonzero(counts != expected)
        if len(wrong):
            at = int(wrong[0])
            where = f"{self._examples.place(at)}, column {name!r}"
            raise DataError(where, f"found {counts[at]} values", f"{expected[at]}, {why}")

    def _require_range(
        self, name: str, found: NDArray[np.int64], most: NDArray[np.int64], record: Places
    ) -> None:
        wrong = np.flatnonzero((found < 0) | (found >= most))
        if len(wrong):
            at = int(wrong[0])
            where = f"{self._examples.place(int(record[at]))}, column {name!r}"
            raise DataError(where, f"found index {found[at]}", f"from 0 to {most[at] - 1}")


def _stored(lists: Lists) -> list[str]:
    """Return the names that a record has."""
    bags = [f"{name}_{part}" for name in lists.sparse for part in _PARTS]
    return list(dict.fromkeys([lists.length, *lists.each, *lists.once, *bags]))


def _kinds(examples: Examples, names: list[str]) -> dict[str, pa.DataType]:
    kinds: dict[str, pa.DataType] = {}
    for name, spans in zip(names, examples.spans(names, EXAMPLE), strict=True):
        counts, stored = np.empty(len(spans), np.int64), np.empty(len(spans), np.int8)
        examples.count(spans, name, counts, stored)
        kinds[name] = _NUMBERS[int(stored.max())]
    return kinds


def _items(found: Values, kind: pa.DataType) -> pa.Array:
    return pa.nulls(0, kind) if found.items is None else found.items


def _where(found: Values, there: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """Return the values, one after the other, where one is there; null elsewhere."""
    if found.items is None:
        return pa.nulls(len(there), kind)
    return found.items.take(pa.array(np.cumsum(there) - 1, mask=~there))


def _blocks(counts: Places, items: pa.Array) -> pa.Array:
    pointers = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=pointers[1:])
    return pa.ListArray.from_arrays(pa.array(pointers), items)
