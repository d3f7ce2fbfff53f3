"""The loops of `kernels` for rows that hold every feature, in order: no index is read.

Values of one row are neighbours, and so are those of the next: loops over them are vector code.
Every kernel takes the values alone, row after row, and the number of features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel

Floats = NDArray[np.float64]


@kernel
def multiply(
    values: Floats, width: int, start: int, stop: int, vector: Floats, intercept: int, out: Floats
) -> None:
    """Write ``X v`` of the rows to ``out[start:stop]``."""
    features = vector[intercept:]
    constant = vector[0] if intercept else 0.0
    for i in range(start, stop):
        row = values[i * width : (i + 1) * width]
        total = 0.0
        for k in range(width):
            total += features[k] * row[k]
        out[i] = constant + total


@kernel
def add_multiples(
    values: Floats, width: int, start: int, stop: int, factor: Floats, intercept: int, out: Floats
) -> None:
    """Add ``X' f`` of the rows to `out`."""
    features = out[intercept:]
    constant = 0.0
    for i in range(start, stop):
        row = values[i * width : (i + 1) * width]
        times = factor[i]
        constant += times
        for k in range(width):
            features[k] += times * row[k]
    if intercept:
        out[0] += constant


@kernel
def hessian_diagonal(
    values: Floats, width: int, start: int, stop: int, curve: Floats, intercept: int, out: Floats
) -> None:
    """Add the diagonal of ``X' diag(curve) X`` to `out`."""
    features = out[intercept:]
    constant = 0.0
    for i in range(start, stop):
        row = values[i * width : (i + 1) * width]
        times = curve[i]
        constant += times
        for k in range(width):
            features[k] += times * row[k] * row[k]
    if intercept:
        out[0] += constant
