"""L-BFGS: limited-memory quasi-Newton (Nocedal and Wright, 2006, algorithm 7.4).

The initial matrix is the inverse diagonal of the first Hessian, scaled at every step, so columns
of very different magnitude cost few extra iterations. Where that does not lead to the end soon, and
coefficients are few enough, the inverse of the whole Hessian takes its place: some ten passes then
do on data of any condition. Steps satisfy the weak Wolfe conditions,
found by bisection (Lewis and Overton, Nonsmooth optimization via quasi-Newton methods, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.inverse import inverse_of
from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import SmoothFunction
from gdmix.glm.pairs import Initial, Pairs
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
    whole : int
        Most coefficients for which the whole Hessian is formed.
    patience : int
        Steps after which it is formed, and formed again.
    """

    memory: int = 150
    room: int = 32 << 20
    whole: int = 1024
    patience: int = 12

    @property
    def edges(self) -> None:
        """None: it minimizes smooth functions alone."""

    def start(self, function: SmoothFunction, point: Point) -> _LBFGSIteration:
        """Prepare to iterate from `point`."""
        diagonal = function.curvature(point.coefficients).diagonal()
        # a pair is two vectors of float64
        fitting = max(10, self.room // (16 * max(1, len(diagonal))))
        patience = self.patience if len(diagonal) <= self.whole else None
        diagonal = np.where(diagonal > 0.0, diagonal, 1.0)
        return _LBFGSIteration(function, Pairs(min(self.memory, fitting)), diagonal, patience)


class _LBFGSIteration:
    def __init__(
        self, function: SmoothFunction, pairs: Pairs, diagonal: Floats, patience: int | None
    ) -> None:
        self._function = function
        self._pairs = pairs
        self._initial: Initial = lambda vector: vector / diagonal
        self._patience = patience
        self._steps = 0

    def step(self, point: Point) -> Step:
        """Search along the quasi-Newton direction; on failure forget the pairs and try once."""
        spent = self._renew(point)
        direction = -self._pairs.solve(point.gradient, self._initial)
        expected = -float(point.gradient @ direction)
        found, trials = _wolfe_search(self._function, point, direction)
        if found is None and self._pairs:
            self._pairs.clear()
            direction = -self._pairs.solve(point.gradient, self._initial)
            found, more = _wolfe_search(self._function, point, direction)
            trials += more
        trials += spent
        if found is None:
            return Step(point, False, trials, expected)
        self._pairs.add(found.coefficients - point.coefficients, found.gradient - point.gradient)
        return Step(found, True, trials, expected)

    def _renew(self, point: Point) -> int:
        """Begin with the inverse of the whole Hessian here, when due; return the passes it took."""
        self._steps += 1
        if self._patience is None or self._steps <= self._patience:
            return 0
        self._steps = 0
        inverse = inverse_of(self._function.curvature(point.coefficients).dense())
        if inverse is not None:
            self._initial = inverse.__matmul__
            self._pairs.clear()
        return 1


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
