"""`LinearModel`: what a fixed effect learnt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gdmix.engine import Column, Engine, Rows
from gdmix.glm.kernels import Block
from gdmix.glm.passes import multiply

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """One coefficient vector for all samples.

    Attributes
    ----------
    shard : str
        The features it reads.
    intercept : int
        1 when the first coefficient is an intercept.
    coefficients : float64[intercept + features]
    variances : float64[intercept + features] or None
        Of the coefficients, where they were asked for.
    """

    shard: str
    intercept: int
    coefficients: Floats
    variances: Floats | None = None

    def positions(self) -> NDArray[np.int64]:
        """Return where each coefficient lies in a vector of all features' coefficients."""
        return np.arange(len(self.coefficients))

    def score(self, engine: Engine, rows: Rows) -> Column:
        """Return the score of this part alone."""
        full = engine.full(rows, self.shard)
        function = partial(_margins, full, self.intercept, self.coefficients)
        return engine.map(function, rows, self.shard)


def _margins(full: int, intercept: int, coefficients: Floats, block: Block) -> Floats:
    out = np.empty(len(block.label))
    multiply(block, full, coefficients, intercept, out)
    return out
