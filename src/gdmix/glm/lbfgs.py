"""L-BFGS: limited-memory quasi-Newton (Nocedal and Wright, 2006, algorithm 7.4).

The initial matrix is the inverse diagonal of the first Hessian, scaled at every step, so columns
of very different magnitude cost few extra iterations. Steps satisfy the weak Wolfe conditions,
found by bisection (Lewis and Overton, Nonsmooth optimization via quasi-Newton methods, 2013).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import SmoothFunction

Floats = NDArray[np.float64]

_ARMIJO = 1e-4
_WOLFE = 0.9
_MOST_TRIALS = 40


@dataclass(frozen=True)
class LBFGS:
    """Options of the method.

    Attributes
    ----------
    memory : int
        Curvature pairs kept. More pairs save passes over the rows on ill-conditioned data.
    large : int
        From this many coefficients on, 10 pairs are kept at most, to save memory.
    """

    memory: int = 30
    large: int = 100_000

    def start(self, function: SmoothFunction, point: Point) -> _LBFGSIteration:
        """Prepare to iterate from `point`."""
        diagonal = function.curvature(point.coefficients).diagonal()
        memory = self.memory if len(diagonal) < self.large else min(self.memory, 10)
        return _LBFGSIteration(function, memory, np.where(diagonal > 0.0, diagonal, 1.0))


class _LBFGSIteration:
    def __init__(self, function: SmoothFunction, memory: int, diagonal: Floats) -> None:
        self._function = function
        self._diagonal = diagonal
        self._pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=memory)

    def step(self, point: Point) -> Step:
        """Search along the quasi-Newton direction; on failure forget the pairs and try once."""
        direction = self._direction(point.gradient)
        expected = -float(point.gradient @ direction)
        found, trials = _wolfe_search(self._function, point, direction)
        if found is None and self._pairs:
            self._pairs.clear()
            direction = self._direction(point.gradient)
            found, more = _wolfe_search(self._function, point, direction)
            trials += more
        if found is None:
            return Step(point, False, trials, expected)
        moved, turned = found.coefficients - point.coefficients, found.gradient - point.gradient
        inner = float(moved @ turned)
        if inner > 1e-14 * float(np.linalg.norm(moved) * np.linalg.norm(turned)):
            self._pairs.append((moved, turned, inner))
        return Step(found, True, trials, expected)

    def _direction(self, gradient: Floats) -> Floats:
        q = gradient.copy()
        shares = []
        for moved, turned, inner in reversed(self._pairs):
            share = float(moved @ q) / inner
            shares.append(share)
            q -= share * turned
        q /= self._diagonal
        if self._pairs:
            _, turned, inner = self._pairs[-1]
            q *= inner / float(turned @ (turned / self._diagonal))
        for (moved, turned, inner), share in zip(self._pairs, reversed(shares), strict=True):
            q += (share - float(turned @ q) / inner) * moved
        return -q


def _wolfe_search(
    function: SmoothFunction, point: Point, direction: Floats
) -> tuple[Point | None, int]:
    slope = float(point.gradient @ direction)
    if slope >= 0.0:
        return None, 0
    slack = 8.0 * float(np.finfo(np.float64).eps) * abs(point.value)
    low, high, length = 0.0, np.inf, 1.0
    best: Point | None = None
    for trial in range(1, _MOST_TRIALS + 1):
        coefficients = point.coefficients + length * direction
        candidate = Point(coefficients, *function.value_and_gradient(coefficients))
        decrease = point.value - candidate.value
        if not np.isfinite(candidate.value) or decrease < -_ARMIJO * length * slope - slack:
            high = length
        elif float(candidate.gradient @ direction) < _WOLFE * slope:
            low, best = length, candidate
        else:
            return candidate, trial
        length = 2.0 * low if np.isinf(high) else 0.5 * (low + high)
    return best, _MOST_TRIALS
