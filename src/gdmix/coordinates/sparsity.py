"""Small coefficients become zero.

That happens at the end of every update, so that all that follows from it (scores, objective,
metrics, the updates of other coordinates, checkpoints) is of the model as it is saved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.engine import EntityTable
from gdmix.glm.penalties import Penalty

Floats = NDArray[np.float64]


def drop_small(
    coefficients: Floats, threshold: float, penalty: Penalty, intercepts: NDArray[np.int64]
) -> bool:
    """Set coefficients within `threshold` of zero to zero, in place; tell whether any was.

    Those at `intercepts` stay, and those whose bounds leave zero out.
    """
    small = (np.abs(coefficients) <= threshold) & (coefficients != 0.0)
    small &= (penalty.lower <= 0.0) & (penalty.upper >= 0.0)
    small[intercepts] = False
    coefficients[small] = 0.0
    return bool(small.any())


def without_zeros(table: EntityTable, intercept: int) -> EntityTable:
    """Return the table without the features whose coefficient is zero."""
    entities = len(table.ids)
    owner = np.repeat(np.arange(entities), np.diff(table.feature_ptr))
    at = np.arange(len(table.features)) + intercept * (owner + 1)
    stays = table.coefficients[at] != 0.0
    counts = np.bincount(owner[stays], minlength=entities)
    every = np.ones(len(table.coefficients), np.bool_)
    every[at] = stays
    return table._replace(
        feature_ptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        features=table.features[stays],
        coefficients=table.coefficients[every],
        variances=None if table.variances is None else table.variances[every],
    )
