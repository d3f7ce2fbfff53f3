"""`EntityModel`: what a random effect learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.ids import positions
from gdmix.engine import Column, Engine, EntityTable, Rows
from gdmix.glm.alignment import score_rows
from gdmix.glm.kernels import Block

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
        known = engine.entity_positions(rows, self.entity, self.table.ids)
        return self.score_at(engine, rows, known)

    def score_at(self, engine: Engine, rows: Rows, entity: Column) -> Column:
        """Return the score of rows whose entities lie at `entity`; 0 where that is -1."""
        table = self.table

        def margins(block: Block, entity: NDArray[np.int32]) -> Floats:
            out = np.empty(len(block.label))
            score_rows(
                block.indptr,
                block.indices,
                block.values,
                entity,
                table.feature_ptr,
                table.features,
                table.coefficients,
                self.intercept,
                out,
            )
            return out

        return engine.map(margins, rows, self.shard, (entity,))

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

    def split(self) -> tuple[Floats, Floats]:
        """Return all intercepts, float64[entities], and all features' coefficients."""
        table = self.table
        if not self.intercept:
            return np.zeros(len(table.ids)), table.coefficients
        at = table.feature_ptr[:-1] + np.arange(len(table.ids))
        is_feature = np.ones(len(table.coefficients), bool)
        is_feature[at] = False
        return table.coefficients[at], table.coefficients[is_feature]
