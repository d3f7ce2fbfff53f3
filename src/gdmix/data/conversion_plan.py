"""How each column of a conversion is made: kept, numbered, named, or shortened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.types as pat

from gdmix.data import bridges
from gdmix.data.agreement import widest
from gdmix.data.arrowtypes import is_list, is_number, is_string, plain_type
from gdmix.data.conversion import (
    Arrays,
    Conversion,
    Make,
    Part,
    Wish,
    is_bag,
    is_sparse,
    of_floats,
)
from gdmix.data.decode import columns_of, decode_number, feature_names
from gdmix.data.decode_lists import decode_name_term_value
from gdmix.data.feature_lists import read_list
from gdmix.data.piece import Piece
from gdmix.data.place import Place
from gdmix.data.source import Batch, Source, require_columns
from gdmix.errors import ConfigError, DataError, did_you_mean
from gdmix.schema import Feature

_LABELS = ("label", "response")
_ROLES = ("uid", "weight", "offset")
_PAIR = (pa.list_(pa.int64()), pa.list_(pa.float32()))


def prepare(source: Source, target: str, wish: Wish) -> Conversion:
    """Decide how each column is made; features without numbers are found in a pass of their own.

    Parameters
    ----------
    source : Source
    target : {"parquet", "csv", "avro", "tfrecord", "libsvm"}
    wish : Wish

    Raises
    ------
    ConfigError, DataError
        A column is not there, or the format cannot hold it.
    """
    return _Planner(source, target, wish).plan()


class _Planner:
    """Makes the parts of a conversion."""

    def __init__(self, source: Source, target: str, wish: Wish) -> None:
        self._source, self._target, self._wish = source, target, wish
        self._unused = dict(wish.lists)
        self._lists: dict[str, pa.StringArray] = {}
        self._sizes: dict[str, int] = {}

    def plan(self) -> Conversion:
        names = list(self._wish.columns) or feature_names(self._source.schema.names)
        if not names:
            raise DataError(self._source.name, "there are no columns")
        reads = {name: self._columns(name) for name in names}
        parts = self._libsvm(reads) if self._target == "libsvm" else self._others(reads)
        if self._unused:
            given = next(iter(self._unused.items()))
            found = (
                f"no column of {self._source.name} takes the list {'='.join(filter(None, given))}"
            )
            raise ConfigError("--feature-list", found, hint=did_you_mean(given[0], names))
        return Conversion(self._source, parts, self._lists, self._sizes)

    def _columns(self, name: str) -> tuple[str, ...]:
        found = columns_of(Feature(column=name), self._source, "--columns")
        require_columns(self._source, {"--columns": found[0]})
        require_columns(self._source, {"--columns": found[-1]})
        return found

    def _kind(self, name: str) -> pa.DataType:
        return widest(self._source.type_of(name), as_float=False)

    def _others(self, reads: dict[str, tuple[str, ...]]) -> list[Part]:
        return [self._part(name, columns) for name, columns in reads.items()]

    def _part(self, name: str, columns: tuple[str, ...]) -> Part:
        kinds = [self._kind(column) for column in columns]
        tensors = self._target == "tfrecord"
        if is_bag(kinds) and tensors:
            keys = self._keys(name, {name: columns})
            return self._pair(name, columns, partial(self._coded, [name], keys))
        if is_sparse(kinds):
            make = partial(_sparse, name)
            if tensors:
                return self._pair(name, columns, make)
            if (path := self._list_of(name)) is not None:
                keys = read_list(path)
                named = partial(_named, name, make, keys)
                return Part(columns, [pa.field(name, bridges.BAG)], named)
        fields = [pa.field(*item) for item in zip(columns, kinds, strict=True)]
        if tensors:
            fields = [pa.field(item.name, self._tensor_type(item)) for item in fields]
        elif self._target == "avro":
            # which has no numbers from 2**63
            fields = [f.with_type(pa.int64()) if f.type == pa.uint64() else f for f in fields]
        return Part(columns, fields, partial(self._kept, fields))

    def _pair(self, name: str, columns: tuple[str, ...], make: Make) -> Part:
        """Return sparse features as two columns, the values in 32 bits."""
        fields = [
            pa.field(f"{name}_{part}", kind)
            for part, kind in zip(("indices", "values"), _PAIR, strict=True)
        ]

        def both(arrays: Arrays, place: Place) -> Arrays:
            (made,) = make(arrays, place)
            values = made.field("values")
            short = bridges.rounded(values, place, name, lossy=self._wish.lossy)
            return [made.field("indices"), short]

        return Part(columns, fields, both)

    def _tensor_type(self, item: pa.Field) -> pa.DataType:
        """Return the type that a tensor has for a column; the writer refuses others."""
        many = is_list(item.type)
        kind = plain_type(item.type.value_type) if many else item.type
        if pat.is_null(kind):
            where = f"{self._source.name}, column {item.name!r}"
            hint = "leave it out: --columns"
            raise DataError(where, "holds nothing that tells its type", hint=hint)
        if of_floats(kind):
            kind = pa.float32()
        elif pat.is_integer(kind) or pat.is_boolean(kind):
            kind = pa.int64()
        elif is_string(kind):
            kind = pa.string()
        return pa.list_(kind) if many else kind

    def _kept(self, fields: list[pa.Field], arrays: Arrays, place: Place) -> Arrays:
        """Return columns as they are, held to what the format can hold."""
        kept = []
        for item, given in zip(fields, arrays, strict=True):
            array = given
            if self._target in ("tfrecord", "avro"):
                bridges.require_no_null_items(array, place, item.name)
            if self._target == "tfrecord" and of_floats(item.type):
                array = bridges.rounded(array, place, item.name, lossy=self._wish.lossy)
            if self._target == "csv" and is_string(item.type) and not self._wish.lossy:
                bridges.require_known_text(array, place, item.name)
            try:
                kept.append(array if array.type == item.type else array.cast(item.type))
            except pa.ArrowException as error:
                where = place.column(item.name)
                raise DataError(where, f"cannot be read as {item.type} ({error})") from None
        return kept

    def _libsvm(self, reads: dict[str, tuple[str, ...]]) -> list[Part]:
        label = self._role("label", reads, self._wish.label, _LABELS)
        qid = self._role("qid", reads, self._wish.qid, ("qid",))
        if label is None:
            expected = f"one named {' or '.join(_LABELS)}"
            raise ConfigError("--label", "found no column of labels", expected, "name it: --label")
        parts = [self._single("label", label, pa.float64())]
        if qid is not None:
            parts.append(self._single("qid", qid, pa.int64()))
        rest = {name: columns for name, columns in reads.items() if name not in (label, qid)}
        parts.append(self._features(rest))
        return parts

    def _role(
        self, role: str, reads: Mapping[str, object], given: str | None, usual: Sequence[str]
    ) -> str | None:
        if given is None:
            return next((name for name in usual if name in reads), None)
        if given not in reads:
            hint = did_you_mean(given, list(reads))
            raise ConfigError(f"--{role}", f"found {given!r}", "one of the columns", hint)
        return given

    def _single(self, role: str, column: str, kind: pa.DataType) -> Part:
        found = self._kind(column)
        whole = kind == pa.int64()
        if not (pat.is_integer(found) if whole else is_number(found) or pat.is_boolean(found)):
            where = f"{self._source.name}, column {column!r}"
            expected = "whole numbers" if whole else "numbers"
            raise DataError(where, f"found type {found} for the {role}", expected)
        fields = [pa.field(role, kind)]
        return Part((column,), fields, partial(self._kept, fields))

    def _features(self, rest: dict[str, tuple[str, ...]]) -> Part:
        """Return the features of libsvm: indices as they are, or names and numbers by a list."""
        kinds = {name: [self._kind(c) for c in columns] for name, columns in rest.items()}
        fields = [pa.field("features", bridges.SPARSE)]
        indexed = [name for name, kind in kinds.items() if is_sparse(kind)]
        if indexed and len(rest) == 1:
            return Part(rest[indexed[0]], fields, partial(_sparse, indexed[0]))
        wrong = [
            name
            for name, kind in kinds.items()
            if name in indexed or not (is_bag(kind) or is_number(kind[0])) or self._is_role(name)
        ]
        if wrong or not rest:
            found = (
                f"cannot hold {', '.join(map(repr, wrong))} with the rest"
                if wrong
                else "has no features"
            )
            raise DataError(
                self._source.name,
                f"libsvm {found}",
                "a label, perhaps a qid, and either one column of indices and values, or "
                "name-term-value and numbers",
                "choose columns: --columns",
            )
        keys = self._keys("features", rest)
        columns = tuple(name for names in rest.values() for name in names)
        return Part(columns, fields, partial(self._coded, list(rest), keys))

    def _is_role(self, name: str) -> bool:
        """Tell whether a column that nobody asked for is something else than a feature."""
        return not self._wish.columns and (name in _ROLES or name.endswith(("_id", "Id")))

    def _keys(self, name: str, rest: dict[str, tuple[str, ...]]) -> pa.StringArray:
        """Return the features that are to be numbered: of a list, or all that the data has."""
        path = self._list_of(name)
        if path is not None:
            keys = read_list(path)
        else:
            found: set[str] = set()
            columns = [column for names in rest.values() for column in names]
            for batch in self._source.batches(columns, frozenset()):
                for piece in _pieces(list(rest), batch):
                    found.update(piece.keys.to_pylist())
            keys = self._lists[name] = pa.array(sorted(found), pa.string())
        self._sizes[name] = len(keys)
        return keys

    def _coded(
        self, names: list[str], keys: pa.StringArray, arrays: Arrays, place: Place
    ) -> Arrays:
        batch = Batch(pa.RecordBatch.from_arrays(arrays, names=names), place)
        pieces = _pieces(names, batch)
        rows = len(arrays[0])
        return [bridges.coded(pieces, rows, keys, place, drop=self._wish.lossy)]

    def _list_of(self, name: str) -> str | None:
        return self._unused.pop(name, None) or self._unused.pop("", None)


def _pieces(names: list[str], batch: Batch) -> list[Piece]:
    pieces = []
    for name in names:
        array = batch.columns.column(name)
        decode = decode_name_term_value if is_list(array.type) else decode_number
        pieces.append(decode([array], Feature(column=name), batch.place))
    return pieces


def _sparse(name: str, arrays: Arrays, place: Place) -> Arrays:
    return [bridges.sparse(arrays, place, name)]


def _named(name: str, make: Make, keys: pa.StringArray, arrays: Arrays, place: Place) -> Arrays:
    (features,) = make(arrays, place)
    return [bridges.bag(features, keys, place, name)]
