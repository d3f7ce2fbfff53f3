"""How a solver stopped: a value that carries its message."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Reason for stopping. Failure is data beside the coefficients, never silence."""

    CONVERGED = 0
    ITERATION_LIMIT = 1
    NO_PROGRESS = 2
    NOT_FINITE = 3
    BOUNDED = 4

    @property
    def ok(self) -> bool:
        """Whether the coefficients are the optimum."""
        return self is Status.CONVERGED

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "converged",
    Status.ITERATION_LIMIT: "stopped at max_iterations; raise it, or loosen tolerance",
    Status.NO_PROGRESS: "no further decrease was possible before the gradient was small; "
    "features of very different scale? scale them, or loosen tolerance",
    Status.NOT_FINITE: "the objective is not finite at the start; check offsets and features",
    Status.BOUNDED: "no finite optimum (labels of one class, intercept unpenalized): the intercept "
    "stopped at intercept_bound; penalize_intercept: true gives every entity an optimum",
}
