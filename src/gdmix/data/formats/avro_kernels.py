"""Avro's binary encoding, run through by a small program: values go to the outputs they belong to.

Apache Avro specification 1.11, "Binary Encoding". A program is a row of int64 for each instruction:
operation, output, argument. Every read is checked against the end of its block first. An output
has room for all that a block of its size can hold (`avro_program`), so writes need no check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.formats.examples_wire import read_varint
from gdmix.jit import inlined_kernel, inner_kernel, kernel

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

# instructions that read or write a value; an output below 0 is nowhere
TEXT, LONG, CODE, LONG_AS_REAL, DOUBLE, BOOLEAN, FLOAT, BOOLEAN_AS_REAL, SKIP, PUT = range(10)
# instructions that decide what comes next
UNION, ITEMS, ITEM_END, JUMP, LEAVE, RECORD_END = range(10, 16)

WHOLE, BROKEN, FOREIGN = range(3)
"""How a decoding ended: well; bytes are wrong; a branch of a union has no place in its column."""

_NOWHERE = -1
_MOST = np.int64((1 << 63) - 1)


class Outputs(NamedTuple):
    """Where values go.

    Attributes
    ----------
    words : int64[room]
        All outputs, one after the other.
    reals : float64[room]
        The same memory.
    tops : int64[outputs]
        Where each output goes on; a decoding begins at each output's first place.
    pattern : uint32[1]
    single : float32[1]
        The same memory, through which the bits of a float become one.
    """

    words: Places
    reals: NDArray[np.float64]
    tops: Places
    pattern: NDArray[np.uint32]
    single: NDArray[np.float32]


@inlined_kernel
def read_long(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number in zigzag code, and where it ends; -1 where it does not end in time."""
    value, stop = read_varint(data, at, end)
    return int(((value >> 1) & _MOST) ^ -(value & 1)), stop


@inner_kernel
def _half(data: Bytes, at: int) -> int:
    """Return four little-endian bytes as a number; a compiler makes one load of it."""
    return int(
        np.int64(data[np.uint64(at)])
        | np.int64(data[np.uint64(at + 1)]) << 8
        | np.int64(data[np.uint64(at + 2)]) << 16
        | np.int64(data[np.uint64(at + 3)]) << 24
    )


@inlined_kernel
def _read_word(op: int, argument: int, data: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return a value that is no float, where it begins and where it ends; -1 if it is broken."""
    if op <= LONG_AS_REAL:
        value, start = read_long(data, at, end)
        at = start
        if op == TEXT and at >= 0:
            at = at + value if 0 <= value <= end - at else _NOWHERE
        elif op == CODE and not 0 <= value < argument:
            at = _NOWHERE
        return value, start, at
    if op == PUT:
        return argument, at, at
    if argument > end - at:
        return 0, at, _NOWHERE
    value = 0
    if op == DOUBLE:
        value = int(np.int64(_half(data, at)) | np.int64(_half(data, at + 4)) << np.int64(32))
    elif op == FLOAT:
        value = _half(data, at)
    elif op < SKIP:
        value = int(data[np.uint64(at)] != 0)
    return value, at, at + argument


@inner_kernel
def _next_items(data: Bytes, at: int, end: int, width: int) -> tuple[int, int]:
    """Return how many items follow, 0 at the end of an array or map, and where the first begins."""
    count, at = read_long(data, at, end)
    if at >= 0 and count < 0:
        # the size in bytes follows, which nobody needs
        _, at = read_long(data, at, end)
        count = -count
    if at < 0 or count < 0 or count > (end - at) // width:
        return 0, _NOWHERE
    return count, at


@inner_kernel
def _decode_record(
    data: Bytes,
    at: int,
    end: int,
    code: NDArray[np.int64],
    jumps: Places,
    stack: NDArray[np.int64],
    words: Places,
    reals: NDArray[np.float64],
    tops: Places,
    pattern: NDArray[np.uint32],
    single: NDArray[np.float32],
) -> tuple[int, int]:
    """Decode one record; return where it ends, and how that went."""
    line, level = 0, -1
    while at >= 0:
        place = np.uint64(line)
        op, number, argument = code[place, 0], code[place, 1], code[place, 2]
        line += 1
        if op < UNION:
            word, start, at = _read_word(op, argument, data, at, end)
            if number < 0:
                continue
            slot = np.uint64(number)
            top = tops[slot]
            if op == TEXT or op == SKIP:  # noqa: SIM109 - compiled
                words[np.uint64(top)] = start
                words[np.uint64(top + 1)] = at - start
                tops[slot] = top + 2
                continue
            if op == FLOAT:
                pattern[0] = np.uint32(word)
                reals[np.uint64(top)] = np.float64(single[0])
            elif op == LONG_AS_REAL or op == BOOLEAN_AS_REAL:  # noqa: SIM109 - compiled
                reals[np.uint64(top)] = np.float64(word)
            else:
                words[np.uint64(top)] = word
            tops[slot] = top + 1
        elif op == UNION:
            branch, at = read_long(data, at, end)
            if branch < 0 or branch >= argument:
                return at, BROKEN
            line = jumps[number + branch]
        elif op == ITEMS:
            level += 1
            stack[level, 0] = stack[level, 1] = 0
            line = argument
        elif op == ITEM_END:
            # number: the least bytes of an item; argument: the line that an item begins at
            if stack[level, 0] == 0:
                stack[level, 0], at = _next_items(data, at, end, number)
                stack[level, 1] += stack[level, 0]
            if stack[level, 0] > 0:
                stack[level, 0] -= 1
                line = argument
        elif op == LEAVE:
            if number >= 0:
                words[tops[number]] = stack[level, 1]
                tops[number] += 1
            level -= 1
        elif op == JUMP:
            if argument < 0:
                return at, FOREIGN
            line = argument
        else:
            return at, WHOLE
    return at, BROKEN


@kernel
def decode(
    data: Bytes,
    ends: Places,
    counts: Places,
    code: NDArray[np.int64],
    jumps: Places,
    stack: NDArray[np.int64],
    out: Outputs,
) -> tuple[int, int, int]:
    """Decode blocks of records, one after the other.

    Parameters
    ----------
    data : uint8[bytes]
    ends : int64[blocks]
        Where each block ends.
    counts : int64[blocks]
        How many records each has.
    code : int64[instructions, 3]
    jumps : int64[branches]
        The lines that branches of unions begin at.
    stack : int64[depth, 2]
        Room for the items to come and the items so far, of each array within another.
    out : Outputs

    Returns
    -------
    int
        WHOLE, BROKEN or FOREIGN.
    int, int
        The block, and the record within it, where decoding ended.
    """
    words, reals, tops, pattern, single = out
    at = 0
    for block in range(len(ends)):
        end = ends[block]
        for record in range(counts[block]):
            at, status = _decode_record(
                data, at, end, code, jumps, stack, words, reals, tops, pattern, single
            )
            if status != WHOLE:
                return status, block, record
        if at != end:
            return BROKEN, block, counts[block]
    return WHOLE, len(ends), 0


@kernel
def copy_texts(data: Bytes, spans: NDArray[np.int64], ends: NDArray[np.int32], out: Bytes) -> None:
    """Write texts one after the other, and where each ends; one that begins below 0 is absent."""
    slot = 0
    for k in range(len(spans)):
        at = spans[k, 0]
        if at >= 0:
            for c in range(spans[k, 1]):
                out[np.uint64(slot + c)] = data[np.uint64(at + c)]
            slot += spans[k, 1]
        ends[k] = slot
