"""The memory of a quasi-Newton method: steps, and how they turned the gradient."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Initial = Callable[[Floats], Floats]


class Pairs:
    """Curvature pairs (Nocedal and Wright, 2006, algorithm 7.4).

    Parameters
    ----------
    memory : int
        Pairs kept.
    """

    def __init__(self, memory: int) -> None:
        self._pairs: deque[tuple[Floats, Floats]] = deque(maxlen=memory)

    @property
    def memory(self) -> int | None:
        """Most pairs kept."""
        return self._pairs.maxlen

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        """Forget all."""
        self._pairs.clear()

    def add(self, moved: Floats, turned: Floats) -> None:
        """Remember a step, if the function bends along it beyond rounding."""
        if _bends(moved, turned):
            self._pairs.append((moved, turned))

    def solve(
        self, gradient: Floats, initial: Initial, free: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Return the approximate inverse Hessian times `gradient`.

        Parameters
        ----------
        gradient : float64[d]
        initial : callable
            The initial approximation times a vector; it is scaled by the last pair.
        free : bool[d], optional
            Whose rows and columns of the Hessian count; the others of the result are zero.
        """
        pairs = list(self._pairs)
        q = gradient.copy()
        if free is not None:
            q[~free] = 0.0
            masked = ((np.where(free, a, 0.0), np.where(free, b, 0.0)) for a, b in pairs)
            pairs = [pair for pair in masked if _bends(*pair)]
        inner = [float(moved @ turned) for moved, turned in pairs]
        shares = [0.0] * len(pairs)
        for k in range(len(pairs) - 1, -1, -1):
            shares[k] = float(pairs[k][0] @ q) / inner[k]
            q -= shares[k] * pairs[k][1]
        q = initial(q)
        if pairs:
            turned = pairs[-1][1]
            q *= inner[-1] / float(turned @ initial(turned))
        for k, (moved, turned) in enumerate(pairs):
            q += (shares[k] - float(turned @ q) / inner[k]) * moved
        return q


def _bends(moved: Floats, turned: Floats) -> bool:
    least = 1e-14 * float(np.linalg.norm(moved) * np.linalg.norm(turned))
    return float(moved @ turned) > least
