"""Quasi-Newton for many coefficients under L1 terms and bounds: OWL-QN, projected L-BFGS.

Within the orthant that the least subgradient points to, L1 terms are linear (Andrew and Gao,
Scalable training of L1-regularized log-linear models, 2007); bounds cut that orthant to a box, on
which steps are projected (Bertsekas, Projected Newton methods for optimization problems with
simple constraints, 1982): coefficients at or about to reach an edge go along their own
subgradient, the rest by the quasi-Newton direction. When the pieces stay the same for a few
iterations, the rest goes by Newton's method, its system solved by conjugate gradients: the last
digits then come in a few iterations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.conjugate import conjugate_gradients
from gdmix.glm.minimize import Point, Step
from gdmix.glm.objective import Curvature, SmoothFunction
from gdmix.glm.pairs import Pairs
from gdmix.glm.rounding import falls
from gdmix.glm.subgradient import Edges, least_subgradients

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_MOST_HALVINGS = 40
_SETTLED = 4
_MOST_PRODUCTS = 200


@dataclass(frozen=True)
class Piecewise:
    """Options of the method.

    Attributes
    ----------
    edges : Edges
        L1 terms and bounds.
    memory : int
        Curvature pairs kept; 10 at most from `large` coefficients on.
    large : int
    """

    edges: Edges
    memory: int = 30
    large: int = 100_000

    def start(self, function: SmoothFunction, point: Point) -> _PiecewiseIteration:
        """Prepare to iterate from `point`."""
        memory = self.memory if len(point.gradient) < self.large else min(self.memory, 10)
        return _PiecewiseIteration(function, point, self.edges, Pairs(memory))


class _PiecewiseIteration:
    def __init__(self, function: SmoothFunction, point: Point, edges: Edges, pairs: Pairs) -> None:
        self._function = function
        self._edges = edges
        self._pairs = pairs
        diagonal = function.curvature(point.coefficients).diagonal()
        self._diagonal = np.where(diagonal > 0.0, diagonal, 1.0)
        self._inside = np.zeros(len(diagonal), bool)
        self._settled = 0
        self._first = 0.0

    def _divide(self, vector: Floats) -> Floats:
        return vector / self._diagonal

    def step(self, point: Point) -> Step:
        """Search along a projected direction; on failure fall back to the plainer one."""
        least = np.empty_like(point.gradient)
        least_subgradients(self._edges, point.gradient, point.coefficients, least)
        self._first = self._first or float(np.linalg.norm(least))
        lower, upper = self._piece(point.coefficients, least)
        plain = -least / self._diagonal
        ahead = point.coefficients + plain
        at_edge = (point.coefficients <= lower) | (point.coefficients >= upper)
        inside = (least != 0.0) & ~at_edge & (lower < ahead) & (ahead < upper)
        self._settled = self._settled + 1 if np.array_equal(inside, self._inside) else 0
        self._inside = inside
        spent, expected = 0, 0.0
        kinds = ("newton", "pairs", "plain") if self._settled >= _SETTLED else ("pairs", "plain")
        for kind in kinds:
            direction, products = self._direction(kind, point, least, inside, plain)
            expected = -float(least @ direction)
            found, trials = self._search(point, direction, least, (lower, upper))
            spent += products + trials
            if found is not None:
                turned = found.gradient - point.gradient
                self._pairs.add(found.coefficients - point.coefficients, turned)
                return Step(found, True, spent, expected)
        self._pairs.clear()
        return Step(point, False, spent, expected)

    def _piece(self, b: Floats, least: Floats) -> tuple[Floats, Floats]:
        """Return the box on which the L1 terms are linear, within the bounds."""
        kinked = self._edges.l1 > 0.0
        side = np.where(b != 0.0, np.sign(b), -np.sign(least))
        lower = np.where(kinked & (side >= 0.0), 0.0, -np.inf)
        upper = np.where(kinked & (side <= 0.0), 0.0, np.inf)
        return np.maximum(lower, self._edges.lower), np.minimum(upper, self._edges.upper)

    def _direction(
        self, kind: str, point: Point, least: Floats, inside: Mask, plain: Floats
    ) -> tuple[Floats, int]:
        """Return a direction, and the passes over the rows that it took."""
        if kind == "plain" or not inside.any():
            return plain, 0
        if kind == "pairs":
            return np.where(inside, -self._pairs.solve(least, self._divide, inside), plain), 0
        curvature = self._function.curvature(point.coefficients)
        diagonal = curvature.diagonal()
        self._diagonal = np.where(diagonal > 0.0, diagonal, 1.0)
        own = np.where(inside, least, 0.0)
        enough = min(0.1, np.sqrt(float(np.linalg.norm(least)) / self._first))
        move, _, products = conjugate_gradients(
            _Within(curvature, inside),
            np.sqrt(self._diagonal),
            own,
            np.inf,
            enough,
            _MOST_PRODUCTS,
        )
        return np.where(inside, move, plain), products

    def _search(
        self, point: Point, direction: Floats, least: Floats, piece: tuple[Floats, Floats]
    ) -> tuple[Point | None, int]:
        """Halve the step, projected on the piece, until the objective falls."""
        side = np.where(piece[0] >= 0.0, 1.0, -1.0)
        length = 1.0
        for trial in range(1, _MOST_HALVINGS + 1):
            ahead = np.clip(point.coefficients + length * direction, *piece)
            step = ahead - point.coefficients
            slope = float(least @ step)
            if not slope < 0.0:
                return None, trial - 1
            found = Point(ahead, *self._function.value_and_gradient(ahead))
            along = float((found.gradient + self._edges.l1 * side) @ step)
            if falls(point.value, found.value, slope, along):
                return found, trial
            length *= 0.5
        return None, _MOST_HALVINGS


@dataclass(frozen=True)
class _Within:
    """Rows and columns of a Hessian."""

    whole: Curvature
    inside: Mask

    def multiply(self, vector: Floats) -> Floats:
        product = self.whole.multiply(np.where(self.inside, vector, 0.0))
        return np.where(self.inside, product, 0.0)
