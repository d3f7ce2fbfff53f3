"""TRON: trust-region Newton (Lin, Weng and Keerthi, JMLR 9, 2008; after Lin and Moré, 1999).

The Newton system is solved by conjugate gradients inside the trust region (Steihaug, 1983),
preconditioned by the Hessian's diagonal; every product with the Hessian is one pass over rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.conjugate import conjugate_gradients
from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import SmoothFunction

Floats = NDArray[np.float64]

_ACCEPT = 1e-4
_POOR, _GOOD = 0.25, 0.75
_SHRINK, _GROW = 0.25, 4.0


@dataclass(frozen=True)
class TRON:
    """Options of the method.

    Attributes
    ----------
    max_inner : int
        Most conjugate-gradient steps in one iteration.
    max_failures : int
        Times in a row the trust region may shrink without a better point.
    """

    max_inner: int = 200
    max_failures: int = 20

    @property
    def edges(self) -> None:
        """None: it minimizes smooth functions alone."""

    def start(self, function: SmoothFunction, point: Point) -> _TRONIteration:
        """Prepare to iterate from `point`."""
        return _TRONIteration(function, self)


class _TRONIteration:
    def __init__(self, function: SmoothFunction, options: TRON) -> None:
        self._function = function
        self._options = options
        self._radius = np.inf
        self._first = 0.0

    def step(self, point: Point) -> Step:
        """Move to the best point of the quadratic model inside the trust region."""
        curvature = self._function.curvature(point.coefficients)
        diagonal = curvature.diagonal()
        scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        size = float(np.linalg.norm(point.gradient))
        self._first = self._first or size
        # superlinear convergence: solve the more exactly the nearer the optimum
        enough = min(0.1, np.sqrt(size / self._first))
        evaluations = 1
        predicted = 0.0
        for _ in range(self._options.max_failures):
            move, predicted, spent = conjugate_gradients(
                curvature, scale, point.gradient, self._radius, enough, self._options.max_inner
            )
            coefficients = point.coefficients + move
            found = Point(coefficients, *self._function.value_and_gradient(coefficients))
            evaluations += spent + 1
            slack = 8.0 * float(np.finfo(np.float64).eps) * abs(point.value)
            actual = point.value - found.value
            ratio = (actual + slack) / (predicted + slack) if np.isfinite(actual) else -1.0
            self._resize(ratio, float(np.linalg.norm(scale * move)))
            if ratio > _ACCEPT:
                return Step(found, True, evaluations, predicted)
        return Step(point, False, evaluations, predicted)

    def _resize(self, ratio: float, length: float) -> None:
        if ratio < _POOR:
            self._radius = _SHRINK * min(self._radius, length)
        elif ratio > _GOOD and length >= 0.99 * self._radius:
            self._radius *= _GROW
