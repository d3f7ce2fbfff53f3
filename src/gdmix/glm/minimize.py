"""The one outer loop of every optimizer: iteration, limits, non-finite values, status, trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.objective import Curvature, SmoothFunction
from gdmix.glm.status import Status
from gdmix.glm.subgradient import Edges, least_subgradients

Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_MOST_STALLED = 30
"""Steps without a visible decrease or a smaller gradient: that of a quasi-Newton method goes up
and down for a while before it falls."""


class Point(NamedTuple):
    """A point and what is known of the function there.

    Attributes
    ----------
    coefficients : float64[d]
    value : float
        L1 terms included.
    gradient : float64[d]
        Of the smooth part.
    """

    coefficients: Floats
    value: float
    gradient: Floats


class Step(NamedTuple):
    """What one iteration of a method did.

    Attributes
    ----------
    point : Point
        The next point; the old one when nothing better was found.
    moved : bool
        Whether the point is a new one.
    evaluations : int
        Passes over the rows this took.
    expected : float
        Decrease that the method's model of the function still promised.
    """

    point: Point
    moved: bool
    evaluations: int
    expected: float


class Method(Protocol):
    """An optimizer: options in a frozen object, memory in what `start` returns."""

    @property
    def edges(self) -> Edges | None:
        """L1 terms and bounds that the method minimizes under; None for a smooth function."""

    def start(self, function: SmoothFunction, point: Point) -> Iteration:
        """Prepare to iterate from `point`."""


class Iteration(Protocol):
    """A method at work."""

    def step(self, point: Point) -> Step:
        """Take one step."""


class Record(NamedTuple):
    """One line of the trace: the state after an iteration."""

    iteration: int
    value: float
    gradient_norm: float
    evaluations: int


@dataclass(frozen=True)
class Minimum:
    """What a minimization found, and how it went.

    Attributes
    ----------
    coefficients : float64[d]
    value : float
    gradient : float
        Norm of the gradient, relative to that at zero coefficients; of the least subgradient
        within the bounds where there are L1 terms or bounds.
    iterations : int
    evaluations : int
        Passes over the rows.
    status : Status
    trace : tuple of Record
    """

    coefficients: Floats
    value: float
    gradient: float
    iterations: int
    evaluations: int
    status: Status
    trace: tuple[Record, ...]


def minimize(
    function: SmoothFunction,
    start: Floats,
    method: Method,
    *,
    tolerance: float,
    max_iterations: int,
    slope_at_zero: Floats | None = None,
) -> Minimum:
    """Minimize a convex function: a smooth one, and the method's L1 terms and bounds.

    Parameters
    ----------
    function : SmoothFunction
    start : float64[d]
        Where to begin; moved into the bounds.
    method : Method
        `LBFGS`, `TRON`, `Newton` or `Piecewise`.
    tolerance : float
        Stop when the gradient's norm is below this times its norm at zero coefficients: the same
        meaning for any number of rows and for a warm start.
    max_iterations : int
    slope_at_zero : float64[d], optional
        Part of the gradient at zero that is no measure of the rows: that of a prior, whose weight
        knows no limit.
    """
    edges = method.edges
    if edges is not None:
        start = np.clip(start, edges.lower, edges.upper)
        function = Edged(function, edges)
    point = Point(start, *function.value_and_gradient(start))
    evaluations, at_zero = 1, point.gradient
    if np.any(start):
        at_zero = function.value_and_gradient(np.zeros_like(start))[1]
        evaluations += 1
    reference = float(np.linalg.norm(at_zero if slope_at_zero is None else at_zero - slope_at_zero))
    lowest = _steepness(edges, point)
    trace = [Record(0, point.value, lowest, evaluations)]
    target = max(tolerance * reference, 64.0 * _EPS * lowest)
    iteration: Iteration | None = None
    stalled = 0
    while True:
        status = _verdict(trace[-1], target, max_iterations)
        if status is not None:
            break
        iteration = iteration or method.start(function, point)
        before = point.value
        point, moved, spent, expected = iteration.step(point)
        evaluations += spent
        # when the model promises less than rounding can show, this is the optimum
        rounding = 64.0 * _EPS * abs(point.value)
        end = Status.CONVERGED if expected <= rounding else Status.NO_PROGRESS
        if not moved:
            status = end
            break
        size = _steepness(edges, point)
        trace.append(Record(len(trace), point.value, size, evaluations))
        stalled = stalled + 1 if before - point.value <= rounding and size >= lowest else 0
        lowest = min(lowest, size)
        if stalled == _MOST_STALLED:
            status = end
            break
    last = trace[-1]
    return Minimum(
        coefficients=point.coefficients,
        value=point.value,
        gradient=last.gradient_norm / reference if reference else 0.0,
        iterations=last.iteration,
        evaluations=evaluations,
        status=status,
        trace=tuple(trace),
    )


@dataclass(frozen=True)
class Edged:
    """A smooth function whose value has the L1 terms, too; its gradient is that of old."""

    smooth: SmoothFunction
    edges: Edges

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the whole value, and the gradient of the smooth part."""
        value, gradient = self.smooth.value_and_gradient(coefficients)
        return value + float(self.edges.l1 @ np.abs(coefficients)), gradient

    def curvature(self, coefficients: Floats) -> Curvature:
        """Return the Hessian of the smooth part."""
        return self.smooth.curvature(coefficients)


def _steepness(edges: Edges | None, point: Point) -> float:
    if edges is None:
        return float(np.linalg.norm(point.gradient))
    least = np.empty_like(point.gradient)
    least_subgradients(edges, point.gradient, point.coefficients, least)
    return float(np.linalg.norm(least))


def _verdict(last: Record, target: float, max_iterations: int) -> Status | None:
    if not np.isfinite(last.value) or not np.isfinite(last.gradient_norm):
        return Status.NOT_FINITE
    if last.gradient_norm <= target:
        return Status.CONVERGED
    return Status.ITERATION_LIMIT if last.iteration >= max_iterations else None
