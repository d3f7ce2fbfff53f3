"""An order of rows that depends on what they hold alone, for rows that come in any order.

What Spark shuffles may come in another order when it is made again, after an executor was lost.
What was computed of the rows before, and is kept elsewhere, must still fit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset, EntityColumn
from gdmix.data.grouping import gather_rows
from gdmix.data.hashing import Hashes, hash_uids, mix
from gdmix.data.index import FeatureIndex
from gdmix.jit import kernel

_ODD = np.uint64(0x9E3779B97F4A7C15)


def in_canonical_order(rows: Dataset, indexes: Mapping[str, FeatureIndex]) -> Dataset:
    """Return rows sorted by a hash of all that they hold; equal rows are interchangeable.

    Parameters
    ----------
    rows : Dataset
        Without texts.
    indexes : dict of shard to FeatureIndex
        Features as the rows number them.
    """
    return _taken(rows, np.argsort(row_hashes(rows, indexes), kind="stable"))


def row_hashes(rows: Dataset, indexes: Mapping[str, FeatureIndex]) -> Hashes:
    """Return a hash of each row; how features and ids are numbered does not matter."""
    out: Hashes = np.zeros(rows.rows, np.uint64)
    for numbers in (rows.label, rows.weight, rows.offset):
        out = mix(out ^ numbers.view(np.uint64))
    for name, (ids, codes) in rows.entities.items():
        if len(ids):
            out = mix(out ^ hash_uids(ids, len(ids), name)[codes])
    if rows.uid is not None:
        # a null is hashed as its row's number: all nulls alike here
        nulls = rows.uid.is_null().to_numpy(zero_copy_only=False)
        out = mix(out ^ np.where(nulls, np.uint64(0), hash_uids(rows.uid, rows.rows, "")))
    for shard, csr in rows.shards.items():
        keys = indexes[shard].keys
        add_features(
            csr.indptr, csr.indices, csr.values.view(np.uint64), hash_uids(keys, len(keys), ""), out
        )
        out = mix(out)
    return out


def _taken(rows: Dataset, order: NDArray[np.int64]) -> Dataset:
    return Dataset(
        rows.rows,
        rows.label[order],
        rows.weight[order],
        rows.offset[order],
        has_label=rows.has_label,
        uid=None if rows.uid is None else rows.uid.take(pa.array(order)),
        entities={
            name: EntityColumn(ids, codes[order]) for name, (ids, codes) in rows.entities.items()
        },
        shards={
            shard: Csr(*gather_rows(csr.indptr, csr.indices, csr.values, order), csr.width)
            for shard, csr in rows.shards.items()
        },
        unseen=rows.unseen,
    )


@kernel
def add_features(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    words: Hashes,
    keys: Hashes,
    out: Hashes,
) -> None:
    """Take the features of each row into its hash, in any order.

    Parameters
    ----------
    indptr, indices
        Of sparse rows.
    words : uint64[nnz]
        The bits of their values.
    keys : uint64[features]
        Hashes of the features.
    out : uint64[rows]
    """
    for i in range(len(out)):
        total = np.uint64(0)
        for k in range(indptr[i], indptr[i + 1]):
            word = (keys[indices[k]] ^ words[k]) * _ODD
            word = (word ^ (word >> np.uint64(29))) * _ODD
            total += word ^ (word >> np.uint64(32))
        out[i] ^= total
