"""Conjugate gradients for a Newton step inside a trust region (Steihaug, 1983)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)


class Product(Protocol):
    """A symmetric matrix as conjugate gradients see it."""

    def multiply(self, vector: Floats) -> Floats:
        """Return the matrix times `vector`."""


def conjugate_gradients(
    curvature: Product,
    scale: Floats,
    gradient: Floats,
    radius: float,
    enough: float,
    most: int,
) -> tuple[Floats, float, int]:
    """Minimize the quadratic model with this Hessian and gradient.

    Parameters
    ----------
    curvature : Product
    scale : float64[d]
        Root of the preconditioner; norms are in its scale.
    gradient : float64[d]
    radius : float
        The step's norm is at most this.
    enough : float
        Stop when the residual is below this times the gradient.
    most : int
        Steps at most, each one product.

    Returns
    -------
    tuple of float64[d], float, int
        The step, the decrease it promises and the products it took.
    """
    start = -gradient / scale
    move, residual, direction = np.zeros_like(start), start.copy(), start.copy()
    squared = float(residual @ residual)
    target = enough * np.sqrt(squared)
    passes = 0
    while passes < most:
        passes += 1
        product = curvature.multiply(direction / scale) / scale
        bend = float(direction @ product)
        # in the preconditioner's scale the diagonal is 1: less than this is rounding
        flat = bend <= _EPS * float(direction @ direction)
        length = np.inf if flat else squared / bend
        leaves = flat or np.linalg.norm(move + length * direction) > radius
        if leaves:
            length = _to_boundary(move, direction, radius)
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
