"""The rows, penalties and solutions of many entities, one after the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.kernels import Block
from gdmix.glm.penalties import Penalty
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]


class Entities(NamedTuple):
    """What `solve_entities` works on; see there.

    Attributes
    ----------
    block : Block
    offset : float64[rows]
    row_ptr, coefficient_ptr : int64[entities + 1]
    origin : int
        Where the coefficients begin that `penalty` tells of.
    intercept : int
    penalty : Penalty
    coefficients : float64[coefficient_ptr[-1]]
    margin : float64[rows]
    """

    block: Block
    offset: Floats
    row_ptr: NDArray[np.int64]
    coefficient_ptr: NDArray[np.int64]
    origin: int
    intercept: int
    penalty: Penalty
    coefficients: Floats
    margin: Floats


@inner_kernel
def copy_penalty(entities: Entities, e: int, precision: Floats, mean: Floats) -> None:
    """Write the ridge of an entity's coefficients, also where one number stands for all."""
    first = entities.coefficient_ptr[e]
    size = entities.coefficient_ptr[e + 1] - first
    shared = entities.penalty
    at = first - entities.origin if len(shared.precision) > 1 else 0
    step = 1 if len(shared.precision) > 1 else 0
    for j in range(size):
        precision[j] = shared.precision[at + step * j]
    at = first - entities.origin if len(shared.mean) > 1 else 0
    step = 1 if len(shared.mean) > 1 else 0
    for j in range(size):
        mean[j] = shared.mean[at + step * j]


@inner_kernel
def add_transposed(
    entities: Entities, e: int, rows: Floats, lane: int, lanes: int, out: Floats
) -> None:
    """Add ``X'v`` to `out`, with ``v`` every `lanes`-th of `rows` from `lane` on."""
    block, intercept = entities.block, entities.intercept
    start = entities.row_ptr[e]
    constant = 0.0
    for i in range(start, entities.row_ptr[e + 1]):
        value = rows[(i - start) * lanes + lane]
        constant += value
        for k in range(block.indptr[i], block.indptr[i + 1]):
            out[intercept + block.indices[k]] += value * block.values[k]
    if intercept:
        out[0] += constant


@inner_kernel
def own_margin(entities: Entities, e: int) -> None:
    """Write an entity's margins at its coefficients."""
    block, intercept = entities.block, entities.intercept
    first = entities.coefficient_ptr[e]
    for i in range(entities.row_ptr[e], entities.row_ptr[e + 1]):
        total = entities.coefficients[first] if intercept else 0.0
        for k in range(block.indptr[i], block.indptr[i + 1]):
            total += entities.coefficients[first + intercept + block.indices[k]] * block.values[k]
        entities.margin[i] = entities.offset[i] + total


@inner_kernel
def ridge(size: int, precision: Floats, mean: Floats, b: Floats) -> float:
    """Return ``sum_j precision_j / 2 (b_j - mean_j)^2``."""
    total = 0.0
    for j in range(size):
        total += 0.5 * precision[j] * (b[j] - mean[j]) * (b[j] - mean[j])
    return total
