"""One record batch decoded: checked numbers, coded ids, and pieces of features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data import validation
from gdmix.data.decode import Decoder, Piece, columns_of, decoder_of
from gdmix.data.layout import Layout
from gdmix.data.source import Batch, Source, require_columns
from gdmix.schema import Feature


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
    """

    rows: int
    numbers: dict[str, NDArray[np.float64]]
    uid: pa.Array | None
    entities: dict[str, pa.DictionaryArray]
    pieces: dict[Feature, Piece]


class Decoding:
    """How the columns of one source are read for a layout.

    Parameters
    ----------
    source : Source
    layout : Layout
    label : bool
        Whether the label column must be there.

    Raises
    ------
    DataError
        A column is missing, or of a type that cannot serve.
    """

    def __init__(self, source: Source, layout: Layout, *, label: bool) -> None:
        self._source = source
        self._layout = layout
        self._roles = layout.roles(label=label)
        entities = {option: column for column, option in layout.entities.items()}
        require_columns(source, {**self._roles, **entities})
        self._columns: dict[Feature, tuple[str, ...]] = {}
        self._decoders: dict[Feature, Decoder] = {}
        for feature in layout.features:
            option = layout.options.get(feature, "features")
            names = columns_of(feature, source.schema, option, source.name)
            types = [source.schema.field(name).type for name in names]
            place = f"{option}: {source.name}, column {feature.column!r}"
            self._columns[feature] = names
            self._decoders[feature] = decoder_of(feature, types, place)

    def batches(self) -> Iterator[DecodedBatch]:
        """Read, check and decode the source, a batch at a time."""
        names = [name for columns in self._columns.values() for name in columns]
        names += [*self._roles.values(), *self._layout.entities]
        as_written = {f.column for f in self._columns if f.kind == "categorical"}
        as_written |= {*self._layout.entities, self._roles.get("uid", "")}
        floats = frozenset(names) - as_written
        for batch in self._source.batches(list(dict.fromkeys(names)), floats):
            yield self._decode(batch)

    def _decode(self, batch: Batch) -> DecodedBatch:
        columns, place = batch
        pieces = {}
        for feature, names in self._columns.items():
            arrays = [columns.column(name) for name in names]
            pieces[feature] = self._decoders[feature](arrays, feature, place)
        entities = {
            name: validation.entity_ids(columns.column(name), option, name, place)
            for name, option in self._layout.entities.items()
        }
        uid = columns.column(self._roles["uid"]) if "uid" in self._roles else None
        return DecodedBatch(columns.num_rows, self._numbers(batch), uid, entities, pieces)

    def _numbers(self, batch: Batch) -> dict[str, NDArray[np.float64]]:
        columns, place = batch
        numbers = {
            role: validation.numbers(columns.column(name), role, name, place)
            for role, name in self._roles.items()
            if role != "uid"
        }
        if "label" in numbers:
            column = self._roles["label"]
            validation.require_labels(numbers["label"], self._layout.labels, column, place)
        if "weight" in numbers:
            validation.require_weights(numbers["weight"], self._roles["weight"], place)
        return numbers
