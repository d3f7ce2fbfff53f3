"""Source → `Dataset` and `FeatureIndex`, in one streamed pass.

Strings become codes batch by batch, so what is held while the pass goes on is about the size
of the data set that comes out; each batch is dropped as soon as its rows have their place there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset, EntityColumn
from gdmix.data.decoded import DecodedBatch, Decoding
from gdmix.data.encode import Assembly, Coded, Positions, coded
from gdmix.data.index import FeatureIndex, Terms
from gdmix.data.layout import Layout
from gdmix.data.source import Source
from gdmix.data.validation import require_unique
from gdmix.data.vocabulary import Vocabulary
from gdmix.schema import Feature

Indexes = Mapping[str, FeatureIndex]
Columns = dict[Feature, Coded]


def read(
    source: Source, layout: Layout, indexes: Indexes | None = None, *, label: bool = True
) -> tuple[Dataset, Indexes]:
    """Read all rows into memory.

    Parameters
    ----------
    source : Source
        The data.
    layout : Layout
        What to read.
    indexes : mapping of shard to FeatureIndex, optional
        Known features; built from this data when absent.
    label : bool
        Whether the label column must be there.

    Raises
    ------
    DataError
        A column is missing or of a wrong type, or a value is out of its range.
    """
    decoding = Decoding(source, layout, label=label, indexes=indexes)
    vocabularies = {feature: Vocabulary() for feature in layout.features}
    ordered: set[Feature] = set()
    batches: list[DecodedBatch] = []
    columns: deque[Columns] = deque()
    for batch in decoding.batches():
        ordered |= {feature for feature, piece in batch.pieces.items() if piece.ordered}
        columns.append({f: coded(p, vocabularies[f].add(p.keys)) for f, p in batch.pieces.items()})
        batches.append(batch._replace(pieces={}))
    terms = {f: Terms(known.keys(), f in ordered) for f, known in vocabularies.items()}
    del vocabularies
    found: dict[str, Sequence[Positions]] = {}
    if indexes is None:
        indexes = {}
        for shard, features in layout.shards.items():
            mine = [terms[feature] for feature in features]
            indexes[shard], found[shard] = FeatureIndex.build(mine)
    else:
        for shard, features in layout.shards.items():
            find = indexes[shard].positions
            found[shard] = [find(terms[feature].keys) for feature in features]
    shards, unseen = _rows(columns, batches, layout, indexes, found)
    dataset = _dataset(batches, layout, shards, unseen)
    if layout.columns.unique_uid and layout.columns.uid is not None:
        require_unique(dataset.uid, layout.columns.uid, [batch.place for batch in batches])
    return dataset, indexes


def read_stream(
    source: Source, layout: Layout, indexes: Indexes, *, label: bool = False
) -> Iterator[Dataset]:
    """Yield the rows batch by batch, with known features: bounded memory for scoring.

    Labels, where `label` asks for them, are carried along: what is missing is NaN.

    Raises
    ------
    DataError
        As `read` does.
    """
    decoding = Decoding(source, layout, label=label, check_labels=False, indexes=indexes)
    for batch in decoding.batches():
        pieces = batch.pieces
        found = {
            shard: [indexes[shard].positions(pieces[feature].keys) for feature in features]
            for shard, features in layout.shards.items()
        }
        columns = deque([{f: coded(p, np.arange(len(p.keys))) for f, p in pieces.items()}])
        yield _dataset([batch], layout, *_rows(columns, [batch], layout, indexes, found))


def _rows(
    columns: deque[Columns],
    batches: Sequence[DecodedBatch],
    layout: Layout,
    indexes: Indexes,
    found: Mapping[str, Sequence[Positions]],
) -> tuple[dict[str, Csr], dict[str, int]]:
    """Put the rows of all batches under each other, emptying `columns`.

    `found` tells where the terms of a shard's columns lie in its index.
    """
    rows = sum(batch.rows for batch in batches)
    shards: dict[str, Assembly] = {}
    for shard, features in layout.shards.items():
        most = sum(len(batch[feature].codes) for batch in columns for feature in features)
        shards[shard] = Assembly(rows, most, len(indexes[shard]))
    for batch in batches:
        mine = columns.popleft()
        for shard, features in layout.shards.items():
            shards[shard].add(
                batch.rows,
                [
                    mine[feature]._replace(positions=positions[mine[feature].positions])
                    for feature, positions in zip(features, found[shard], strict=True)
                ],
            )
    done = {shard: assembly.finish() for shard, assembly in shards.items()}
    return (
        {shard: csr for shard, (csr, _) in done.items()},
        {shard: dropped for shard, (_, dropped) in done.items()},
    )


def _dataset(
    batches: Sequence[DecodedBatch],
    layout: Layout,
    shards: dict[str, Csr],
    unseen: dict[str, int],
) -> Dataset:
    uids = None
    if batches[0].uid is not None:
        uids = pa.chunked_array([batch.uid for batch in batches])
    return Dataset(
        rows=sum(batch.rows for batch in batches),
        label=_numbers(batches, "label", 0.0),
        weight=_numbers(batches, "weight", 1.0),
        offset=_numbers(batches, "offset", 0.0),
        has_label="label" in batches[0].numbers,
        uid=uids,
        entities={name: _entities([b.entities[name] for b in batches]) for name in layout.entities},
        shards=shards,
        unseen=unseen,
    )


def _numbers(batches: Sequence[DecodedBatch], role: str, default: float) -> NDArray[np.float64]:
    if role not in batches[0].numbers:
        return np.full(sum(batch.rows for batch in batches), default)
    return np.concatenate([batch.numbers[role] for batch in batches])


def _entities(chunks: Sequence[pa.DictionaryArray]) -> EntityColumn:
    column = pa.chunked_array(chunks).unify_dictionaries()
    ids = column.chunk(0).dictionary
    order = pc.array_sort_indices(ids)
    position = np.empty(len(ids), np.int32)
    position[order.to_numpy(zero_copy_only=False)] = np.arange(len(ids), dtype=np.int32)
    codes = np.concatenate(
        [chunk.indices.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    )
    return EntityColumn(ids.take(order), position[codes])
