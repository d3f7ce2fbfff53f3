"""The one outer loop of every optimizer: iteration, limits, non-finite values, status, trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.objective import SmoothFunction
from gdmix.glm.status import Status

Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_MOST_STALLED = 5


class Point(NamedTuple):
    """A point and what is known of the function there.

    Attributes
    ----------
    coefficients : float64[d]
    value : float
    gradient : float64[d]
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
        Norm of the gradient, relative to that at zero coefficients.
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
) -> Minimum:
    """Minimize a smooth convex function.

    Parameters
    ----------
    function : SmoothFunction
    start : float64[d]
        Where to begin.
    method : Method
        `LBFGS` or `TRON`.
    tolerance : float
        Stop when the gradient's norm is below this times its norm at zero coefficients: the same
        meaning for any number of rows and for a warm start.
    max_iterations : int
    """
    point = Point(start, *function.value_and_gradient(start))
    evaluations = 1
    reference = float(np.linalg.norm(point.gradient))
    if np.any(start):
        reference = float(np.linalg.norm(function.value_and_gradient(np.zeros_like(start))[1]))
        evaluations += 1
    lowest = float(np.linalg.norm(point.gradient))
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
        size = float(np.linalg.norm(point.gradient))
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


def _verdict(last: Record, target: float, max_iterations: int) -> Status | None:
    if not np.isfinite(last.value) or not np.isfinite(last.gradient_norm):
        return Status.NOT_FINITE
    if last.gradient_norm <= target:
        return Status.CONVERGED
    return Status.ITERATION_LIMIT if last.iteration >= max_iterations else None
