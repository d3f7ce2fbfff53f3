"""One coefficient under an L1 term and bounds: what every piecewise solver asks of it.

The optimality of a coefficient vector is the least element of the subdifferential, projected on
the box (Andrew and Gao, Scalable training of L1-regularized log-linear models, 2007).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import inner_kernel, kernel

Floats = NDArray[np.float64]


class Edges(NamedTuple):
    """Where the objective of one problem is not smooth, or not allowed.

    Attributes
    ----------
    l1, lower, upper : float64[coefficients]
    """

    l1: Floats
    lower: Floats
    upper: Floats


@inner_kernel
def least_subgradient(slope: float, b: float, l1: float, lower: float, upper: float) -> float:
    """Return the subgradient nearest to zero that does not point out of the box."""
    if b > 0.0:
        found = slope + l1
    elif b < 0.0:
        found = slope - l1
    else:
        found = slope - min(max(slope, -l1), l1)
    if (b <= lower and found > 0.0) or (b >= upper and found < 0.0):
        return 0.0
    return found


@kernel
def least_subgradients(edges: Edges, slope: Floats, b: Floats, out: Floats) -> None:
    """Write the least subgradient of every coefficient."""
    for j in range(len(b)):
        out[j] = least_subgradient(slope[j], b[j], edges.l1[j], edges.lower[j], edges.upper[j])


@inner_kernel
def violation(edges: Edges, slope: Floats, b: Floats) -> float:
    """Return the Euclidean norm of the least subgradients."""
    total = 0.0
    for j in range(len(b)):
        own = least_subgradient(slope[j], b[j], edges.l1[j], edges.lower[j], edges.upper[j])
        total += own * own
    return math.sqrt(total)


@inner_kernel
def least_of_parabola(
    b: float, slope: float, curve: float, l1: float, lower: float, upper: float
) -> float:
    """Return where ``slope (z - b) + curve / 2 (z - b)^2 + l1 |z|`` is least in the box."""
    centre, width = b - slope / curve, l1 / curve
    if centre > width:
        centre -= width
    elif centre < -width:
        centre += width
    else:
        centre = 0.0
    return min(max(centre, lower), upper)


@inner_kernel
def select_free(edges: Edges, z: Floats, free: NDArray[np.int64]) -> int:
    """Write which coefficients may move a little either way on a smooth piece; return how many."""
    count = 0
    for j in range(len(z)):
        inside = edges.lower[j] < z[j] < edges.upper[j]
        if inside and (z[j] != 0.0 or edges.l1[j] == 0.0):
            free[count] = j
            count += 1
    return count


@inner_kernel
def longest_step(
    edges: Edges, z: Floats, step: Floats, free: NDArray[np.int64], count: int
) -> tuple[float, int]:
    """Return how far `step` leads, at most 1, until a coefficient meets zero or a bound; which."""
    longest, which = 1.0, -1
    for m in range(count):
        j = free[m]
        end = z[j] + step[m]
        limit = min(max(end, edges.lower[j]), edges.upper[j])
        if edges.l1[j] > 0.0 and limit * z[j] < 0.0:
            limit = 0.0
        if limit != end and (limit - z[j]) / step[m] < longest:
            longest, which = (limit - z[j]) / step[m], j
    return longest, which


@inner_kernel
def project_step(
    edges: Edges,
    z: Floats,
    step: Floats,
    free: NDArray[np.int64],
    count: int,
    out: Floats,
) -> None:
    """Write ``z + step``, each coefficient stopped where it meets zero or a bound."""
    for j in range(len(z)):
        out[j] = z[j]
    for m in range(count):
        j = free[m]
        end = min(max(z[j] + step[m], edges.lower[j]), edges.upper[j])
        out[j] = 0.0 if edges.l1[j] > 0.0 and end * z[j] < 0.0 else end


@inner_kernel
def model_value(edges: Edges, gradient: Floats, b: Floats, z: Floats, slope: Floats) -> float:
    """Return ``g'(z - b) + (z - b)'H(z - b) / 2 + l1 |z|``, with `slope` its gradient at `z`."""
    total = 0.0
    for j in range(len(b)):
        total += 0.5 * (gradient[j] + slope[j]) * (z[j] - b[j]) + edges.l1[j] * abs(z[j])
    return total
