"""Variances of the coefficients of one regression from its Hessian (Laplace's method).

The posterior's Gaussian approximation has the Hessian's inverse as its covariance (Bishop, Pattern
recognition and machine learning, 2006, section 4.4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST_DENSE = 4096
"""Most coefficients for which a fixed effect's Hessian is formed and decomposed."""

_UNTOLD = 1e12


def simple_variances(diagonal: Floats) -> Floats:
    """Return ``1 / diagonal``, infinite where nothing is told of a coefficient."""
    told = (diagonal > 0.0) & np.isfinite(diagonal)
    return np.divide(1.0, diagonal, out=np.full_like(diagonal, np.inf), where=told)


def full_variances(hessian: Floats) -> Floats:
    """Return the diagonal of the inverse, infinite where no more than rounding holds it.

    Parameters
    ----------
    hessian : float64[d, d]
    """
    diagonal = np.diag(hessian)
    told = (diagonal > 0.0) & np.isfinite(diagonal)
    # features may differ in scale by more than a decomposition can stand
    root = np.where(told, np.sqrt(np.where(told, diagonal, 1.0)), 1.0)
    scaled = np.where(np.outer(told, told), hessian / root[:, None] / root, np.eye(len(root)))
    if not np.isfinite(scaled).all():
        return np.full_like(root, np.inf)
    values, vectors = np.linalg.eigh(scaled)
    # an eigenvalue of rounding alone: a coefficient that has part in it is not held
    least = np.finfo(np.float64).eps * len(root) * values[-1]
    own = vectors**2 @ (1.0 / np.maximum(values, least))
    lost = vectors[:, values <= least]
    held = told & (own < _UNTOLD) & ~((lost**2).sum(1) > 1e-8)
    return np.where(held, own / root / root, np.inf)
