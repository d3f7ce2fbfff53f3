"""Source → index and statistics of its features, streamed: one pass for names, one for numbers."""

from __future__ import annotations

import numpy as np

from gdmix.data.decoded import Decoding
from gdmix.data.layout import Layout
from gdmix.data.piece import Piece
from gdmix.data.reading import Indexes, read_stream
from gdmix.data.shard import Shard
from gdmix.data.source import Source
from gdmix.data.statistics import Moments, Statistics, merged, moments


def summarize(source: Source, layout: Layout) -> tuple[Indexes, dict[str, Statistics]]:
    """Return the features of every shard of a source, and their statistics.

    What is held is about the size of the result, however many rows there are.

    Raises
    ------
    DataError
        A column is missing or of a wrong type, or holds a value that cannot be a feature.
    """
    indexes = features_of(source, layout)
    found: dict[str, Moments] = {}
    for rows in read_stream(source, layout, indexes):
        for shard, csr in rows.shards.items():
            new = moments(csr.indptr, csr.indices, csr.values, csr.width)
            found[shard] = merged(found[shard], new) if shard in found else new
    return indexes, {shard: Statistics.of(all_rows) for shard, all_rows in found.items()}


def features_of(source: Source, layout: Layout) -> Indexes:
    """Return the features of every shard of a source, streamed.

    Raises
    ------
    DataError
        As `summarize` does.
    """
    shards = {shard: Shard() for shard in layout.shards}
    for batch in Decoding(source, layout, label=False).batches():
        for shard, features in layout.shards.items():
            shards[shard].add(0, [_without_rows(batch.pieces[feature]) for feature in features])
    return {shard: rows.features() for shard, rows in shards.items()}


def _without_rows(piece: Piece) -> Piece:
    return piece._replace(lengths=None, codes=np.empty(0, np.int32), values=None)
