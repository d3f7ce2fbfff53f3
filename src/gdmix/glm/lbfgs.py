"""L-BFGS: limited-memory quasi-Newton (Nocedal and Wright, 2006, algorithm 7.4).

The initial matrix is the inverse diagonal of the first Hessian, scaled at every step, so columns
of very different magnitude cost few extra iterations. Steps satisfy the weak Wolfe conditions,
found by bisection (Lewis and Overton, Nonsmooth optimization via quasi-Newton methods, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import SmoothFunction
from gdmix.glm.pairs import Pairs
from gdmix.glm.rounding import falls

Floats = NDArray[np.float64]

_WOLFE = 0.9
_MOST_TRIALS = 40


@dataclass(frozen=True)
class LBFGS:
    """Options of the method.

    Attributes
    ----------
    memory : int
        Curvature pairs kept. On ill-conditioned data many pairs save many passes over the rows.
    room : int
        Bytes that the pairs may take; 10 pairs, or `memory` if less, are kept in any case.
    """

    memory: int = 150
    room: int = 32 << 20

    @property
    def edges(self) -> None:
        """None: it minimizes smooth functions alone."""

    def start(self, function: SmoothFunction, point: Point) -> _LBFGSIteration:
        """Prepare to iterate from `point`."""
        diagonal = function.curvature(point.coefficients).diagonal()
        # a pair is two vectors of float64
        fitting = max(10, self.room // (16 * max(1, len(diagonal))))
        memory = min(self.memory, fitting)
        return _LBFGSIteration(function, Pairs(memory), np.where(diagonal > 0.0, diagonal, 1.0))


class _LBFGSIteration:
    def __init__(self, function: SmoothFunction, pairs: Pairs, diagonal: Floats) -> None:
        self._function = function
        self._diagonal = diagonal
        self._pairs = pairs

    def step(self, point: Point) -> Step:
        """Search along the quasi-Newton direction; on failure forget the pairs and try once."""
        direction = -self._pairs.solve(point.gradient, self._diagonal)
        expected = -float(point.gradient @ direction)
        found, trials = _wolfe_search(self._function, point, direction)
        if found is None and self._pairs:
            self._pairs.clear()
            direction = -self._pairs.solve(point.gradient, self._diagonal)
            found, more = _wolfe_search(self._function, point, direction)
            trials += more
        if found is None:
            return Step(point, False, trials, expected)
        self._pairs.add(found.coefficients - point.coefficients, found.gradient - point.gradient)
        return Step(found, True, trials, expected)


def _wolfe_search(
    function: SmoothFunction, point: Point, direction: Floats
) -> tuple[Point | None, int]:
    slope = float(point.gradient @ direction)
    if slope >= 0.0:
        return None, 0
    low, high, length = 0.0, np.inf, 1.0
    best: Point | None = None
    for trial in range(1, _MOST_TRIALS + 1):
        coefficients = point.coefficients + length * direction
        candidate = Point(coefficients, *function.value_and_gradient(coefficients))
        along = float(candidate.gradient @ direction)
        if not falls(point.value, candidate.value, length * slope, length * along):
            high = length
        elif along < _WOLFE * slope:
            low, best = length, candidate
        else:
            return candidate, trial
        length = 2.0 * low if np.isinf(high) else 0.5 * (low + high)
    return best, _MOST_TRIALS
