"""`Mixed`: the named parts of a model and the features they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gdmix.data.index import FeatureIndex
from gdmix.data.statistics import Statistics
from gdmix.engine import Column, Engine, Rows
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.representation import completed, places

Part = LinearModel | EntityModel | DeepModel


@dataclass(frozen=True, eq=False)
class Mixed:
    """The score of a sample is its offset plus the sum of its parts' scores.

    Attributes
    ----------
    parts : dict of str to LinearModel, EntityModel or DeepModel
        By coordinate, in the update sequence.
    indexes : dict of str to FeatureIndex
        By shard.
    statistics : dict of str to Statistics
        Of the training data, by shard, where they were asked for.
    """

    parts: Mapping[str, Part]
    indexes: Mapping[str, FeatureIndex]
    statistics: Mapping[str, Statistics] = field(default_factory=dict)

    def scores(self, engine: Engine, rows: Rows) -> dict[str, Column]:
        """Return the score of every part alone."""
        units = {n: part.units for n, part in self.parts.items() if isinstance(part, DeepModel)}
        rows = completed(engine, rows, places(self.indexes, units), self.parts)
        return {name: part.score(engine, rows) for name, part in self.parts.items()}

    def index_of(self, coordinate: str) -> FeatureIndex:
        """Return the features that a coordinate reads."""
        return self.indexes[self.parts[coordinate].shard]
