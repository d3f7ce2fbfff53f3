"""How the learning rate rises and falls."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["linear", "cosine", "constant"]


def rate_at(step: int, steps: int, warmup: int, schedule: Schedule) -> float:
    """Return the share of the largest learning rate that an update has.

    It rises evenly over the first `warmup` updates, the last of which has all of it; then it
    falls, and would be zero at the update after the last one.

    Parameters
    ----------
    step : int
        Updates done before this one.
    steps : int
        Updates in all.
    warmup : int
        Updates in which the rate rises.
    schedule : {"linear", "cosine", "constant"}

    >>> [rate_at(step, 6, 2, "linear") for step in range(6)]
    [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    # a rate of zero is not below it, where a run is asked for more than its steps
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
