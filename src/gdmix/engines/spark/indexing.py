"""The index of all features: each key goes to the partition that its hash names, once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from gdmix.data.hashing import hash_uids
from gdmix.data.index import FeatureIndex, Terms
from gdmix.data.layout import Layout
from gdmix.data.vocabulary import Vocabulary
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.cluster import Cluster, Stored

TERMS = "terms.pickle"
"""In a partition's folder: the terms of each column, by shard."""


def index_of(cluster: Cluster, stored: Stored, layout: Layout) -> dict[str, FeatureIndex]:
    """Return the features of all partitions, in the order of the local engine."""
    targets = stored.rdd.getNumPartitions()
    sent = cluster.exchange(stored.rdd, partial(_emit_keys, targets), targets)
    found: dict[tuple[str, int], list[Terms]] = {}
    for part in cluster.collect(cluster.each(sent, _distinct)):
        for place, terms in part.items():
            found.setdefault(place, []).append(terms)
    indexes = {}
    for shard, features in layout.shards.items():
        columns = [_joined(found.get((shard, number), [])) for number in range(len(features))]
        indexes[shard], _ = FeatureIndex.build(columns)
    return indexes


def _joined(parts: Sequence[Terms]) -> Terms:
    keys = pa.concat_arrays([pa.array([], pa.string()), *(part.keys for part in parts)])
    return Terms(keys, any(part.ordered for part in parts))


def _emit_keys(
    targets: int, number: int, record: Record
) -> Iterator[tuple[int, list[tuple[str, int, Terms]]]]:
    """Send each key to the partition that its hash names."""
    told: dict[str, list[Terms]] = pickle.loads((record.open() / TERMS).read_bytes())
    sent: list[list[tuple[str, int, Terms]]] = [[] for _ in range(targets)]
    for shard, columns in told.items():
        for column, (keys, ordered) in enumerate(columns):
            hashes = hash_uids(keys, len(keys), "") % np.uint64(targets)
            for target in range(targets):
                mine = keys.filter(pa.array(hashes == target))
                if len(mine):
                    sent[target].append((shard, column, Terms(mine, ordered)))
    yield from enumerate(sent)


def _distinct(
    number: int, found: list[tuple[int, list[tuple[str, int, Terms]]]]
) -> dict[tuple[str, int], Terms]:
    """Return each key once, with the first column of its shard that held it."""
    parts = [part for _, sent in found for part in sent]
    known: dict[str, Vocabulary] = {}
    out: dict[tuple[str, int], Terms] = {}
    for shard, column in sorted({(shard, column) for shard, column, _ in parts}):
        vocabulary = known.setdefault(shard, Vocabulary())
        before = len(vocabulary)
        mine = [terms for *place, terms in parts if place == [shard, column]]
        for terms in mine:
            vocabulary.add(terms.keys)
        new = vocabulary.keys().slice(before)
        out[shard, column] = Terms(pa.concat_arrays([new]), any(t.ordered for t in mine))
    return out
