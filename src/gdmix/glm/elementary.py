"""``exp`` and ``log1p`` without branches, so that loops over them become vector code.

The C library's functions are exact to one unit in the last place, but a call for every number. Here
they are polynomials after a reduction of the argument (Muller, Elementary Functions, 2016, chapters
3 and 11), within three units of the last place. In plain Python they are those of `math`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

_LOG2_E = 1.4426950408889634
# the first part of log(2) has zeros at the end: its products with small integers are exact
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_LN2 = 0.6931471805599453
_ROOT_OF_2_LESS_1 = 0.41421356237309503
# added to a number and taken away again, this rounds it to an integer; it leaves that integer in
# the last bits of the sum
_ROUNDING = 6755399441055744.0
# beyond these, exp is 0 and infinite
_LEAST, _MOST = -746.0, 710.0

# the compiler must not reorder sums here: it would undo the rounding
_OPTIONS = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}


def exp(x: float) -> float:
    """Return ``e^x``; 0 below, infinity above what a double can hold."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def log1p_of_fraction(x: float) -> float:
    """Return ``log(1 + x)`` for ``x`` from 0 to 1."""
    return math.log1p(x)


@intrinsic
def _two_to(typing: Any, rounded: Any) -> Any:  # noqa: ANN401
    """Return ``2^k`` for an integer ``k`` to which `_ROUNDING` was added."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        bits = builder.bitcast(arguments[0], ir.IntType(64))
        exponent = builder.add(bits, ir.Constant(ir.IntType(64), 1023))
        return builder.bitcast(
            builder.shl(exponent, ir.Constant(ir.IntType(64), 52)), ir.DoubleType()
        )

    return types.float64(types.float64), generate


def _exp(x: float) -> float:
    x = _LEAST if x < _LEAST else x
    x = _MOST if x > _MOST else x
    k = (x * _LOG2_E + _ROUNDING) - _ROUNDING
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    # Taylor's series: |r| is at most log(2) / 2
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = 1.0 + (r + r * r * p)
    # in two factors, as 2^k itself may not be a double though e^x is
    half = k * 0.5 + _ROUNDING
    rest = (k - (half - _ROUNDING)) + _ROUNDING
    value: float = p * _two_to(half) * _two_to(rest)
    return value


def _log1p(x: float) -> float:
    # log(1 + x) = 2 artanh(x / (2 + x)); from the root of 2 on, that of half of 1 + x
    large = x > _ROOT_OF_2_LESS_1
    z = (x - 1.0 if large else x) / (x + 3.0 if large else x + 2.0)
    q = z * z
    p = 1.0 / 21.0
    p = p * q + 1.0 / 19.0
    p = p * q + 1.0 / 17.0
    p = p * q + 1.0 / 15.0
    p = p * q + 1.0 / 13.0
    p = p * q + 1.0 / 11.0
    p = p * q + 1.0 / 9.0
    p = p * q + 1.0 / 7.0
    p = p * q + 1.0 / 5.0
    p = p * q + 1.0 / 3.0
    return (_LN2 if large else 0.0) + (2.0 * z + 2.0 * z * (q * p))


@overload(exp, jit_options=_OPTIONS)
def _compiled_exp(x: float) -> Callable[[float], float]:
    return _exp


@overload(log1p_of_fraction, jit_options=_OPTIONS)
def _compiled_log1p(x: float) -> Callable[[float], float]:
    return _log1p
