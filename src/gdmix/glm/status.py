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
    TRAINED = 5

    @property
    def ok(self) -> bool:
        """Whether it ended as it was meant to: at the optimum, or a network after its steps."""
        return self in (Status.CONVERGED, Status.TRAINED)

    @property
    def message(self) -> str:
        """What happened, and what to do about it."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "converged",
    Status.TRAINED: "trained for its steps; a network knows no optimum",
    Status.ITERATION_LIMIT: "stopped at max_iterations; raise it, or loosen tolerance",
    Status.NO_PROGRESS: "no further decrease was possible before the gradient was small; "
    "features of very different scale? scale them, or loosen tolerance",
    Status.NOT_FINITE: "the objective is not finite at the start; check offsets and features",
    Status.BOUNDED: "no finite optimum (labels of one class, intercept unpenalized): the intercept "
    "stopped at intercept_bound; penalize_intercept: true gives every entity an optimum",
}
