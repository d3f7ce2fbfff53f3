"""Rows → entity-contiguous ragged blocks, each entity with its own feature space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.active import choose
from gdmix.data.dataset import Dataset
from gdmix.data.sampling import Sampling
from gdmix.data.selection import best_features, correlations, drop_features
from gdmix.jit import kernel

_EVERYTHING = Sampling()
# widths of a shard, in features of an entity, from which sorting those is faster than looking
_SPARSE = 8


class Grouped(NamedTuple):
    """The rows of a shard that train, in entity order; features numbered within each entity.

    Attributes
    ----------
    ids : pa.Array
        Ids of the entities that have a model, sorted.
    order : int64[rows]
        Position in the data set of every grouped row; an entity's rows keep their order.
    row_ptr : int64[entities + 1]
        Where each entity's rows lie.
    indptr : int64[rows + 1]
    indices : int32[nnz]
        Position of the feature among its entity's features.
    values : float64[nnz]
    label, weight : float64[rows]
    feature_ptr : int64[entities + 1]
        Where each entity's features lie in `features`.
    features : int32[local features]
        Index in the shard of every entity's features, ascending within an entity.
    passive : int32[data set's rows] or None
        Which entity's model scores a row that trains none: -1 for rows that train, and for rows
        of entities without a model. None where all rows train.
    """

    ids: pa.Array
    order: NDArray[np.int64]
    row_ptr: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    label: NDArray[np.float64]
    weight: NDArray[np.float64]
    feature_ptr: NDArray[np.int64]
    features: NDArray[np.int32]
    passive: NDArray[np.int32] | None = None

    @property
    def entities(self) -> int:
        """Number of entities."""
        return len(self.row_ptr) - 1

    def bounds(self) -> NDArray[np.int64]:
        """Return where to cut the entities into runs of about equal work.

        The bounds depend on the data alone. Work is counted in values read and in the Hessian's
        entries of dense solves.
        """
        if not self.entities:
            return np.zeros(1, np.int64)
        features = np.diff(self.feature_ptr).astype(np.float64)
        nnz = np.diff(self.indptr[self.row_ptr])
        work = np.cumsum(20.0 + np.diff(self.row_ptr) + nnz + np.minimum(features, 300.0) ** 2)
        runs = int(np.clip(work[-1] / 5e5, 1, 4096))
        cuts = np.searchsorted(work, work[-1] * np.arange(1, runs) / runs)
        return np.unique(np.concatenate([[0], cuts, [self.entities]])).astype(np.int64)

    def runs(self) -> list[tuple[int, int]]:
        """Return the runs between bounds, those of most values first.

        A run that is one huge entity then begins at once, and the others fill up the time.
        """
        bounds = self.bounds()
        size = np.diff(self.indptr[self.row_ptr[bounds]]) + np.diff(self.row_ptr[bounds])
        order = np.argsort(-size, kind="stable")
        first, last = bounds[:-1][order], bounds[1:][order]
        return list(zip(first.tolist(), last.tolist(), strict=True))


def group(
    dataset: Dataset,
    entity: str,
    shard: str,
    sampling: Sampling = _EVERYTHING,
    *,
    known: pa.Array | None = None,
    intercept: int = 1,
) -> Grouped:
    """Bring the rows of a shard into the order of an entity column.

    Parameters
    ----------
    dataset : Dataset
    entity, shard : str
    sampling : Sampling
        Which rows train, and which features stay.
    known : pa.Array, optional
        Ids of entities that a model was known for before.
    intercept : int
        1 when there is an intercept, which no feature needs to stand in for.
    """
    csr = dataset.shards[shard]
    ids, codes = dataset.entities[entity]
    order, row_ptr = counting_sort(codes, len(ids))
    active = choose(dataset, entity, order, row_ptr, sampling, known)
    indptr, indices, values = gather_rows(csr.indptr, csr.indices, csr.values, active.order)
    feature_ptr, features = localize(active.row_ptr, indptr, indices, csr.width)
    grouped = Grouped(
        active.ids,
        active.order,
        active.row_ptr,
        indptr,
        indices,
        values,
        dataset.label[active.order],
        active.weight,
        feature_ptr,
        features,
        active.passive,
    )
    if sampling.ratio is None:
        return grouped
    return _with_best_features(grouped, sampling.ratio, intercept)


def _with_best_features(grouped: Grouped, ratio: float, intercept: int) -> Grouped:
    """Keep as many features of each entity as its rows can bear."""
    row_ptr, feature_ptr = grouped.row_ptr, grouped.feature_ptr
    rows = (grouped.indptr, grouped.indices, grouped.values)
    scores = correlations(row_ptr, *rows, grouped.label, grouped.weight, feature_ptr, intercept)
    keep = best_features(row_ptr, feature_ptr, scores, ratio)
    indptr, pointers = drop_features(row_ptr, *rows, feature_ptr, keep)
    return grouped._replace(
        indptr=indptr,
        indices=grouped.indices[: indptr[-1]],
        values=grouped.values[: indptr[-1]],
        feature_ptr=pointers,
        features=grouped.features[keep],
    )


@kernel
def counting_sort(
    codes: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the stable order of `codes` and where each of the `count` codes begins."""
    pointers = np.zeros(count + 1, np.int64)
    for code in codes:
        pointers[code + 1] += 1
    for code in range(count):
        pointers[code + 1] += pointers[code]
    order = np.empty(len(codes), np.int64)
    slots = pointers[:-1].copy()
    for row in range(len(codes)):
        order[slots[codes[row]]] = row
        slots[codes[row]] += 1
    return order, pointers


@kernel
def gather_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    order: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Return the sparse rows in the given order."""
    rows = len(order)
    # where rows begin is looked up once; unsigned positions spare a test for negative ones
    starts = np.empty(rows, np.uint64)
    out_ptr = np.zeros(rows + 1, np.int64)
    for i in range(rows):
        starts[i] = indptr[order[i]]
        out_ptr[i + 1] = out_ptr[i] + indptr[order[i] + 1] - indptr[order[i]]
    # an array at a time: each is read from many places at once
    out_indices = np.empty(out_ptr[-1], np.int32)
    for i in range(rows):
        source = starts[i]
        for k in range(np.uint64(out_ptr[i]), np.uint64(out_ptr[i + 1])):
            out_indices[k] = indices[source]
            source += np.uint64(1)
    out_values = np.empty(out_ptr[-1], np.float64)
    for i in range(rows):
        source = starts[i]
        for k in range(np.uint64(out_ptr[i]), np.uint64(out_ptr[i + 1])):
            out_values[k] = values[source]
            source += np.uint64(1)
    return out_ptr, out_indices, out_values


@kernel
def sort_in_place(values: NDArray[np.int32]) -> None:
    """Sort ascending, by Shell's method: numba's own sort takes a second to compile."""
    gap = 1
    while gap < len(values) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, len(values)):
            value = values[i]
            j = i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap //= 3


@kernel
def localize(
    row_ptr: NDArray[np.int64], indptr: NDArray[np.int64], indices: NDArray[np.int32], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Renumber features within each entity, in place.

    Returns where each entity's features begin, and their indices in the shard, ascending.
    """
    entities = len(row_ptr) - 1
    last_seen = np.full(width, -1, np.int32)
    local = np.empty(width, np.int32)
    pointers = np.zeros(entities + 1, np.int64)
    # room for all that may come, and for one more: memory not written to is never taken
    features = np.empty(len(indices) + 1, np.int32)
    out = 0
    for entity in range(entities):
        begin = out
        first, end = np.uint64(indptr[row_ptr[entity]]), np.uint64(indptr[row_ptr[entity + 1]])
        for k in range(first, end):
            if last_seen[indices[k]] != entity:
                last_seen[indices[k]] = entity
                features[out] = indices[k]
                out += 1
        if width <= _SPARSE * (out - begin):
            # most features are there: to look at each is faster than to sort
            out = begin
            for feature in range(width):
                features[out] = feature
                out += last_seen[feature] == entity
        else:
            sort_in_place(features[begin:out])
        for position in range(begin, out):
            local[features[position]] = position - begin
        for k in range(first, end):
            indices[k] = local[indices[k]]
        pointers[entity + 1] = out
    return pointers, features[:out].copy()
