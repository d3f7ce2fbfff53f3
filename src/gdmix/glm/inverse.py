"""The inverse of a whole Hessian, as the initial matrix of a quasi-Newton method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST_SHARE = 1e-10


def inverse_of(hessian: Floats) -> Floats | None:
    """Return a positive definite inverse, None where the Hessian is not finite.

    A direction in which the Hessian, its diagonal scaled to 1, bends less than a share of 1e-10 of
    the most counts as bent that much: steps along it stay finite.

    Parameters
    ----------
    hessian : float64[d, d]
        Symmetric, positive semi-definite.
    """
    if not np.isfinite(hessian).all():
        return None
    diagonal = np.diag(hessian)
    root = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    # a column of zeros without a penalty: any curvature will do
    scaled = hessian / root[:, None] / root + np.diag(np.where(diagonal > 0.0, 0.0, 1.0))
    values, vectors = np.linalg.eigh(scaled)
    values = np.maximum(values, _LEAST_SHARE * values[-1])
    inverse: Floats = (vectors / values) @ vectors.T / root[:, None] / root
    return inverse
