"""Rows by entity: brought there once, kept as long as the rows are."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from gdmix.engine import Grouping
from gdmix.engines.spark import regrouping
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.cluster import Cluster, Stored
from gdmix.engines.spark.rows import SparkRows


def regrouped(
    cluster: Cluster, rows: SparkRows, entity: str, shard: str, *, uids: bool = False
) -> Stored:
    """Return rows in the partitions of their entities; `uids` tells whether theirs are needed."""
    key = ("regrouped", entity, shard)
    # rows with uids serve those who need none
    for has in (True, uids):
        if (*key, has) in rows.kept:
            found: Stored = rows.kept[*key, has]
            return found
    targets = rows.partitions
    numbering = rows.numbering if uids else None
    emit = partial(regrouping.emit_rows, entity, shard, targets, numbering)
    sent = cluster.exchange(rows.stored.rdd, emit, targets)
    stored = cluster.store(sent, partial(regrouping.save_regrouped, entity, shard))
    rows.kept[*key, uids] = stored
    return stored


def grouped(cluster: Cluster, rows: SparkRows, by: Grouping, known: pa.Array | None) -> Stored:
    """Return the rows that train, in the order of entities; they are there when this returns."""
    key = ("grouped", by)
    known = known if by.sampling.spare_new else None
    # what is known holds for a whole descent: one array, not many equal ones
    if key not in rows.kept or rows.kept[key][0] is not known:
        uids = by.sampling.upper is not None
        there = regrouped(cluster, rows, by.entity, by.shard, uids=uids)
        stored = cluster.store([there], partial(regrouping.save_grouped, by, known))
        cluster.run([stored], _nothing)
        rows.kept[key] = known, stored
    found: Stored = rows.kept[key][1]
    return found


def _nothing(number: int, record: Record) -> None:
    """Have a partition made."""
