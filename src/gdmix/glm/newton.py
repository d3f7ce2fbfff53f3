"""Newton's method with the whole Hessian, for few coefficients; exact under L1 terms and bounds.

A smooth problem takes a Cholesky factorization a step. L1 terms and bounds are kept in the
quadratic model (Lee, Sun and Saunders, Proximal Newton-type methods for minimizing composite
functions, 2014), which `model_dense` minimizes. A model whose step proves too long is damped
(Levenberg and Marquardt), which a loss without curvature needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.minimize import Point, Step
from gdmix.glm.model_dense import minimize_dense
from gdmix.glm.objective import SmoothFunction
from gdmix.glm.rounding import falls
from gdmix.glm.subgradient import Edges, least_subgradients
from gdmix.jit import kernel

Floats = NDArray[np.float64]

_FIRST_DAMPING, _MOST_DAMPING = 1e-4, 1e8
_LEAST_SHARE = 1e-14
_MOST_HALVINGS = 12


@dataclass(frozen=True)
class Newton:
    """Options of the method.

    Attributes
    ----------
    edges : Edges or None
        L1 terms and bounds.
    """

    edges: Edges | None = None

    def start(self, function: SmoothFunction, point: Point) -> _NewtonIteration:
        """Prepare to iterate from `point`."""
        return _NewtonIteration(function, self.edges)


class _NewtonIteration:
    def __init__(self, function: SmoothFunction, edges: Edges | None) -> None:
        self._function = function
        self._edges = edges
        self._damping = 0.0
        self._first = 0.0

    def step(self, point: Point) -> Step:
        """Go to the minimum of the model, or towards it; damp the model where that leads up."""
        hessian = self._function.curvature(point.coefficients).dense()
        # the pass for the Hessian
        evaluations, most = 1, 0.0
        while True:
            target = self._model(hessian, point)
            found, promise, trials = self._search(point, target)
            most = max(most, promise)
            evaluations += trials
            if found is not None:
                if trials > 2:
                    self._damp()
                elif trials == 1:
                    damping = 0.1 * self._damping
                    self._damping = damping if damping > 0.1 * _FIRST_DAMPING else 0.0
                return Step(found, True, evaluations, most)
            if self._damping >= _MOST_DAMPING:
                return Step(point, False, evaluations, most)
            self._damp()

    def _damp(self) -> None:
        self._damping = max(10.0 * self._damping, _FIRST_DAMPING)

    def _model(self, hessian: Floats, point: Point) -> Floats:
        """Return the minimum of the quadratic model, L1 terms and bounds included."""
        diagonal = np.diag(hessian)
        scale = np.where(diagonal > 0.0, diagonal, 1.0)
        # a column of zeros without a penalty: any curvature will do
        damped = hessian + np.diag(self._damping * scale + np.where(diagonal > 0.0, 0.0, 1.0))
        if self._edges is None:
            return point.coefficients - _solve(damped, point.gradient)
        least = np.empty_like(point.gradient)
        least_subgradients(self._edges, point.gradient, point.coefficients, least)
        size = float(np.linalg.norm(least))
        self._first = self._first or size
        enough = min(0.1, size / self._first) * size
        out = np.empty_like(least)
        minimize_model(self._edges, damped, point.gradient, point.coefficients, enough, out)
        return out

    def _search(self, point: Point, target: Floats) -> tuple[Point | None, float, int]:
        """Halve the step until the objective falls; return what it promised and the trials."""
        l1 = 0.0 if self._edges is None else self._edges.l1
        step = target - point.coefficients
        change = float(np.sum(l1 * (np.abs(target) - np.abs(point.coefficients))))
        slope = float(point.gradient @ step) + change
        if not np.isfinite(slope):
            return None, np.inf, 0
        if slope >= 0.0:
            return None, 0.0, 0
        length = 1.0
        for trial in range(1, _MOST_HALVINGS + 1):
            # a whole step ends at the model's own zeros and bounds, to the bit
            ahead = target if length == 1.0 else point.coefficients + length * step
            found = Point(ahead, *self._function.value_and_gradient(ahead))
            # the slope at the end, as seen from where the step comes from
            side = np.where(ahead != 0.0, np.sign(ahead), np.sign(point.coefficients))
            along = float(found.gradient @ step + np.sum(l1 * side * step))
            if falls(point.value, found.value, length * slope, length * along):
                return found, -slope, trial
            length *= 0.5
        return None, -slope, _MOST_HALVINGS


@kernel
def minimize_model(
    edges: Edges, hessian: Floats, gradient: Floats, b: Floats, enough: float, out: Floats
) -> None:
    """Write the minimum of the model around `b` with this Hessian and gradient."""
    d = len(b)
    vectors = np.empty((4, d))
    minimize_dense(
        edges, hessian, gradient, b, enough, np.empty((d, d)), vectors, np.empty(d, np.int64)
    )
    for j in range(d):
        out[j] = vectors[0, j]


def _solve(hessian: Floats, gradient: Floats) -> Floats:
    """Return ``H^-1 g``; directions that rounding alone holds are left out."""
    root = np.sqrt(np.diag(hessian))
    scaled = hessian / root[:, None] / root
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        factor = None
    if factor is not None and float(np.diag(factor).min()) ** 2 > _LEAST_SHARE * len(gradient):
        return np.asarray(np.linalg.solve(scaled, gradient / root) / root)
    if not np.isfinite(scaled).all():
        return np.full_like(gradient, np.nan)
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _LEAST_SHARE * len(gradient) * values[-1]
    parts = vectors[:, kept].T @ (gradient / root)
    return np.asarray(vectors[:, kept] @ (parts / values[kept]) / root)
