"""Blocks of a data set's rows, as functions of an engine get them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.ids import positions
from gdmix.engine import EntityTable
from gdmix.glm.alignment import score_rows
from gdmix.glm.kernels import Block, value_along
from gdmix.glm.losses import Loss

Floats = NDArray[np.float64]
_T = TypeVar("_T")


def calls(
    function: Callable[..., _T], rows: Dataset, shard: str, columns: Sequence[NDArray[Any]]
) -> Iterator[Callable[[], _T]]:
    """Yield a call of `function` for each block of rows, in their order."""
    csr = rows.shards[shard]
    for first, last in pairwise(rows.bounds(shard).tolist()):
        cut = slice(first, last)
        indptr = csr.indptr[first : last + 1]
        block = Block(indptr, csr.indices, csr.values, rows.label[cut], rows.weight[cut])
        yield partial(function, block, *(column[cut] for column in columns))


def total(parts: Iterator[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    """Add up arrays in their order."""
    sums: tuple[Floats, ...] = ()
    for part in parts:
        if sums:
            for sum_, addend in zip(sums, part, strict=True):
                np.add(sum_, addend, out=sum_)
        else:
            # copied, as what a function returns may be its own
            sums = tuple(np.array(array) for array in part)
    return sums


def loss_of_block(loss: Loss, block: Block, margin: Floats) -> tuple[Floats, ...]:
    """Return the weighted sum of losses of a block at its rows' margins."""
    return (np.asarray(value_along(loss, block, 0, len(margin), margin, margin, 0.0)),)


def scores_of_block(
    table: EntityTable, intercept: int, block: Block, entity: NDArray[np.int32]
) -> Floats:
    """Return the scores of rows whose entities lie at `entity` in a table; 0 where that is -1."""
    out = np.empty(len(block.label))
    score_rows(
        block.indptr,
        block.indices,
        block.values,
        entity,
        table.feature_ptr,
        table.features,
        table.coefficients,
        intercept,
        out,
    )
    return out


def entity_positions(rows: Dataset, entity: str, known: pa.Array) -> NDArray[np.int32]:
    """Return where each row's entity lies in `known`, -1 where it does not."""
    ids, codes = rows.entities[entity]
    return positions(ids, known)[codes]
