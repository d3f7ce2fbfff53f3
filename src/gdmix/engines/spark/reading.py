"""Rows of any source → packed partitions, and the index of all their features."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.canonical import in_canonical_order
from gdmix.data.dataset import Csr, Dataset
from gdmix.data.decoded import Decoding
from gdmix.data.hashing import hash_uids
from gdmix.data.index import FeatureIndex
from gdmix.data.layout import Layout
from gdmix.data.packed import load_column, load_rows, save_column, save_rows
from gdmix.data.reading import Indexes, read_part
from gdmix.data.source import FileSource, Source
from gdmix.engines.spark import folders
from gdmix.engines.spark.answers import Answer, Record, attempt
from gdmix.engines.spark.cluster import Cluster, Stored, packing
from gdmix.engines.spark.indexing import TERMS, index_of
from gdmix.engines.spark.rows import SparkRows, load, save_renumbered
from gdmix.engines.spark.sources import Batches, SparkFrame, pieces
from gdmix.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TOLD = "told.pickle"


class Reading(NamedTuple):
    """What tasks need to know to read a partition.

    Attributes
    ----------
    layout : Layout
    keys : dict of shard to pa.StringArray, or None
        Known features; those of the rows are numbered apart where there are none.
    earlier : dict of shard to pa.StringArray, or None
        Features with which columns must agree.
    unordered : bool
        Whether the rows of a partition may come in another order when they are read again.
    """

    layout: Layout
    keys: dict[str, pa.StringArray] | None
    earlier: dict[str, pa.StringArray] | None
    unordered: bool = False


class Told(NamedTuple):
    """What a packed partition tells of itself.

    Attributes
    ----------
    rows : int
    least : set of float
    dense : dict of (shard, column number) to int
        Width of dense blocks, where there are rows.
    full : dict of shard to bool
    unseen : dict of shard to int
    id_types : dict of entity column to pa.DataType
    has_label, has_uid : bool
    """

    rows: int
    least: set[float]
    dense: dict[tuple[str, int], int]
    full: dict[str, bool]
    unseen: dict[str, int]
    id_types: dict[str, pa.DataType]
    has_label: bool
    has_uid: bool


def read_rows(
    cluster: Cluster,
    source: Source,
    layout: Layout,
    indexes: Indexes | None,
    earlier: Indexes | None,
    partitions: int | None,
) -> tuple[SparkRows, Indexes]:
    """Pack the rows of a source; see `Engine.read`."""
    known = earlier if indexes is None else indexes
    names = Decoding(source, layout, label=True, indexes=known).names
    reading = Reading(layout, _keys(indexes), _keys(earlier))
    stored = _packed(cluster, source, names, reading, partitions)
    if indexes is None:
        indexes = index_of(cluster, stored, layout)
        for shard, index in (earlier or {}).items():
            indexes[shard] = index.extended(indexes[shard])
        keys = [indexes[shard].keys for shard in layout.shards]
        stored = cluster.store([stored], partial(_renumber, keys), parents=[stored])
    told: list[Told] = cluster.run([stored], _tell)
    _require_agreement(source, told)
    if layout.columns.unique_uid and layout.columns.uid is not None:
        _require_unique(cluster, stored, source, layout.columns.uid)
    first = told[0]
    rows = SparkRows(
        stored,
        tuple(part.rows for part in told),
        {shard: len(indexes[shard]) for shard in layout.shards},
        {shard: all(part.full[shard] for part in told) for shard in layout.shards},
        {shard: sum(part.unseen[shard] for part in told) for shard in layout.shards},
        first.id_types,
        first.has_label,
        first.has_uid,
    )
    return rows, indexes


def _keys(indexes: Indexes | None) -> dict[str, pa.StringArray] | None:
    return None if indexes is None else {shard: index.keys for shard, index in indexes.items()}


def _packed(
    cluster: Cluster,
    source: Source,
    names: Sequence[str],
    reading: Reading,
    partitions: int | None,
) -> Stored:
    name = folders.new_name()
    if isinstance(source, FileSource):
        parts = pieces(source, partitions, cluster.context.defaultParallelism)
        return cluster.store(cluster.deal(parts), partial(_pack, reading))
    if not isinstance(source, SparkFrame):
        found = f"found {type(source).__name__}"
        raise ConfigError("engine: spark", found, "files or a Spark data frame")
    frame = source.select(names)
    if partitions is not None:
        now = frame.rdd.getNumPartitions()
        frame = frame.coalesce(partitions) if partitions < now else frame.repartition(partitions)
    reading = reading._replace(unordered=_is_unordered(frame))
    pack = partial(_pack_batches, reading, name, source.name, source.schema)
    answers = frame.mapInArrow(partial(_in_arrow, pack), "answer binary").rdd
    return cluster.adopt(answers.mapPartitionsWithIndex(partial(_unpickled, pack)), name)


def _is_unordered(frame: DataFrame) -> bool:
    """Tell whether rows may come in another order when they are computed again.

    Spark knows: what came through a shuffle does, what is read from files does not.
    """
    level = frame.rdd._jrdd.rdd().outputDeterministicLevel().toString()
    return str(level) != "DETERMINATE"


def _in_arrow(pack: Any, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:  # noqa: ANN401
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None
    answer = pack(context.partitionId(), batches)
    yield pa.RecordBatch.from_pydict({"answer": pa.array([pickle.dumps(answer)], pa.binary())})


def _unpickled(pack: Any, number: int, items: Iterator[Any]) -> Iterator[Answer]:  # noqa: ANN401
    """Yield the answer of a partition; Spark may not ask for one where there are no rows."""
    found = [pickle.loads(item["answer"]) for item in items]
    yield found[0] if found else pack(number, iter(()))


def _pack_batches(
    reading: Reading,
    name: str,
    title: str,
    schema: pa.Schema,
    number: int,
    batches: Iterable[pa.RecordBatch],
) -> Answer:
    source = Batches(schema, batches, f"{title}, partition {number}")
    return attempt(packing, name, partial(_pack, reading), False, number, source)


def _pack(reading: Reading, folder: Path, number: int, source: Source) -> None:
    """Read a partition and write its arrays, its keys, and what it tells."""
    indexes, earlier = (
        None if keys is None else {shard: FeatureIndex(own) for shard, own in keys.items()}
        for keys in (reading.keys, reading.earlier)
    )
    part = read_part(source, reading.layout, indexes, earlier)
    rows = in_canonical_order(part.rows, part.indexes) if reading.unordered else part.rows
    save_rows(folder, rows)
    dense = {}
    if indexes is None:
        for at, (shard, index) in enumerate(part.indexes.items()):
            save_column(folder / f"keys-{at}.arrow", index.keys)
            for column, terms in enumerate(part.terms[shard]):
                if terms.ordered and len(terms.keys):
                    dense[shard, column] = len(terms.keys)
        (folder / TERMS).write_bytes(pickle.dumps(part.terms))
    types = {column: ids.type for column, (ids, _) in rows.entities.items()}
    told = Told(
        rows.rows,
        part.least,
        dense,
        rows.full,
        rows.unseen,
        types,
        rows.has_label,
        rows.uid is not None,
    )
    (folder / _TOLD).write_bytes(pickle.dumps(told))


def _tell(number: int, record: Record) -> Told:
    told: Told = pickle.loads((record.open() / _TOLD).read_bytes())
    return told


def _renumber(keys: Sequence[pa.StringArray], folder: Path, number: int, record: Record) -> None:
    """Write the indices of a partition's rows as the index of all features has them."""
    base = record.open()
    rows, shards = load_rows(base), {}
    for at, (shard, csr) in enumerate(rows.shards.items()):
        index = FeatureIndex(keys[at])
        positions = index.positions(load_column(base / f"keys-{at}.arrow"))
        indices = positions[csr.indices] if len(positions) else csr.indices
        shards[shard] = Csr(csr.indptr, indices, csr.values, len(index))
    full = Dataset(rows.rows, rows.label, rows.weight, rows.offset, shards=shards)
    save_renumbered(folder, base, full)
    told = _tell(number, record)._replace(full=full.full)
    (folder / _TOLD).write_bytes(pickle.dumps(told))


def _require_unique(cluster: Cluster, stored: Stored, source: Source, column: str) -> None:
    """Check that no uid is in two partitions; each has looked through its own.

    Raises
    ------
    DataError
        Names one.
    """
    targets = stored.rdd.getNumPartitions()
    sent = cluster.exchange(stored.rdd, partial(_emit_uids, targets), targets)
    again = [uid for uid in cluster.collect(cluster.each(sent, _repeated)) if uid is not None]
    if again:
        hint = "remove the duplicate, or set unique_uid: false"
        problem = f"uid {again[0]!r} is there twice"
        where = f"{source.name}, column {column!r}"
        raise DataError(where, problem, "unique uids (unique_uid: true)", hint)


def _emit_uids(targets: int, number: int, record: Record) -> Iterator[tuple[int, pa.Array]]:
    """Send each uid to the partition that its hash names."""
    rows = load(record)
    assert rows.uid is not None
    goes = hash_uids(rows.uid, rows.rows, "") % np.uint64(targets)
    for target in range(targets):
        yield target, rows.uid.filter(pa.array(goes == target))


def _repeated(number: int, found: list[tuple[int, pa.Array]]) -> object:
    """Return a uid that came from two partitions, if there is one."""
    counts = pc.value_counts(pa.chunked_array([uids for _, uids in found]))
    several = counts.filter(pc.greater(counts.field("counts"), 1))
    return several[0]["values"].as_py() if len(several) else None


def _require_agreement(source: Source, told: Sequence[Told]) -> None:
    """Hold partitions to what the rows of one data set must agree in."""
    if not sum(part.rows for part in told):
        raise DataError(source.name, "no rows", hint="is this the right path?")
    least = {label for part in told for label in part.least}
    if len(least) > 1:
        problem = "some rows have the label -1, and others 0"
        raise DataError(source.name, problem, "0 and 1, or -1 and 1", "map the response to 0 and 1")
    widths: dict[tuple[str, int], set[int]] = {}
    for part in told:
        for place, width in part.dense.items():
            widths.setdefault(place, set()).add(width)
    for (shard, column), found in widths.items():
        if len(found) > 1:
            problem = f"lists of numbers of different lengths: {sorted(found)}"
            where = f"{source.name}, column {column + 1} of the features of {shard!r}"
            raise DataError(where, problem, "one length in all rows")
