"""Records that are ``tf.train.Example`` or ``SequenceExample``, decoded into Arrow columns."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.formats import examples_values as stored
from gdmix.data.formats import examples_wire as wire
from gdmix.data.formats.tfrecord_frames import Records
from gdmix.errors import DataError

Places = NDArray[np.int64]
Spans = NDArray[np.int64]

EXAMPLE, LISTS = 1, 2
"""Sections of a record: features of an example or of its context; feature lists."""

_LOOKED_AT = 1000
_LOOKED_AT_NAMES = 1 << 18
_KINDS = {wire.BYTES: "bytes", wire.FLOATS: "floats", wire.INTEGERS: "integers"}


class Values(NamedTuple):
    """The values that one name has in each of some features.

    Attributes
    ----------
    counts : int64[features]
    items : pa.Array or None
        All values, one after the other; None where there are none.
    """

    counts: Places
    items: pa.Array | None


class Examples:
    """Some records of a file, and where their named features lie.

    Raises
    ------
    DataError
        A record is no example; names the record and the byte.
    """

    def __init__(self, path: Path, records: Records) -> None:
        self._path, self._records = path, records
        self.rows = len(records.starts)

    def place(self, record: int) -> str:
        """Say which record of which file it is."""
        return f"{self._path}, record {self._records.first + record + 1}"

    def names(self, section: int) -> list[str]:
        """Return the names of features of the first records, in the order of their appearance."""
        data, starts, ends, _, _ = self._records
        room = np.empty((_LOOKED_AT_NAMES, 3), np.int64)
        count, broken, at = wire.find_names(data, starts[:_LOOKED_AT], ends[:_LOOKED_AT], room)
        self._require_example(broken, at)
        mine = room[:count][room[:count, 2] == section]
        seen = dict.fromkeys(data[begin:end].tobytes() for begin, end in mine[:, :2].tolist())
        try:
            return [name.decode() for name in seen]
        except UnicodeDecodeError as error:
            found = f"found the name {error.object!r} of a feature"
            where = f"{self.place(0)} or one after it"
            raise DataError(where, found, "text in UTF-8", "write the file again") from None

    def spans(self, names: list[str], section: int) -> Spans:
        """Return where each name's value lies, int64[names, records, 2]; -1 where it is not."""
        encoded = [name.encode() for name in names]
        letters = np.frombuffer(b"".join(encoded), np.uint8)
        name_ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        out = np.full((len(names), self.rows, 2), -1, np.int64)
        if names:
            data, starts, ends, _, _ = self._records
            self._require_example(
                *wire.locate(data, starts, ends, letters, name_ends, section, out)
            )
        return out

    def _require_example(self, broken: int, at: int) -> None:
        if broken >= 0:
            raise DataError(
                f"{self.place(broken)}, byte {self._records.offset + at}",
                "this is no tf.train.Example",
                hint="were other things written to this TFRecord file?",
            )

    def items(self, spans: Spans, name: str) -> tuple[Spans, Places]:
        """Return where the items of feature lists lie, and how many each record has."""
        pointers = np.zeros(len(spans) + 1, np.int64)
        room = np.empty((0, 2), np.int64)
        for _ in range(2):
            broken = wire.find_items(self._records.data, spans, pointers, room)
            if broken >= 0:
                raise self._broken(broken, name)
            if len(room) < pointers[-1]:
                room = np.empty((int(pointers[-1]), 2), np.int64)
        return room, np.diff(pointers)

    def count(self, spans: Spans, name: str, counts: Places, kinds: NDArray[np.int8]) -> None:
        """Write how many values each feature holds, and of which kind."""
        broken = stored.count_values(self._records.data, spans, counts, kinds)
        if broken >= 0:
            raise self._broken(broken, name)

    def values(
        self, spans: Spans, kind: pa.DataType, name: str, record: Places | None = None
    ) -> Values:
        """Decode the values of one name.

        Parameters
        ----------
        spans : int64[features, 2]
        kind : pa.DataType
            What a value is to be.
        name : str
            For messages.
        record : int64[features], optional
            The record of each feature; each has one by default.

        Raises
        ------
        DataError
            A feature is broken, or holds what is not of this kind.
        """
        owner = np.arange(len(spans)) if record is None else record
        counts = np.empty(len(spans), np.int64)
        kinds = np.empty(len(spans), np.int8)
        broken = stored.count_values(self._records.data, spans, counts, kinds)
        if broken >= 0:
            raise self._broken(int(owner[broken]), name)
        found = self._one_kind(kinds, kind, name, owner)
        items = (
            None if found == wire.NONE else self._decode(spans, counts, found, kind, name, owner)
        )
        return Values(counts, items)

    def _one_kind(
        self, kinds: NDArray[np.int8], kind: pa.DataType, name: str, owner: Places
    ) -> int:
        text = pat.is_string(kind) or pat.is_binary(kind)
        there = np.flatnonzero(kinds != wire.NONE)
        if not len(there):
            return wire.NONE
        first = int(kinds[there[0]])
        wrong = (
            there
            if pat.is_null(kind) or text != (first == wire.BYTES)
            else there[kinds[there] != first]
        )
        if not len(wrong):
            return first
        raise DataError(
            f"{self.place(int(owner[wrong[0]]))}, column {name!r}",
            f"found {_KINDS[int(kinds[wrong[0]])]}",
            f"{kind}, as in the metadata or the records before it",
            "tensor metadata tells what the first records do not" if pat.is_null(kind) else "",
        )

    def _decode(
        self,
        spans: Spans,
        counts: Places,
        found: int,
        kind: pa.DataType,
        name: str,
        owner: Places,
    ) -> pa.Array:
        data, total = self._records.data, int(counts.sum())
        if found == wire.INTEGERS:
            whole = np.empty(total, np.int64)
            long = stored.fill_integers(data, spans, whole)
            if long >= 0:
                raise self._broken(int(owner[long]), name)
            return pa.array(whole).cast(kind, safe=False)
        if found == wire.FLOATS:
            bits = np.empty(4 * total, np.uint8)
            stored.fill_floats(data, spans, bits)
            return self._as_numbers(pa.array(bits.view("<f4")), kind, name)
        ends = np.zeros(total + 1, np.int64)
        length = stored.fill_texts(data, spans, ends[1:], np.empty(0, np.uint8), True)
        letters = np.empty(length, np.uint8)
        stored.fill_texts(data, spans, ends[1:], letters, False)
        large = pa.large_string() if pat.is_string(kind) else pa.large_binary()
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(letters)]
        texts = pa.Array.from_buffers(large, total, buffers)
        try:
            texts.validate(full=True)
        except pa.ArrowInvalid:
            where = f"{self.place(0)} or one of the {self.rows - 1} after it, column {name!r}"
            raise DataError(where, "the text is not UTF-8", "UTF-8") from None
        return texts.cast(kind)

    def _as_numbers(self, numbers: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
        try:
            return numbers.cast(kind, safe=not pat.is_floating(kind))
        except pa.ArrowInvalid as error:
            where = f"{self.place(0)} or one of the {self.rows - 1} after it, column {name!r}"
            raise DataError(where, f"found floats that are not whole ({error})", "int") from None

    def _broken(self, record: int, name: str) -> DataError:
        hint = "write the file again"
        return DataError(
            f"{self.place(record)}, column {name!r}", "the feature is broken", "", hint
        )
