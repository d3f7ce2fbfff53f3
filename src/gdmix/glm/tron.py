"""TRON: trust-region Newton (Lin, Weng and Keerthi, JMLR 9, 2008; after Lin and Moré, 1999).

The Newton system is solved by conjugate gradients inside the trust region (Steihaug, 1983),
preconditioned by the Hessian's diagonal; every product with the Hessian is one pass over rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import Curvature, SmoothFunction

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
            move, predicted, spent = self._inner(curvature, scale, point.gradient, enough)
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

    def _inner(
        self, curvature: Curvature, scale: Floats, gradient: Floats, enough: float
    ) -> tuple[Floats, float, int]:
        """Return a step, the decrease it promises and the passes it took.

        Norms are in the preconditioner's scale.
        """
        start = -gradient / scale
        move, residual, direction = np.zeros_like(start), start.copy(), start.copy()
        squared = float(residual @ residual)
        target = enough * np.sqrt(squared)
        passes = 0
        while passes < self._options.max_inner:
            passes += 1
            product = curvature.multiply(direction / scale) / scale
            bend = float(direction @ product)
            length = squared / bend if bend > 0.0 else np.inf
            leaves = length == np.inf or np.linalg.norm(move + length * direction) > self._radius
            if leaves:
                length = _to_boundary(move, direction, self._radius)
            move = move + length * direction
            residual = residual - length * product
            following = float(residual @ residual)
            if leaves or np.sqrt(following) <= target:
                break
            direction = residual + following / squared * direction
            squared = following
        # the residual is -g - H move: the quadratic model costs no further pass
        return move / scale, 0.5 * float(move @ (start + residual)), passes


def _to_boundary(move: Floats, direction: Floats, radius: float) -> float:
    """Return how far it is along `direction`; without a boundary, the gradient's length."""
    if np.isinf(radius):
        return 0.0 if np.any(move) else 1.0
    a, b = float(direction @ direction), float(move @ direction)
    c = radius * radius - float(move @ move)
    return float(c / (b + np.sqrt(b * b + a * c)))
