"""TFRecord files of ``tf.train.Example``, or of one ``SequenceExample`` for each entity.

The columns are those of GDMix's tensor metadata, which lies beside the data; without it they follow
from the first records. A grouped file, as GDMix's partitioner writes it, gives a row for each
sample: what a record has once, its entity, is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_vague
from gdmix.data.formats.examples import EXAMPLE, LISTS, Examples, Places, Values
from gdmix.data.formats.tensor_metadata import Tensor, find_metadata, read_metadata
from gdmix.data.formats.tfrecord_frames import read_records
from gdmix.data.formats.tfrecord_lists import list_batches, list_schema, lists_of
from gdmix.data.formats.tfrecord_writer import TFRecordWriter, open_writer
from gdmix.errors import DataError
from gdmix.schema import Lists

__all__ = ["TFRecord"]

_HEAD_BYTES = 1 << 20
_TOLD_BY = "is the tensor metadata right? without it, the first records tell what are lists"
_NUMBERS = {1: pa.string(), 2: pa.float32(), 3: pa.int64()}


class _Layout(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    fields : dict of str to pa.Field
    shapes : dict of str to int
        Values of a dense block, by column.
    limits : dict of str to int
        How many features a sparse tensor has, by the column of its indices.
    listed : tuple of str
        Columns that are feature lists.
    measure : str or None
        In a grouped file, the column that tells how many samples a record has.
    stored : dict of str to str
        What a column is called in the file, where that is not its name.
    """

    fields: dict[str, pa.Field]
    shapes: dict[str, int]
    limits: dict[str, int]
    listed: tuple[str, ...]
    measure: str | None
    stored: dict[str, str]


@dataclass(frozen=True)
class TFRecord:
    """The format.

    Attributes
    ----------
    metadata : Path, Lists or None
        GDMix's tensor metadata; else what lies beside the data, if it speaks of its columns. Or
        what the lists hold that the records are.
    """

    metadata: Path | Lists | None = None
    IS_TEXT: bool = field(default=False, init=False)

    @property
    def _file(self) -> Path | None:
        return None if isinstance(self.metadata, Lists) else self.metadata

    def read_schema(self, path: Path) -> pa.Schema:
        """Return column names and types."""
        lists = lists_of(path, self.metadata)
        if lists is not None:
            return list_schema(path, lists)
        return pa.schema(list(_layout(path, self._file).fields.values()))

    def read_batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the columns of `schema`, streamed."""
        lists = lists_of(path, self.metadata)
        if lists is not None:
            yield from list_batches(path, schema, lists)
            return
        layout = _layout(path, self._file)
        for records in read_records(path):
            batch = _Batch(layout, Examples(path, records), schema.names)
            columns = [batch.column(_told(layout.fields[name], schema)) for name in schema.names]
            if columns:
                yield pa.RecordBatch.from_arrays(columns, names=schema.names)
            else:
                empty = pa.array([{}] * batch.rows, pa.struct([]))
                yield pa.RecordBatch.from_struct_array(empty)

    def open_writer(self, path: Path, schema: pa.Schema) -> AbstractContextManager[TFRecordWriter]:
        """Write records to a file."""
        return open_writer(path, schema)


class _Batch:
    """The records of a batch as columns."""

    def __init__(self, layout: _Layout, examples: Examples, names: list[str]) -> None:
        self._layout, self._examples = layout, examples
        wanted = [*names, layout.measure] if layout.measure is not None else list(names)
        plain = [name for name in dict.fromkeys(wanted) if name not in layout.listed]
        lists = [name for name in dict.fromkeys(wanted) if name in layout.listed]
        stored = [layout.stored.get(name, name) for name in plain]
        self._spans = dict(zip(plain, examples.spans(stored, EXAMPLE), strict=True))
        self._spans |= dict(zip(lists, examples.spans(lists, LISTS), strict=True))
        self._samples = self._measured()
        self.rows = examples.rows if self._samples is None else int(self._samples.sum())

    def column(self, field: pa.Field) -> pa.Array:
        """Return one column, a value or a list for each row."""
        name, kind = field.name, field.type
        item = kind.value_type if pat.is_list(kind) else kind
        if name in self._layout.listed:
            spans, counts = self._examples.items(self._spans[name], name)
            self._require(counts, self._samples, name, "items of the list")
            owner = np.repeat(np.arange(len(counts)), counts)
            found = self._examples.values(spans, item, name, owner)
            self._require_range(name, found, owner)
        else:
            found = self._examples.values(self._spans[name], item, name)
            self._require_range(name, found, np.arange(len(found.counts)))
            if self._samples is not None:
                return self._spread(field, found)
        if pat.is_list(kind):
            self._require_width(name, found.counts)
            return _lists(found.counts, found, item)
        self._require(found.counts, np.minimum(found.counts, 1), name, "values")
        return _single(found.counts > 0, found, item)

    def _measured(self) -> Places | None:
        name = self._layout.measure
        if name is None:
            return None
        if name in self._layout.listed:
            return self._examples.items(self._spans[name], name)[1]
        kind = self._layout.fields[name].type
        return self._examples.values(self._spans[name], kind, name).counts

    def _spread(self, field: pa.Field, found: Values) -> pa.Array:
        """Return what the context holds: a value for each sample, or one for all of them."""
        samples, name = self._samples, field.name
        assert samples is not None
        is_list = pat.is_list(field.type)
        there = found.counts > 0
        if not is_list and (found.counts <= 1).all() and not (samples == 1).all():
            taken = np.repeat(np.arange(len(samples)), samples)
            return _single(there, found, field.type).take(pa.array(taken))
        width = self._layout.shapes.get(name, 1) if is_list else 1
        self._require(found.counts, np.where(there, samples * width, 0), name, "values")
        if is_list:
            widths = np.repeat(np.where(there, width, 0), samples)
            return _lists(widths, found, field.type.value_type)
        return _single(np.repeat(there, samples), found, field.type)

    def _require(self, counts: Places, expected: Places | None, name: str, what: str) -> None:
        wrong = np.flatnonzero(counts != expected)
        if len(wrong):
            assert expected is not None
            at = int(wrong[0])
            where = f"{self._examples.place(at)}, column {name!r}"
            hint = "" if name in self._layout.shapes else _TOLD_BY
            raise DataError(where, f"found {counts[at]} {what}", str(expected[at]), hint)

    def _require_width(self, name: str, counts: Places) -> None:
        width = self._layout.shapes.get(name)
        if width is not None:
            self._require(counts, np.where(counts == 0, 0, width), name, "values")

    def _require_range(self, name: str, found: Values, owner: Places) -> None:
        limit = self._layout.limits.get(name)
        if limit is None or found.items is None or not len(found.items):
            return
        indices = found.items.to_numpy()
        if indices.min() >= 0 and indices.max() < limit:
            return
        wrong = int(np.argmax((indices < 0) | (indices >= limit)))
        feature = int(np.searchsorted(np.cumsum(found.counts), wrong, side="right"))
        where = f"{self._examples.place(int(owner[feature]))}, column {name!r}"
        expected = f"from 0 to {limit - 1}, as the tensor metadata has it"
        raise DataError(where, f"found index {indices[wrong]}", expected)


def _told(field: pa.Field, schema: pa.Schema) -> pa.Field:
    """Return a column as what is asked for has it, where the first records tell nothing."""
    return schema.field(field.name) if is_vague(field.type) else field


def _items(found: Values, kind: pa.DataType) -> pa.Array:
    return pa.nulls(0, kind) if found.items is None else found.items


def _single(there: NDArray[np.bool_], found: Values, kind: pa.DataType) -> pa.Array:
    """Return a value for each row where it is there, null elsewhere."""
    if found.items is None:
        return pa.nulls(len(there), kind)
    if there.all():
        return found.items
    return found.items.take(pa.array(np.cumsum(there) - 1, mask=~there))


def _lists(counts: Places, found: Values, kind: pa.DataType) -> pa.Array:
    pointers = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=pointers[1:])
    return pa.ListArray.from_arrays(pa.array(pointers), _items(found, kind))


def _layout(path: Path, metadata: Path | None) -> _Layout:
    records = next(read_records(path, _HEAD_BYTES), None)
    found = metadata or find_metadata(path)
    tensors = [] if found is None else read_metadata(found)
    if records is None:
        return _of_tensors(tensors, (), None)
    examples = Examples(path, records)
    listed = tuple(examples.names(LISTS))
    known = {*examples.names(EXAMPLE), *listed}
    names = {field.name for tensor in tensors for field in tensor.fields()}
    # a column may be missing in the first records, or be no one's business: not both
    is_of_others = not (names <= known or known <= names)
    if found is None or (metadata is None and is_of_others):
        return _inferred(examples, listed)
    single = [t.name for t in tensors if not t.shape and not t.sparse]
    measure = listed[0] if listed else _repeated(examples, single)
    return _of_tensors(tensors, listed, measure)


def _of_tensors(tensors: list[Tensor], listed: tuple[str, ...], measure: str | None) -> _Layout:
    fields = {field.name: field for tensor in tensors for field in tensor.fields()}
    shapes = {
        t.name: int(np.prod(t.shape))
        for t in tensors
        if t.shape and not t.sparse and min(t.shape) > 0
    }
    limits = {f"{t.name}_indices": t.shape[0] for t in tensors if t.sparse and t.shape[0] > 0}
    return _Layout(fields, shapes, limits, listed, measure, {})


def _repeated(examples: Examples, names: list[str]) -> str | None:
    """Return a column of single values of which some record has several: the file is grouped."""
    for name, spans in zip(names, examples.spans(names, EXAMPLE), strict=True):
        counts, kinds = np.empty(len(spans), np.int64), np.empty(len(spans), np.int8)
        examples.count(spans, name, counts, kinds)
        if (counts > 1).any():
            return name
    return None


def _inferred(examples: Examples, listed: tuple[str, ...]) -> _Layout:
    """Tell the columns by the first records: one that always has one value holds single values."""
    fields: dict[str, pa.Field] = {}
    names = examples.names(EXAMPLE)
    counted: dict[str, NDArray[np.int64]] = {}
    shown = {name: _shown(name, names) for name in names}
    stored = {ours: theirs for theirs, ours in shown.items() if ours != theirs}
    for name, spans in zip(shown.values(), examples.spans(names, EXAMPLE), strict=True):
        counts, kinds = np.empty(len(spans), np.int64), np.empty(len(spans), np.int8)
        examples.count(spans, name, counts, kinds)
        kind = _NUMBERS.get(int(kinds.max()), pa.null())
        single = bool(listed) or ((counts == 1) | (spans[:, 0] < 0)).all()
        fields[name] = pa.field(
            name, kind if single and not _is_half(name, shown) else pa.list_(kind)
        )
        counted[name] = counts
    for name, spans in zip(listed, examples.spans(list(listed), LISTS), strict=True):
        items, _ = examples.items(spans, name)
        counts, kinds = np.empty(len(items), np.int64), np.empty(len(items), np.int8)
        examples.count(items, name, counts, kinds)
        kind = _NUMBERS.get(int(kinds.max()) if len(kinds) else 0, pa.null())
        fields[name] = pa.field(name, pa.list_(kind))
    return _Layout(fields, {}, {}, listed, listed[0] if listed else None, stored)


def _shown(name: str, names: list[str]) -> str:
    """Return what a column is called here: DeText's ``x_indices0`` is ``x_indices``."""
    base = name.removesuffix("_indices0")
    others = (f"{base}_indices", f"{base}_indices1")
    is_theirs = base != name and f"{base}_values" in names
    return f"{base}_indices" if is_theirs and not any(o in names for o in others) else name


def _is_half(name: str, shown: dict[str, str]) -> bool:
    """Whether a column is one of the two of a sparse tensor."""
    for mine, other in (("_indices", "_values"), ("_values", "_indices")):
        if name.endswith(mine) and name.removesuffix(mine) + other in shown.values():
            return True
    return False
