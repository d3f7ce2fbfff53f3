"""One record batch decoded: checked numbers, coded ids, and pieces of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data import validation
from gdmix.data.arrowtypes import plain
from gdmix.data.classes import classes_decoder, require_known
from gdmix.data.decode import Decoder, columns_of, decoder_of
from gdmix.data.decode_lists import require_width
from gdmix.data.feature_lists import listed
from gdmix.data.fit import require_fit, width_of
from gdmix.data.index import FeatureIndex
from gdmix.data.layout import Layout
from gdmix.data.piece import Piece
from gdmix.data.place import Place
from gdmix.data.source import Batch, Source, require_columns
from gdmix.schema import Feature

_DEFAULTS = {"weight": 1.0, "offset": 0.0}


class DecodedBatch(NamedTuple):
    """What is kept of a record batch.

    Attributes
    ----------
    rows : int
    numbers : dict of role to float64[rows]
        ``label``, ``weight``, ``offset``, where the data has them.
    uid : pa.Array or None
    entities : dict of entity column to pa.DictionaryArray
    pieces : dict of Feature to Piece
    place : Place
    texts : dict of column to pa.StringArray
    """

    rows: int
    numbers: dict[str, NDArray[np.float64]]
    uid: pa.Array | None
    entities: dict[str, pa.DictionaryArray]
    pieces: dict[Feature, Piece]
    place: Place
    texts: dict[str, pa.StringArray] = {}  # noqa: RUF012 - never written to


class Decoding:
    """How the columns of one source are read for a layout.

    Parameters
    ----------
    source : Source
    layout : Layout
    label : bool
        Whether the label column must be there.
    indexes : mapping of shard to FeatureIndex, optional
        Known features, with which columns must agree in kind and width.

    Raises
    ------
    DataError
        A column is missing, or of a type that cannot serve.
    """

    def __init__(
        self,
        source: Source,
        layout: Layout,
        *,
        label: bool,
        check_labels: bool = True,
        indexes: Mapping[str, FeatureIndex] | None = None,
    ) -> None:
        self._source = source
        self._layout = layout
        self._roles = layout.roles(label=label)
        self._check_labels = check_labels
        self._classes: FeatureIndex | None = None
        self._least: set[float] = set()
        entities = {option: column for column, option in layout.entities.items()}
        require_columns(source, self._roles)
        require_columns(source, entities)
        for column, option in layout.texts.items():
            require_columns(source, {option: column})
        self._columns: dict[Feature, tuple[str, ...]] = {}
        self._decoders: dict[Feature, Decoder] = {}
        self._widths: dict[Feature, int] = {}
        for feature in layout.features:
            self._prepare(feature)
        for shard, index in (indexes or {}).items():
            if layout.classes is not None and shard == layout.classes.shard:
                self._classes = index
                continue
            for feature in layout.shards.get(shard, ()):
                require_fit(self._decoders[feature], feature, index, self._place_of(feature))
                if width := width_of(self._decoders[feature], feature, index):
                    self._widths[feature] = width
        self._trained = dict(self._widths)

    def _prepare(self, feature: Feature) -> None:
        source = self._source
        option = self._layout.options.get(feature, "features")
        names = columns_of(feature, source, option)
        require_columns(source, dict.fromkeys([option], names[0]))
        require_columns(source, dict.fromkeys([option], names[-1]))
        types = [source.type_of(name) for name in names]
        self._columns[feature] = names
        where, classes = self._place_of(feature), self._layout.classes
        if classes is not None and self._is_label(feature):
            decoder = classes_decoder(classes, types[0], where, strict=self._check_labels)
            self._decoders[feature] = decoder
            return
        self._decoders[feature] = decoder_of(feature, types, where)

    def _place_of(self, feature: Feature) -> str:
        option = self._layout.options.get(feature, "features")
        return f"{option}: {self._source.name}, column {feature.column!r}"

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        names = [name for columns in self._columns.values() for name in columns]
        names += [*self._roles.values(), *self._layout.entities, *self._layout.texts]
        return list(dict.fromkeys(names))

    @property
    def least(self) -> set[float]:
        """Which of -1 and 0 the labels held, as yet, where there are two classes."""
        return self._least

    def batches(self) -> Iterator[DecodedBatch]:
        """Read, check and decode the source, a batch at a time."""
        names = self.names
        as_written = {f.column for f in self._columns if f.kind == "categorical" or f.separator}
        as_written |= {*self._layout.entities, *self._layout.texts, self._roles.get("uid", "")}
        floats = frozenset(names) - as_written
        for batch in self._source.batches(names, floats):
            yield self._decode(batch)

    def _decode(self, batch: Batch) -> DecodedBatch:
        table, place = batch
        columns = {name: plain(table.column(name)) for name in table.schema.names}
        pieces = {}
        for feature, names in self._columns.items():
            arrays = [columns[name] for name in names]
            pieces[feature] = listed(
                self._decoders[feature](arrays, feature, place), feature, place
            )
            if pieces[feature].ordered and not self._is_label(feature):
                self._require_width(feature, pieces[feature], place)
        self._require_classes(pieces, place)
        entities = {
            name: validation.entity_ids(columns[name], option, name, place)
            for name, option in self._layout.entities.items()
        }
        uid = None
        if "uid" in self._roles:
            name = self._roles["uid"]
            uid = validation.uids(
                columns[name], name, place, unique=self._layout.columns.unique_uid
            )
        numbers = self._numbers(columns, place)
        texts = {
            name: validation.text(columns[name], option, name, place)
            for name, option in self._layout.texts.items()
        }
        return DecodedBatch(table.num_rows, numbers, uid, entities, pieces, place, texts)

    def _numbers(
        self, columns: dict[str, pa.Array], place: Place
    ) -> dict[str, NDArray[np.float64]]:
        numbers = {}
        for role, default in _DEFAULTS.items():
            if role in self._roles:
                name = self._roles[role]
                array = columns[name]
                if self._layout.columns.null_defaults:
                    array = validation.without_nulls(array, default)
                numbers[role] = validation.numbers(array, role, name, place)
        if "label" in self._roles:
            numbers["label"] = self._labels(columns[self._roles["label"]], place)
        if "weight" in numbers:
            validation.require_weights(numbers["weight"], self._roles["weight"], place)
        return numbers

    def _labels(self, array: pa.Array, place: Place) -> NDArray[np.float64]:
        column = self._roles["label"]
        above = self._layout.columns.positive_above
        binary = self._layout.labels == "binary"
        if not self._check_labels:
            labels = validation.known_numbers(array, "label", column, place)
            if above is not None:
                return validation.split_at(labels, above)
            return np.where(labels == -1.0, 0.0, labels) if binary else labels
        labels = validation.numbers(array, "label", column, place)
        if above is not None:
            labels = validation.split_at(labels, above)
        allowed = self._layout.labels, self._layout.labels_of
        if binary:
            labels = validation.from_zero(labels, self._least, allowed[1], column, place)
        validation.require_labels(labels, *allowed, column, place)
        return labels

    def _is_label(self, feature: Feature) -> bool:
        classes = self._layout.classes
        return classes is not None and feature == classes.feature

    def _require_classes(self, pieces: Mapping[Feature, Piece], place: Place) -> None:
        """Refuse a class that training did not know, where each row must have one."""
        classes = self._layout.classes
        if classes is None or not classes.single or self._classes is None or not self._check_labels:
            return
        require_known(pieces[classes.feature], self._classes, place, classes.feature.column)

    def _require_width(self, feature: Feature, piece: Piece, place: Place) -> None:
        """Hold a dense block to one width in all batches, and to that of the training data."""
        if piece.lengths is None or not len(piece.keys):
            return
        width = self._widths.setdefault(feature, len(piece.keys))
        why = "as in training" if feature in self._trained else "as in the rows before it"
        require_width(piece.lengths, width, why, place, feature.column)
