"""What an earlier model knew, carried into a new one: other positions, and what has no rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.ids import positions
from gdmix.data.index import FeatureIndex
from gdmix.engine import EntityTable
from gdmix.glm.alignment import merge_layouts
from gdmix.glm.groups import Outcome
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Mixed

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def moved_linear(
    part: LinearModel, shard: str, position: NDArray[np.int32], width: int
) -> LinearModel:
    """Return a fixed effect's part in the positions of another shard.

    Parameters
    ----------
    part : LinearModel
    shard : str
    position : int32[features]
        Where each feature of `part` lies in the other shard, -1 where it does not.
    width : int
        Features of the other shard; those unknown to `part` get 0, and NaN for a variance.
    """
    known = position >= 0
    intercept = np.arange(part.intercept)
    source = np.concatenate([intercept, part.intercept + np.flatnonzero(known)])
    target = np.concatenate([intercept, part.intercept + position[known]])
    coefficients = np.zeros(part.intercept + width)
    coefficients[target] = part.coefficients[source]
    variances = None
    if part.variances is not None:
        variances = np.full(len(coefficients), np.nan)
        variances[target] = part.variances[source]
    return LinearModel(shard, part.intercept, coefficients, variances)


def moved_entities(part: EntityModel, shard: str, position: NDArray[np.int32]) -> EntityModel:
    """Return a random effect's part in the positions of another shard.

    Features that lie nowhere there are dropped; see `moved_linear` for `position`.
    """
    table, intercept = part.table, part.intercept
    entities = len(table.ids)
    features = position[table.features]
    owner = np.repeat(np.arange(entities), np.diff(table.feature_ptr))
    kept = np.flatnonzero(features >= 0)
    features, owner = features[kept], owner[kept]
    if np.any((np.diff(features) <= 0) & (np.diff(owner) == 0)):
        order = np.lexsort((features, owner))
        features, owner, kept = features[order], owner[order], kept[order]
    pointers = np.zeros(entities + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=entities), out=pointers[1:])
    # where each coefficient comes from, the intercepts first
    source = kept + intercept * (owner + 1)
    if intercept:
        heads = table.feature_ptr[:-1] + np.arange(entities)
        source = np.insert(source, pointers[:-1], heads)
    moved = table._replace(
        feature_ptr=pointers,
        features=features.astype(np.int32),
        coefficients=table.coefficients[source],
        variances=None if table.variances is None else table.variances[source],
    )
    return EntityModel(shard, part.entity, intercept, moved)


def assembled(
    shards: Mapping[str, str], owned: Mapping[str, tuple[FeatureIndex, LinearModel | EntityModel]]
) -> Mixed:
    """Return a model of parts that each have an index of their own.

    Parameters
    ----------
    shards : mapping of coordinate to shard
        Coordinates of one shard share its index.
    owned : mapping of coordinate to its features and its part
    """
    indexes: dict[str, FeatureIndex] = {}
    for name, shard in shards.items():
        index = owned[name][0]
        indexes[shard] = indexes[shard].extended(index) if shard in indexes else index
    parts: dict[str, LinearModel | EntityModel] = {}
    for name, shard in shards.items():
        index, part = owned[name]
        position = indexes[shard].positions(index.keys)
        if isinstance(part, EntityModel):
            parts[name] = moved_entities(part, shard, position)
        else:
            parts[name] = moved_linear(part, shard, position, len(indexes[shard]))
    return Mixed(parts, indexes)


def with_ids(part: EntityModel, ids: pa.Array) -> EntityModel:
    """Return the same models under other ids, in their order.

    Parameters
    ----------
    part : EntityModel
    ids : pa.Array
        The new id of each entity.
    """
    order = pc.array_sort_indices(ids).to_numpy(zero_copy_only=False).astype(np.int64)
    moved = reordered(part.table._replace(ids=ids), part.intercept, order)
    return EntityModel(part.shard, part.entity, part.intercept, moved)


def reordered(table: EntityTable, intercept: int, order: Places) -> EntityTable:
    """Return some of the entities of a table, in another order.

    Parameters
    ----------
    table : EntityTable
    intercept : int
        1 when an entity's coefficients begin with an intercept.
    order : int64
        Where the entities lie in `table`.
    """

    def lists(numbers: NDArray[Any], each: int) -> NDArray[Any]:
        """Take lists that have `each` elements more than an entity has features."""
        starts = table.feature_ptr[:-1] + each * np.arange(len(table.ids))
        lengths = (np.diff(table.feature_ptr) + each)[order]
        ends = np.cumsum(lengths)
        shift = np.repeat(starts[order] - (ends - lengths), lengths)
        taken: NDArray[Any] = numbers[np.arange(len(shift)) + shift]
        return taken

    counts = np.diff(table.feature_ptr)[order]
    return EntityTable(
        table.ids.take(pa.array(order)),
        table.samples[order],
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        lists(table.features, 0),
        lists(table.coefficients, intercept),
        outcome_at(table.outcome, order),
        None if table.variances is None else lists(table.variances, intercept),
    )


def outcome_at(outcome: Outcome, order: Places) -> Outcome:
    """Return the outcome of some entities."""
    return Outcome(
        outcome.status[order],
        outcome.iterations[order],
        outcome.gradient[order],
        outcome.objective[order],
        outcome.penalty[order],
    )


def with_kept(
    table: EntityTable, previous: EntityTable, intercept: int
) -> tuple[EntityTable, Places]:
    """Return what was learnt, and with it what `previous` knows of other entities and features.

    What is kept stays to the bit: coefficients, variances and, of entities without rows, the
    number of samples and the outcome. A variance is NaN where `previous` has none; all are dropped
    where `table` has none.

    Parameters
    ----------
    table, previous : EntityTable
        In the positions of one shard.
    intercept : int
        1 when an entity's coefficients begin with an intercept.

    Returns
    -------
    EntityTable, int64
        All, and which coefficients of `previous` are kept.
    """
    absent = previous.ids.filter(pa.array(positions(previous.ids, table.ids) < 0))
    ids = pa.concat_arrays([table.ids, absent])
    ids = ids.take(pc.array_sort_indices(ids))
    new, old = positions(ids, table.ids), positions(ids, previous.ids)
    most = len(table.features) + len(previous.features)
    pointers = np.zeros(len(ids) + 1, np.int64)
    features = np.empty(most, np.int32)
    source = np.empty(most + intercept * len(ids), np.int64)
    merge_layouts(
        new,
        old,
        table.feature_ptr,
        table.features,
        previous.feature_ptr,
        previous.features,
        intercept,
        pointers,
        features,
        source,
    )
    source = source[: pointers[-1] + intercept * len(ids)]
    # entities in the same way: negative positions count from what is kept
    entity = np.where(new >= 0, new, -1 - old.astype(np.int64))
    merged = EntityTable(
        ids,
        _taken(entity, table.samples, previous.samples),
        pointers,
        features[: pointers[-1]].copy(),
        _taken(source, table.coefficients, previous.coefficients),
        _outcomes(entity, table.outcome, previous.outcome),
        _variances(source, table.variances, previous.variances),
    )
    return merged, -1 - source[source < 0]


def _outcomes(entity: Places, new: Outcome, old: Outcome) -> Outcome:
    return Outcome(
        _taken(entity, new.status, old.status),
        _taken(entity, new.iterations, old.iterations),
        _taken(entity, new.gradient, old.gradient),
        _taken(entity, new.objective, old.objective),
        _taken(entity, new.penalty, old.penalty),
    )


def _variances(source: Places, new: Floats | None, old: Floats | None) -> Floats | None:
    if new is None:
        return None
    if old is not None:
        return _taken(source, new, old)
    variances = np.full(len(source), np.nan)
    variances[source >= 0] = new[source[source >= 0]]
    return variances


def _taken(source: Places, new: NDArray[Any], old: NDArray[Any]) -> NDArray[Any]:
    """Return ``new[source]``, and ``old[-1 - source]`` where `source` is negative."""
    out = np.empty(len(source), new.dtype)
    fresh = source >= 0
    out[fresh] = new[source[fresh]]
    out[~fresh] = old[-1 - source[~fresh]]
    return out
