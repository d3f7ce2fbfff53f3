"""The rows of a data set that train a model; the others are passive, scored all the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.hashing import hash_uids
from gdmix.data.ids import positions
from gdmix.data.sampling import Sampling, active_rows, exceeds


class Active(NamedTuple):
    """The rows that train the models of entities.

    Attributes
    ----------
    ids : pa.Array
        Ids of the entities that have a model, sorted.
    order : int64[rows]
        Position in the data set of every row that trains, in entity order.
    row_ptr : int64[entities + 1]
        Where each entity's rows lie.
    weight : float64[rows]
    passive : int32[data set's rows] or None
        Which entity's model scores a row that trains none: -1 for rows that train, and for rows
        of entities without a model. None where all rows train.
    """

    ids: pa.Array
    order: NDArray[np.int64]
    row_ptr: NDArray[np.int64]
    weight: NDArray[np.float64]
    passive: NDArray[np.int32] | None


def choose(
    dataset: Dataset,
    entity: str,
    order: NDArray[np.int64],
    row_ptr: NDArray[np.int64],
    sampling: Sampling,
    known: pa.Array | None,
) -> Active:
    """Choose the rows that train, before any of their values are moved.

    Parameters
    ----------
    dataset : Dataset
    entity : str
        Entity column.
    order, row_ptr
        All rows in entity order, and where each entity's lie.
    sampling : Sampling
    known : pa.Array or None
        Ids of entities that a model was known for before; None where there was none at all.
    """
    ids, codes = dataset.entities[entity]
    if sampling.takes_all:
        return Active(ids, order, row_ptr, dataset.weight[order], None)
    hashes = None
    if exceeds(sampling, row_ptr):
        # the column is the salt: two effects of an entity train on the same rows
        hashes = hash_uids(dataset.uid, dataset.rows, entity)[order]
    spared = np.zeros(len(ids), np.bool_)
    if sampling.spare_new and known is not None:
        spared = positions(ids, known) < 0
    active = active_rows(sampling, row_ptr, spared, hashes)
    before = np.diff(row_ptr)
    counts = np.diff(_starts(active)[row_ptr])
    has_model = counts > 0
    order, counts, before = order[active], counts[has_model], before[has_model]
    weight = dataset.weight[order]
    if sampling.kind == "exact":
        weight = weight * np.repeat(before / counts, counts)
    place = np.where(has_model, np.cumsum(has_model) - 1, -1).astype(np.int32)
    passive = place[codes]
    passive[order] = -1
    return Active(
        ids.filter(pa.array(has_model)),
        order,
        _starts(counts),
        weight,
        None if active.all() else passive,
    )


def _starts(counts: NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return where each of consecutive runs begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
