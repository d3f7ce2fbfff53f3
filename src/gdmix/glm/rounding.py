"""Whether a step lowers a convex function, told where rounding hides the decrease, too."""

from __future__ import annotations

import math

ARMIJO = 1e-4
_HIDDEN = 1e-10
"""Change relative to the value from which on slopes tell more than values.

A sum over n rows is exact to about the root of n times 1e-16; slopes keep their digits.
"""


def falls(value: float, found: float, slope: float, along: float) -> bool:
    """Tell whether a step is a decrease worth having.

    Parameters
    ----------
    value, found : float
        Before the step and after it.
    slope, along : float
        Derivatives along the whole step, at its begin (negative) and at its end.

    Notes
    -----
    Armijo's condition; where the values are too near to tell, its approximation by slopes (Hager
    and Zhang, A new conjugate gradient method with guaranteed descent, 2005, section 2).
    """
    if not (math.isfinite(found) and math.isfinite(along)):
        return False
    near = _HIDDEN * abs(value)
    if -slope <= near and abs(found - value) <= near:
        return along <= (2.0 * ARMIJO - 1.0) * slope
    return found - value <= ARMIJO * slope
