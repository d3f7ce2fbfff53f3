"""Losses of the margin, and the bridge that lets compiled kernels call them.

A loss is a value whose *type* numba can see: a NamedTuple. Its methods are plain Python, so the
same class runs in tests without a compiler. With ``s`` a row's margin (its whole score) and ``y``
its label, a loss gives ``value``, and its first and second derivative in ``s``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from numba import types
from numba.extending import overload_method

from gdmix.glm.elementary import exp, log1p_of_fraction


class Loss(Protocol):
    """What a kernel asks of a loss."""

    def value(self, margin: float, label: float) -> float:
        """Return the loss."""

    def d1(self, margin: float, label: float) -> float:
        """Return the slope in the margin."""

    def d2(self, margin: float, label: float) -> float:
        """Return the curvature in the margin."""

    def saturates(self) -> bool:
        """Tell whether labels of one class push the margin on for ever."""

    def binary(self) -> bool:
        """Tell whether labels are 0 and 1, for the two sides of a boundary."""


class Logistic(NamedTuple):
    """``log(1 + exp(s)) - y s`` for labels 0 and 1: minus the Bernoulli log-likelihood.

    It is computed as ``log(1 + exp(t))`` with ``t = s`` or ``-s``, away from the label: no large
    numbers cancel, so that a small loss keeps its digits and a sum of them tells progress from
    rounding. All three share one ``exp(-|s|)``, which the compiler computes once.
    """

    # numba cannot type a NamedTuple without fields
    kind: int = 0

    def value(self, margin: float, label: float) -> float:
        """Return ``log(1 + exp(s)) - y s``."""
        away = (1.0 - 2.0 * label) * margin
        return max(away, 0.0) + log1p_of_fraction(exp(-abs(margin)))

    def d1(self, margin: float, label: float) -> float:
        """Return ``p - y``, with ``p = 1 / (1 + exp(-s))``."""
        side = 1.0 - 2.0 * label
        small = exp(-abs(margin))
        return side * (1.0 if side * margin >= 0.0 else small) / (1.0 + small)

    def d2(self, margin: float, label: float) -> float:
        """Return ``p (1 - p)``."""
        small = exp(-abs(margin))
        return small / ((1.0 + small) * (1.0 + small))

    def saturates(self) -> bool:
        """Return True: with labels all 1 the loss falls as long as the margin grows."""
        return True

    def binary(self) -> bool:
        """Return True: labels are 0 and 1."""
        return True


class Squared(NamedTuple):
    """``(s - y)^2 / 2``: minus the Gaussian log-likelihood at unit variance."""

    kind: int = 0

    def value(self, margin: float, label: float) -> float:
        """Return ``(s - y)^2 / 2``."""
        return 0.5 * (margin - label) * (margin - label)

    def d1(self, margin: float, label: float) -> float:
        """Return ``s - y``."""
        return margin - label

    def d2(self, margin: float, label: float) -> float:
        """Return 1."""
        return 1.0

    def saturates(self) -> bool:
        """Return False: there is a best margin for any labels."""
        return False

    def binary(self) -> bool:
        """Return False: labels are any numbers."""
        return False


class Poisson(NamedTuple):
    """``exp(s) - y s`` for counts: minus the Poisson log-likelihood, but for ``log(y!)``."""

    kind: int = 0

    def value(self, margin: float, label: float) -> float:
        """Return ``exp(s) - y s``."""
        return exp(margin) - label * margin

    def d1(self, margin: float, label: float) -> float:
        """Return ``exp(s) - y``."""
        return exp(margin) - label

    def d2(self, margin: float, label: float) -> float:
        """Return ``exp(s)``."""
        return exp(margin)

    def saturates(self) -> bool:
        """Return True: with labels all 0 the loss falls as long as the margin does."""
        return True

    def binary(self) -> bool:
        """Return False: labels are counts."""
        return False


class SmoothedHinge(NamedTuple):
    """The smooth hinge for labels 0 and 1 (Rennie, Smooth hinge classification, 2005).

    With ``z = s`` for label 1 and ``-s`` for label 0: ``1/2 - z`` up to 0, ``(1 - z)^2 / 2`` up to
    1, then 0.
    """

    kind: int = 0

    def value(self, margin: float, label: float) -> float:
        """Return the loss."""
        short = 1.0 - (2.0 * label - 1.0) * margin
        inside = min(max(short, 0.0), 1.0)
        return 0.5 * inside * inside + max(short - 1.0, 0.0)

    def d1(self, margin: float, label: float) -> float:
        """Return the slope: minus the side times what lacks to a margin of 1, at most 1."""
        side = 2.0 * label - 1.0
        return -side * min(max(1.0 - side * margin, 0.0), 1.0)

    def d2(self, margin: float, label: float) -> float:
        """Return 1 where the loss bends, else 0."""
        short = 1.0 - (2.0 * label - 1.0) * margin
        return 1.0 if 0.0 < short < 1.0 else 0.0

    def saturates(self) -> bool:
        """Return False: from a margin of 1 on there is nothing to gain."""
        return False

    def binary(self) -> bool:
        """Return True: labels are 0 and 1."""
        return True


_LOSSES: tuple[type, ...] = (Logistic, Squared, Poisson, SmoothedHinge)


def _bridge(method: str) -> None:
    """Let compiled code call `method` of any loss."""

    def resolve(self: Any, margin: Any, label: Any) -> Callable[..., float] | None:  # noqa: ANN401
        if self.instance_class in _LOSSES:
            found: Callable[..., float] = getattr(self.instance_class, method)
            return found
        return None

    # numba insists that the resolver's signature is the method's, annotations included
    resolve.__signature__ = inspect.signature(getattr(Logistic, method))  # type: ignore[attr-defined]
    overload_method(types.NamedUniTuple, method)(resolve)


for _method in ("value", "d1", "d2"):
    _bridge(_method)
