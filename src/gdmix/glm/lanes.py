"""Eight numbers at once: one of each of eight small problems.

Loops over the entries of one small matrix vectorize badly: they are short, and of all lengths.
Here the innermost dimension of every array is the problem. Number ``i`` of eight problems is the
eight consecutive numbers from ``8 i`` on, and kernels compute with such `Lanes` as with numbers;
the compiler maps them to vector registers, be those of two, four or eight numbers.

In plain Python `Lanes` are arrays of eight numbers, and the same code runs.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, models, register_model, type_callable
from numpy.typing import NDArray

__all__ = ["LANES", "Lanes", "load", "root", "splat", "store"]

# a plain integer would be compiled as a constant
LANES = cast("int", np.int64(8))

Floats = NDArray[np.float64]
Lanes = NDArray[np.float64]

_WIDTH = int(LANES)
_VECTOR = ir.VectorType(ir.DoubleType(), _WIDTH)


def load(values: Floats, position: int) -> Lanes:
    """Return the eight numbers at `position` of a contiguous array."""
    return values[_WIDTH * position : _WIDTH * (position + 1)].copy()


def store(values: Floats, position: int, lanes: Lanes) -> None:
    """Write the eight numbers at `position` of a contiguous array."""
    values[_WIDTH * position : _WIDTH * (position + 1)] = lanes


def splat(value: float) -> Lanes:
    """Return the same number eight times."""
    return np.full(_WIDTH, value)


def root(lanes: Lanes) -> Lanes:
    """Return the square roots."""
    return np.sqrt(lanes)


class LanesType(types.Type):
    """What `Lanes` are to the compiler: a vector of doubles."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_LANES = LanesType()


@register_model(LanesType)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:  # noqa: ANN401
        super().__init__(manager, kind, _VECTOR)


@type_callable(load)
def _type_load(context: Any) -> Any:  # noqa: ANN401
    return lambda values, position: _LANES


@type_callable(store)
def _type_store(context: Any) -> Any:  # noqa: ANN401
    return lambda values, position, lanes: types.void


@type_callable(splat)
def _type_splat(context: Any) -> Any:  # noqa: ANN401
    return lambda value: _LANES


@type_callable(root)
def _type_root(context: Any) -> Any:  # noqa: ANN401
    return lambda lanes: _LANES


def _address(context: Any, builder: Any, kind: Any, values: Any, position: Any) -> Any:  # noqa: ANN401
    data = context.make_array(kind)(context, builder, values).data
    first = builder.mul(position, ir.Constant(position.type, _WIDTH))
    return builder.bitcast(builder.gep(data, [first]), _VECTOR.as_pointer())


@lower_builtin(load, types.Array, types.Integer)
def _load(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
    address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
    return builder.load(address, align=8)


@lower_builtin(store, types.Array, types.Integer, LanesType)
def _store(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
    address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
    builder.store(arguments[2], address, align=8)
    return context.get_dummy_value()


@lower_builtin(splat, types.Float)
def _splat(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
    index = ir.IntType(32)
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, arguments[0], ir.Constant(index, 0))
    everywhere = ir.Constant(ir.VectorType(index, _WIDTH), [0] * _WIDTH)
    return builder.shuffle_vector(one, nothing, everywhere)


@lower_builtin(root, LanesType)
def _root(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
    kind = ir.FunctionType(_VECTOR, [_VECTOR])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{_WIDTH}f64")
    return builder.call(function, arguments)


def _make_operator(function: Any, instruction: str) -> None:  # noqa: ANN401
    """Let compiled code use an operator on two `Lanes`."""

    @type_callable(function)
    def _type(context: Any) -> Any:  # noqa: ANN401
        def decide(a: Any, b: Any) -> Any:  # noqa: ANN401
            return _LANES if isinstance(a, LanesType) and isinstance(b, LanesType) else None

        return decide

    @lower_builtin(function, LanesType, LanesType)
    def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return getattr(builder, instruction)(*arguments)


_make_operator(operator.add, "fadd")
_make_operator(operator.sub, "fsub")
_make_operator(operator.mul, "fmul")
_make_operator(operator.truediv, "fdiv")
