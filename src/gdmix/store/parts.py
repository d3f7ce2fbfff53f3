"""One coordinate's coefficients as Parquet files, with names instead of positions.

Variances have columns of their own, which are there when the model has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gdmix.coordinates import Coordinate, DeepEffect, RandomEffect
from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.engine import EntityTable
from gdmix.glm.groups import Outcome
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Part
from gdmix.store.networks import read_network, write_network

Floats = NDArray[np.float64]

PART = "part-00000.parquet"
"""The file that every part has."""

_ENTITIES_PER_FILE = 1 << 20


def write_part(folder: Path, part: Part, index: FeatureIndex) -> None:
    """Write ``part-*.parquet`` files into `folder`; of a network, its own files."""
    folder.mkdir(parents=True)
    if isinstance(part, DeepModel):
        write_network(folder, part)
        return
    tables = _linear_tables(part, index) if isinstance(part, LinearModel) else _entity_tables(part)
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{number:05d}.parquet", compression="zstd")


def read_part(folder: Path, coordinate: Coordinate, shard: str, index: FeatureIndex) -> Part:
    """Read back what `write_part` wrote."""
    if isinstance(coordinate, DeepEffect):
        return read_network(folder)
    if isinstance(coordinate, RandomEffect):
        return _read_entities(folder, shard, coordinate.entity, int(coordinate.intercept))
    return _read_linear(folder, shard, index)


def _read_linear(folder: Path, shard: str, index: FeatureIndex) -> LinearModel:
    table = _read(folder)
    intercept = int(table.num_rows > len(index))
    coefficients = np.asarray(table["mean"].to_numpy(), dtype=np.float64)
    variances = None
    if "variance" in table.column_names:
        variances = np.asarray(table["variance"].to_numpy(), dtype=np.float64)
    return LinearModel(shard, intercept, coefficients, variances)


def _read_entities(folder: Path, shard: str, entity: str, intercept: int) -> EntityModel:
    table = _read(folder)
    lists = table["indices"].combine_chunks()
    counts = np.diff(lists.offsets.to_numpy())
    feature_ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])

    def numbers(features: str, intercepts: str) -> Floats:
        found: Floats = table[features].combine_chunks().flatten().to_numpy()
        if not intercept:
            return found
        return np.insert(found, feature_ptr[:-1], table[intercepts].to_numpy())

    variances = None
    if "variances" in table.column_names:
        variances = numbers("variances", "intercept_variance")
    outcome = Outcome(
        table["status"].to_numpy(),
        table["iterations"].to_numpy(),
        table["gradient_norm"].to_numpy(),
        table["objective"].to_numpy(),
        table["penalty"].to_numpy(),
    )
    return EntityModel(
        shard,
        entity,
        intercept,
        EntityTable(
            table["entity_id"].combine_chunks(),
            table["samples"].to_numpy(),
            feature_ptr,
            lists.flatten().to_numpy(),
            numbers("means", "intercept"),
            outcome,
            variances,
        ),
    )


def _linear_tables(part: LinearModel, index: FeatureIndex) -> Iterable[pa.Table]:
    head = [INTERCEPT] * part.intercept
    names = pa.concat_arrays([pa.array(head, pa.string()), index.names])
    terms = pa.concat_arrays([pa.array([""] * part.intercept, pa.string()), index.terms])
    columns = {"name": names, "term": terms, "mean": part.coefficients}
    if part.variances is not None:
        columns["variance"] = part.variances
    yield pa.table(columns)


def _entity_tables(part: EntityModel) -> Iterable[pa.Table]:
    table = part.table
    intercepts, coefficients = part.split()
    spread = None if table.variances is None else part.split(table.variances)
    for start in range(0, max(len(table.ids), 1), _ENTITIES_PER_FILE):
        rows = slice(start, start + _ENTITIES_PER_FILE)
        pointers = table.feature_ptr[start : start + _ENTITIES_PER_FILE + 1]
        inside = slice(pointers[0], pointers[-1])
        offsets = pa.array(pointers - pointers[0], pa.int64())
        columns = {
            "entity_id": table.ids[rows],
            "samples": pa.array(table.samples[rows], pa.int64()),
            "indices": pa.LargeListArray.from_arrays(offsets, pa.array(table.features[inside])),
            "means": pa.LargeListArray.from_arrays(offsets, pa.array(coefficients[inside])),
            "status": table.outcome.status[rows],
            "iterations": table.outcome.iterations[rows],
            "gradient_norm": table.outcome.gradient[rows],
            "objective": table.outcome.objective[rows],
            "penalty": table.outcome.penalty[rows],
        }
        if part.intercept:
            columns["intercept"] = intercepts[rows]
        if spread is not None:
            own = pa.array(spread[1][inside])
            columns["variances"] = pa.LargeListArray.from_arrays(offsets, own)
        if spread is not None and part.intercept:
            columns["intercept_variance"] = spread[0][rows]
        yield pa.table(columns)


def _read(folder: Path) -> pa.Table:
    files = sorted(folder.glob("part-*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files]).combine_chunks()
