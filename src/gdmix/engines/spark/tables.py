"""Tables of entities: cut by the partition that an entity's rows go to, and put together again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.grouping import counting_sort
from gdmix.data.hashing import hash_uids
from gdmix.engine import EntityTable
from gdmix.glm.groups import Outcome
from gdmix.models.carrying import reordered


def targets_of(ids: pa.Array, targets: int) -> NDArray[np.int32]:
    """Return the partition of each entity: by the id as it is written, 7 and "7" being one."""
    return (hash_uids(ids, len(ids), "") % np.uint64(targets)).astype(np.int32)


def cut_ids(ids: pa.Array, targets: int) -> list[pa.Array]:
    """Return the ids that belong to each partition, in their order."""
    order, pointers = counting_sort(targets_of(ids, targets), targets)
    return [ids.take(pa.array(order[pointers[q] : pointers[q + 1]])) for q in range(targets)]


def cut(table: EntityTable, intercept: int, targets: int) -> list[EntityTable]:
    """Return the entities that belong to each partition, in their order."""
    order, pointers = counting_sort(targets_of(table.ids, targets), targets)
    return [
        reordered(table, intercept, order[pointers[q] : pointers[q + 1]]) for q in range(targets)
    ]


def joined(tables: Sequence[EntityTable], intercept: int) -> EntityTable:
    """Return the entities of all tables, sorted by their ids."""
    counts = np.concatenate([np.diff(table.feature_ptr) for table in tables])
    known = [table.variances for table in tables if table.variances is not None]
    outcomes = [table.outcome for table in tables]
    together = EntityTable(
        pa.concat_arrays([table.ids for table in tables]),
        np.concatenate([table.samples for table in tables]),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.concatenate([table.features for table in tables]),
        np.concatenate([table.coefficients for table in tables]),
        Outcome(
            np.concatenate([each.status for each in outcomes]),
            np.concatenate([each.iterations for each in outcomes]),
            np.concatenate([each.gradient for each in outcomes]),
            np.concatenate([each.objective for each in outcomes]),
            np.concatenate([each.penalty for each in outcomes]),
        ),
        np.concatenate(known) if len(known) == len(tables) else None,
    )
    order = pc.array_sort_indices(together.ids).to_numpy(zero_copy_only=False)
    return reordered(together, intercept, order.astype(np.int64))
