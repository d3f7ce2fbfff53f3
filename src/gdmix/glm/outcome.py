"""What is asked of the solver of many small problems, and what it tells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Problem(NamedTuple):
    """What all entities of a random effect share.

    Attributes
    ----------
    intercept : int
        1 when coefficients begin with an intercept.
    bound : float
        Largest absolute value of an unpenalized intercept.
    tolerance : float
        Stop when the gradient's norm is below this times its norm at zero coefficients.
    max_iterations : int
    """

    intercept: int
    bound: float
    tolerance: float
    max_iterations: int


class Outcome(NamedTuple):
    """One value for every entity.

    Attributes
    ----------
    status : int8[entities]
        A `Status`.
    iterations : int32[entities]
    gradient : float64[entities]
        Norm of the gradient at the end, relative to that at zero coefficients.
    objective : float64[entities]
        Weighted loss plus penalty.
    penalty : float64[entities]
        The penalty alone.
    """

    status: NDArray[np.int8]
    iterations: NDArray[np.int32]
    gradient: Floats
    objective: Floats
    penalty: Floats
