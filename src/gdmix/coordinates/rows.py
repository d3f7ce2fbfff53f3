"""The weighted sum of losses over an engine's rows, and its Hessian, as functions to minimize."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from gdmix.engine import Column, Engine, Rows
from gdmix.glm import kernels, passes, tiles
from gdmix.glm.kernels import Block
from gdmix.glm.losses import Loss

Floats = NDArray[np.float64]
_T = TypeVar("_T")
_OfBlock = Callable[..., tuple[Floats, ...]]


class At(NamedTuple):
    """Where a function of a block of rows is taken: all that it needs to know beside the rows.

    Attributes
    ----------
    loss : Loss
    full : int
    intercept : int
    coefficients : float64[d]
        The point, or a vector that is multiplied.
    """

    loss: Loss
    full: int
    intercept: int
    coefficients: Floats


@dataclass(frozen=True)
class LossOverRows:
    """The weighted sum of losses as a function of the coefficients; every use is one pass."""

    engine: Engine
    rows: Rows
    shard: str
    loss: Loss
    offset: Column
    intercept: int

    def value_and_gradient(self, coefficients: Floats) -> tuple[float, Floats]:
        """Return the weighted sum of losses and its gradient."""
        value, gradient = self._sum(_value_and_gradient, coefficients)
        return float(value), gradient

    def curvature(self, coefficients: Floats) -> CurvatureOverRows:
        """Return the Hessian at `coefficients`."""
        return CurvatureOverRows(self, coefficients)

    @cached_property
    def full(self) -> int:
        """Number of features when every row holds all of them in order, else 0."""
        return self.engine.full(self.rows, self.shard)

    def at(self, function: Callable[..., _T], coefficients: Floats) -> Callable[..., _T]:
        """Return a function of blocks and columns for these rows at these coefficients."""
        return partial(function, At(self.loss, self.full, self.intercept, coefficients))

    def _sum(self, function: _OfBlock, coefficients: Floats) -> tuple[Floats, ...]:
        of_block = self.at(function, coefficients)
        return self.engine.reduce(of_block, self.rows, self.shard, (self.offset,))


@dataclass(frozen=True)
class CurvatureOverRows:
    """The Hessian at one point. All but `multiply` take one pass over the rows.

    Attributes
    ----------
    at : LossOverRows
    coefficients : float64[d]
        The point.
    """

    at: LossOverRows
    coefficients: Floats

    def multiply(self, vector: Floats) -> Floats:
        """Return ``H v``: one pass, and one more at the first call."""
        at = self.at
        function = at.at(_hessian_vector, vector)
        return at.engine.reduce(function, at.rows, at.shard, (self._column,))[0]

    def diagonal(self) -> Floats:
        """Return the diagonal of ``H``."""
        return self.at._sum(_hessian_diagonal, self.coefficients)[0]

    def dense(self) -> Floats:
        """Return ``H`` itself, both triangles."""
        (upper,) = self.at._sum(_hessian, self.coefficients)
        return np.asarray(upper + np.triu(upper, 1).T)

    @cached_property
    def _column(self) -> Column:
        at = self.at
        function = at.at(_curvature, self.coefficients)
        return at.engine.map(function, at.rows, at.shard, (at.offset,))


def _value_and_gradient(at: At, block: Block, offset: Floats) -> tuple[Floats, ...]:
    point = at.coefficients
    gradient = np.zeros(len(point))
    value = passes.value_and_gradient(
        at.loss, block, at.full, offset, point, at.intercept, gradient
    )
    return np.asarray(value), gradient


def _hessian_vector(at: At, block: Block, curve: Floats) -> tuple[Floats, ...]:
    out = np.zeros(len(at.coefficients))
    passes.hessian_vector(block, at.full, curve, at.coefficients, at.intercept, out)
    return (out,)


def _hessian_diagonal(at: At, block: Block, offset: Floats) -> tuple[Floats, ...]:
    point = at.coefficients
    out = np.zeros(len(point))
    passes.hessian_diagonal(at.loss, block, at.full, offset, point, at.intercept, out)
    return (out,)


def _hessian(at: At, block: Block, offset: Floats) -> tuple[Floats, ...]:
    width = len(at.coefficients) - at.intercept
    return (tiles.hessian(block, _curvature(at, block, offset), width, at.intercept),)


def _curvature(at: At, block: Block, offset: Floats) -> Floats:
    curve = np.empty(len(offset))
    passes.multiply(block, at.full, at.coefficients, at.intercept, curve)
    curve += offset
    kernels.curvature(at.loss, block, 0, len(curve), curve, curve)
    return curve
