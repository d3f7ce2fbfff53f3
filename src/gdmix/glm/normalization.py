"""Normalization of features, folded into the objective: the data is never rewritten."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.penalties import Penalty
from gdmix.jit import kernel

Floats = NDArray[np.float64]


class Normalization(NamedTuple):
    """Feature ``j`` counts as ``(x_j - shift_j) * factor_j``; the intercept stays as it is.

    Attributes
    ----------
    factor, shift : float64[features]
        `factor` is positive; `shift` is all zeros unless features are centred, which needs an
        intercept.
    """

    factor: Floats
    shift: Floats

    def coefficients(self, normalized: Floats, intercept: int) -> Floats:
        """Return the coefficients for the features as they are."""
        raw = normalized.copy()
        raw[intercept:] *= self.factor
        if intercept:
            raw[0] -= float(self.shift @ raw[1:])
        return raw

    def normalized(self, coefficients: Floats, intercept: int) -> Floats:
        """Return the coefficients for the normalized features: the inverse of `coefficients`."""
        out = coefficients.copy()
        if intercept:
            out[0] += float(self.shift @ coefficients[1:])
        out[intercept:] /= self.factor
        return out

    def centred(self, coefficients: Floats, positions: NDArray[np.int64]) -> Floats:
        """Return raw coefficients with the intercepts of centred features: ``b_0 + shift . b``.

        Parameters
        ----------
        coefficients : float64
            One or more models, one after the other, each with its intercept first.
        positions : int64
            Where each lies in a vector of all features' coefficients: 0 for an intercept.
        """
        out = coefficients.copy()
        heads = np.flatnonzero(positions == 0)
        if len(heads):
            moved = np.insert(self.shift, 0, 0.0)[positions] * coefficients
            out[heads] += np.add.reduceat(moved, heads)
        return out

    def fold(self, penalty: Penalty, intercept: int) -> Penalty:
        """Return the penalty of raw coefficients that equals `penalty` of normalized ones.

        ``c_j = b_j / factor_j`` has ``p c_j^2 = (p / factor_j^2) b_j^2``. The box stays as it is,
        for bounds are given for raw coefficients. A shift is not seen here: it matters to a
        penalized intercept alone, whose penalty then holds for ``b_0 + shift . b``.
        """
        scale = self._scale(intercept)
        return penalty._replace(
            precision=penalty.precision / scale**2,
            mean=penalty.mean * scale,
            l1=penalty.l1 / scale,
        )

    def unfold(self, penalty: Penalty, intercept: int) -> Penalty:
        """Return the penalty of normalized coefficients that equals `penalty` of raw ones.

        All is converted, the box too.
        """
        scale = self._scale(intercept)
        return Penalty(
            precision=penalty.precision * scale**2,
            mean=penalty.mean / scale,
            l1=penalty.l1 * scale,
            lower=penalty.lower / scale,
            upper=penalty.upper / scale,
        )

    def _scale(self, intercept: int) -> Floats:
        return np.concatenate([np.ones(intercept), self.factor])


@kernel
def scale_values(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    row_ptr: NDArray[np.int64],
    coefficient_ptr: NDArray[np.int64],
    intercept: int,
    factor: Floats,
    values: Floats,
) -> None:
    """Multiply the values of entities' rows by the factors of their features, in place.

    Parameters
    ----------
    indptr : int64[rows + 1]
    indices : int32[nnz]
        Numbered within each entity.
    row_ptr, coefficient_ptr : int64[entities + 1]
    intercept : int
        1 when an entity's coefficients begin with an intercept.
    factor : float64[coefficient_ptr[-1]]
    values : float64[nnz]
    """
    for e in range(len(row_ptr) - 1):
        base = coefficient_ptr[e] + intercept
        for k in range(indptr[row_ptr[e]], indptr[row_ptr[e + 1]]):
            values[k] *= factor[base + indices[k]]
