"""`EntityModel`: what a random effect learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.ids import positions
from gdmix.engine import Column, Engine, EntityTable, Rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EntityModel:
    """One coefficient vector for each entity.

    Attributes
    ----------
    shard : str
        The features it reads.
    entity : str
        The column that holds entity ids.
    intercept : int
        1 when each entity's first coefficient is an intercept.
    table : EntityTable
    """

    shard: str
    entity: str
    intercept: int
    table: EntityTable

    def score(self, engine: Engine, rows: Rows) -> Column:
        """Return the score of this part alone; 0 for entities without a model."""
        return engine.entity_scores(rows, self.shard, self.entity, self.intercept, self.table)

    def positions(self) -> NDArray[np.int64]:
        """Return where each coefficient lies in a vector of all features' coefficients."""
        table, intercept = self.table, self.intercept
        features = intercept + table.features.astype(np.int64)
        return np.insert(features, table.feature_ptr[:-1], 0) if intercept else features

    def position(self, entity_id: object) -> int:
        """Return where an entity's coefficients lie, -1 when there is no model for it."""
        return int(positions(pa.array([entity_id]), self.table.ids)[0])

    def coefficients_of(self, position: int) -> tuple[float, NDArray[np.int32], Floats]:
        """Return intercept, feature indices and coefficients of the entity at `position`."""
        table = self.table
        first, end = table.feature_ptr[position], table.feature_ptr[position + 1]
        base = first + position * self.intercept
        intercept = float(table.coefficients[base]) if self.intercept else 0.0
        start = base + self.intercept
        return intercept, table.features[first:end], table.coefficients[start : start + end - first]

    def split(self, numbers: Floats | None = None) -> tuple[Floats, Floats]:
        """Return all intercepts, float64[entities], and all features' coefficients.

        With `numbers` for every coefficient, such as their variances, these are split.
        """
        table = self.table
        numbers = table.coefficients if numbers is None else numbers
        if not self.intercept:
            return np.zeros(len(table.ids)), numbers
        at = table.feature_ptr[:-1] + np.arange(len(table.ids))
        is_feature = np.ones(len(numbers), bool)
        is_feature[at] = False
        return numbers[at], numbers[is_feature]
