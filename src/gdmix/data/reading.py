"""Source → `Dataset` and `FeatureIndex`, in one streamed pass.

Each batch becomes rows of the data set that comes out and is then dropped, so what is held while
the pass goes on is about the size of that data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.ahead import ahead
from gdmix.data.classes import numbered, require_sense
from gdmix.data.dataset import Dataset, EntityColumn
from gdmix.data.decoded import DecodedBatch, Decoding
from gdmix.data.index import FeatureIndex, Terms
from gdmix.data.layout import Layout
from gdmix.data.shard import Shard
from gdmix.data.source import Source
from gdmix.data.validation import require_unique

Indexes = Mapping[str, FeatureIndex]


def read(
    source: Source,
    layout: Layout,
    indexes: Indexes | None = None,
    *,
    label: bool = True,
    earlier: Indexes | None = None,
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
    earlier : mapping of shard to FeatureIndex, optional
        Features that an index built here begins with, whether this data has them or not.

    Raises
    ------
    DataError
        A column is missing or of a wrong type, or a value is out of its range.
    """
    known = earlier if indexes is None else indexes
    shards = {shard: Shard(None if indexes is None else indexes[shard]) for shard in layout.shards}
    decoding = Decoding(source, layout, label=label, indexes=known)
    batches = _gather(decoding, layout, shards)
    if indexes is None:
        indexes = {shard: rows.features() for shard, rows in shards.items()}
        for shard, index in (earlier or {}).items():
            indexes[shard] = index.extended(indexes[shard])
        if layout.classes is not None:
            require_sense(layout.classes, indexes[layout.classes.shard], source.name)
    dataset = _dataset(batches, layout, shards, indexes)
    if layout.columns.unique_uid and layout.columns.uid is not None:
        require_unique(dataset.uid, layout.columns.uid, [batch.place for batch in batches])
    return dataset, indexes


class Part(NamedTuple):
    """Some of the rows of a source, read apart from the others.

    Attributes
    ----------
    rows : Dataset
    indexes : dict of shard to FeatureIndex
        Features as the rows number them.
    terms : dict of shard to list of Terms
        What each column of a shard held; empty where the features were known before.
    least : set of float
        Which of -1 and 0 the labels held, where there are two classes.
    """

    rows: Dataset
    indexes: Indexes
    terms: dict[str, list[Terms]]
    least: set[float]


def read_part(
    source: Source, layout: Layout, indexes: Indexes | None, earlier: Indexes | None
) -> Part:
    """Read some of the rows of a data set as `read` does, with features of their own."""
    known = earlier if indexes is None else indexes
    shards = {shard: Shard(None if indexes is None else indexes[shard]) for shard in layout.shards}
    decoding = Decoding(source, layout, label=True, indexes=known)
    batches = _gather(decoding, layout, shards)
    terms: dict[str, list[Terms]] = {}
    own = indexes
    if own is None:
        own = {shard: rows.features() for shard, rows in shards.items()}
        terms = {shard: rows.terms() for shard, rows in shards.items()}
    return Part(_dataset(batches, layout, shards, own), own, terms, decoding.least)


def _gather(decoding: Decoding, layout: Layout, shards: Mapping[str, Shard]) -> list[DecodedBatch]:
    """Take the features of all batches into shards, and return what else they hold."""
    batches: list[DecodedBatch] = []
    with ThreadPoolExecutor(max(1, len(shards))) as pool:

        def add(batch: DecodedBatch, shard: str) -> None:
            pieces = [batch.pieces[feature] for feature in layout.shards[shard]]
            shards[shard].add(batch.rows, pieces)

        for batch in ahead(decoding.batches()):
            list(pool.map(partial(add, batch), shards))
            batches.append(batch._replace(pieces={}))
    return batches


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
        shards = {shard: Shard(indexes[shard]) for shard in layout.shards}
        for shard, features in layout.shards.items():
            shards[shard].add(batch.rows, [batch.pieces[feature] for feature in features])
        yield _dataset([batch], layout, shards, indexes)


def _dataset(
    batches: Sequence[DecodedBatch],
    layout: Layout,
    shards: Mapping[str, Shard],
    indexes: Indexes,
) -> Dataset:
    rows = {shard: part.finish(indexes[shard]) for shard, part in shards.items()}
    label, has_label = _numbers(batches, "label", 0.0), "label" in batches[0].numbers
    kept = dict(rows)
    if layout.classes is not None:
        csr, _ = kept.pop(layout.classes.shard)
        label, has_label = numbered(csr, single=layout.classes.single), True
    uids = None
    if batches[0].uid is not None:
        uids = pa.chunked_array([batch.uid for batch in batches])
    return Dataset(
        rows=sum(batch.rows for batch in batches),
        label=label,
        weight=_numbers(batches, "weight", 1.0),
        offset=_numbers(batches, "offset", 0.0),
        has_label=has_label,
        uid=uids,
        entities={name: unified([b.entities[name] for b in batches]) for name in layout.entities},
        shards={shard: csr for shard, (csr, _) in kept.items()},
        unseen={shard: dropped for shard, (_, dropped) in rows.items()},
        texts={
            name: pa.chunked_array([batch.texts[name] for batch in batches], pa.string())
            for name in layout.texts
        },
    )


def _numbers(batches: Sequence[DecodedBatch], role: str, default: float) -> NDArray[np.float64]:
    if role not in batches[0].numbers:
        return np.full(sum(batch.rows for batch in batches), default)
    return np.concatenate([batch.numbers[role] for batch in batches])


def unified(chunks: Sequence[pa.DictionaryArray]) -> EntityColumn:
    """Return ids of all chunks, sorted, and every row's position in them."""
    column = pa.chunked_array(chunks).unify_dictionaries()
    ids = column.chunk(0).dictionary
    order = pc.array_sort_indices(ids)
    position = np.empty(len(ids), np.int32)
    position[order.to_numpy(zero_copy_only=False)] = np.arange(len(ids), dtype=np.int32)
    codes = np.concatenate(
        [chunk.indices.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    )
    return EntityColumn(ids.take(order), position[codes])
