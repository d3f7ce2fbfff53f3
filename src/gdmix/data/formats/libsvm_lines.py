"""The text of libsvm files: from bytes to labels, query ids, indices and values.

Decimals of up to 18 digits are the quotient or product of two numbers that are exact, and so are
rounded once, as `float` rounds (Clinger 1990). All others are marked, and read by Arrow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import exact_kernel, inner_kernel, kernel

Bytes = NDArray[np.uint8]

GOOD, NO_LABEL, NO_INDEX, NO_COLON, NO_VALUE, LARGE_INDEX, BAD_QID, SECOND_QID = range(8)
"""How a text ended: well, or with a token that is wrong."""

POWERS = np.array([10.0**k for k in range(23)])
"""The powers of ten that floating point holds exactly."""

LARGEST_INDEX = (1 << 31) - 1

_TAB, _NEWLINE, _RETURN, _SPACE, _HASH = 9, 10, 13, 32, 35
_PLUS, _MINUS, _POINT, _ZERO, _COLON = 43, 45, 46, 48, 58
_DIGITS = 18
_EXACT = 1 << 53
_MARKED, _BROKEN = 1, 2


@inner_kernel
def is_blank(byte: int) -> bool:
    """Tell whether a byte parts tokens; the end of a line may be two of these."""
    return bool(byte == _SPACE or (_TAB <= byte <= _RETURN and byte != _NEWLINE))


@inner_kernel
def token_end(data: Bytes, at: int) -> int:
    """Return where a token ends: before a blank, a comment or the end of the line."""
    end = at
    while (
        not is_blank(data[np.uint64(end)])
        and data[np.uint64(end)] != _NEWLINE
        and data[np.uint64(end)] != _HASH
    ):
        end += 1
    return end


@exact_kernel
def read_decimal(data: Bytes, start: int, powers: NDArray[np.float64]) -> tuple[float, int, int]:
    """Return a number, where its token ends, and whether it is marked or broken.

    Parameters
    ----------
    data : uint8[bytes]
        The text; its last byte ends a line.
    start : int
        Where the token begins.
    powers : float64[23]
    """
    at = start
    negative = data[np.uint64(at)] == _MINUS
    if negative or data[np.uint64(at)] == _PLUS:
        at += 1
    mantissa = np.int64(0)
    digits = 0
    behind = 0
    first = at
    points = 0
    while True:
        digit = int(np.int64(data[np.uint64(at)])) - _ZERO
        if 0 <= digit <= 9:
            if digits < _DIGITS:
                mantissa = mantissa * 10 + digit
            if mantissa > 0:
                digits += 1
            behind += points
        elif data[np.uint64(at)] == _POINT and points == 0:
            points = 1
        else:
            break
        at += 1
    end = token_end(data, at)
    if at == end:
        if at - first - points < 1:
            return 0.0, end, _BROKEN
    else:
        # what follows is an exponent, or the token is a word
        more = np.int64(data[np.uint64(at)]) | 32
        exponent = read_exponent(data, at + 1, end) if more == 101 else -1000
        if exponent == -1000 or at - first - points < 1:
            return 0.0, end, _MARKED
        behind -= exponent
    if mantissa == 0:
        return -0.0 if negative else 0.0, end, GOOD
    if digits > _DIGITS or mantissa > _EXACT or behind > 22 or behind < -22:
        return 0.0, end, _MARKED
    value = float(mantissa)
    value = value / powers[behind] if behind > 0 else value * powers[-behind]
    return -value if negative else value, end, GOOD


@inner_kernel
def read_exponent(data: Bytes, at: int, end: int) -> int:
    """Return a decimal exponent of up to three digits; -1000 where it is none."""
    negative = data[np.uint64(at)] == _MINUS
    if negative or data[np.uint64(at)] == _PLUS:
        at += 1
    if not 1 <= end - at <= 3:
        return -1000
    value = 0
    while at < end:
        digit = int(np.int64(data[np.uint64(at)])) - _ZERO
        if not 0 <= digit <= 9:
            return -1000
        value = value * 10 + digit
        at += 1
    return -value if negative else value


@inner_kernel
def read_whole(data: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Return a whole number of at most 18 digits, and whether it is one."""
    negative = data[np.uint64(at)] == _MINUS
    if negative:
        at += 1
    if not 1 <= end - at <= _DIGITS:
        return 0, False
    value = 0
    while at < end:
        digit = int(np.int64(data[np.uint64(at)])) - _ZERO
        if not 0 <= digit <= 9:
            return 0, False
        value = value * 10 + digit
        at += 1
    return -value if negative else value, True


@kernel
def parse(
    data: Bytes,
    powers: NDArray[np.float64],
    labels: NDArray[np.float64],
    queries: NDArray[np.int64],
    pointers: NDArray[np.int32],
    indices: NDArray[np.int64],
    values: NDArray[np.float64],
    marked: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Read lines; return how many rows and marks there are, how it ended, and at which byte.

    Parameters
    ----------
    data : uint8[bytes]
        Whole lines: the last byte ends one.
    powers : float64[23]
    labels : float64[lines], written
    queries : int64[lines], written
        Query ids; what a row without one has stays as it was.
    pointers : int32[lines + 1], written
    indices, values : int64[colons], float64[colons], written
    marked : int64[colons + lines, 3], written
        Numbers that are not read here: where the token begins and ends, and where its number
        belongs: the position in `values`, or -1 - row for a label.
    """
    rows = 0
    marks = 0
    used = 0
    at = 0
    total = len(data)
    pointers[0] = 0
    while at < total:
        byte = data[np.uint64(at)]
        if byte == _NEWLINE or is_blank(byte):
            at += 1
            continue
        if byte == _HASH:
            while data[np.uint64(at)] != _NEWLINE:
                at += 1
            continue
        label, end, state = read_decimal(data, at, powers)
        if state == _BROKEN:
            return rows, marks, NO_LABEL, at
        if state == _MARKED:
            marked[marks, 0], marked[marks, 1], marked[marks, 2] = at, end, -1 - rows
            marks += 1
        labels[rows] = label
        used, marks, state, at = parse_pairs(
            data, end, powers, rows, queries, indices, values, marked, used, marks
        )
        if state != GOOD:
            return rows, marks, state, at
        rows += 1
        pointers[rows] = used
    return rows, marks, GOOD, at


@inner_kernel
def parse_pairs(
    data: Bytes,
    start: int,
    powers: NDArray[np.float64],
    row: int,
    queries: NDArray[np.int64],
    indices: NDArray[np.int64],
    values: NDArray[np.float64],
    marked: NDArray[np.int64],
    used: int,
    marks: int,
) -> tuple[int, int, int, int]:
    """Read what follows a label; return pairs and marks with those before, state, and place."""
    at = start
    asked = False
    while True:
        while is_blank(data[np.uint64(at)]):
            at += 1
        if data[np.uint64(at)] == _HASH:
            while data[np.uint64(at)] != _NEWLINE:
                at += 1
        if data[np.uint64(at)] == _NEWLINE:
            return used, marks, GOOD, at
        first = at
        index, at = read_index(data, at)
        if index > LARGEST_INDEX:
            return used, marks, LARGE_INDEX, first
        if at == first:
            end = token_end(data, first)
            if not is_query(data, first):
                return used, marks, NO_INDEX, first
            if asked:
                return used, marks, SECOND_QID, first
            query, good = read_whole(data, first + 4, end)
            if not good:
                return used, marks, BAD_QID, first
            queries[row] = query
            asked = True
            at = end
            continue
        if data[np.uint64(at)] != _COLON:
            return used, marks, NO_COLON, first
        at += 1
        value, end, state = read_decimal(data, at, powers)
        if state == _BROKEN:
            return used, marks, NO_VALUE, first
        if state == _MARKED:
            marked[marks, 0], marked[marks, 1], marked[marks, 2] = at, end, used
            marks += 1
        indices[used] = index
        values[used] = value
        used += 1
        at = end


@inner_kernel
def read_index(data: Bytes, at: int) -> tuple[int, int]:
    """Return the whole number that begins here, and where it ends: at once if there is none."""
    index = np.int64(0)
    while 48 <= data[np.uint64(at)] <= 57 and index <= LARGEST_INDEX:
        index = index * 10 + np.int64(data[np.uint64(at)]) - _ZERO
        at += 1
    return int(index), at


@inner_kernel
def is_query(data: Bytes, at: int) -> bool:
    """Tell whether a token begins with ``qid:``; the text's last byte is no letter of it."""
    return bool(
        data[np.uint64(at)] == 113
        and data[at + 1] == 105
        and data[at + 2] == 100
        and data[at + 3] == _COLON
    )
