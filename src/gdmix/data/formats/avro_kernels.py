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
from gdmix.jit import inner_kernel, kernel

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

# instructions that begin with a number; an output below 0 is nowhere
UNION, TEXT, LONG, LONG_AS_REAL, CODE = range(5)
# instructions with a value of so many bytes as the argument says, but PUT, whose argument it is
DOUBLE, FLOAT, BOOLEAN, BOOLEAN_AS_REAL, SKIP, PUT = range(5, 11)
# instructions that decide what comes next
ITEMS, ITEM_END, LEAVE, JUMP, RECORD_END = range(11, 16)

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


@inner_kernel
def read_long(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number in zigzag code, and where it ends; -1 where it does not end in time."""
    if at < end and data[np.uint64(at)] < 128:
        # most lengths and branches: not worth a call
        value = int(data[np.uint64(at)])
        return (value >> 1) ^ -(value & 1), at + 1
    value, stop = read_varint(data, at, end)
    return int(((value >> 1) & _MOST) ^ -(value & 1)), stop


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
def _decode_block(
    data: Bytes,
    at: int,
    end: int,
    records: int,
    code: NDArray[np.int64],
    jumps: Places,
    stack: NDArray[np.int64],
    words: Places,
    reals: NDArray[np.float64],
    tops: Places,
    pattern: NDArray[np.uint32],
    single: NDArray[np.float32],
) -> tuple[int, int]:
    """Decode the records of a block; return how many are whole, and how that went.

    One function, though a long one: a call that takes arrays costs more than an instruction does.
    """
    line, level, record = 0, -1, 0
    while at >= 0 and record < records:
        place = np.uint64(line)
        op, slot, argument = code[place, 0], code[place, 1], code[place, 2]
        line += 1
        if op <= PUT:
            value, start = argument, at
            if op <= CODE:
                # most lengths and branches take one byte
                if at < end and data[np.uint64(at)] < 128:
                    value = np.int64(data[np.uint64(at)])
                    value = (value >> 1) ^ -(value & 1)
                    at += 1
                else:
                    value, at = read_long(data, at, end)
                    if at < 0:
                        break
                start = at
                if op == UNION:
                    if value < 0 or value >= argument:
                        break
                    line = jumps[np.uint64(slot + value)]
                    continue
                if op == TEXT:
                    if value < 0 or value > end - at:
                        break
                    at += value
                elif op == CODE and (value < 0 or value >= argument):
                    break
            elif op < PUT:
                if argument > end - at:
                    break
                at += argument
            if slot < 0:
                continue
            top = tops[np.uint64(slot)]
            spot = np.uint64(top)
            tops[np.uint64(slot)] = top + 1
            if op == TEXT or op == SKIP:  # noqa: SIM109 - compiled
                words[spot] = start
                words[np.uint64(top + 1)] = at - start
                tops[np.uint64(slot)] = top + 2
            elif op == DOUBLE:
                bits = np.int64(0)
                for k in range(8):
                    bits |= np.int64(data[np.uint64(start + k)]) << np.int64(8 * k)
                words[spot] = bits
            elif op == LONG_AS_REAL:
                reals[spot] = np.float64(value)
            elif op == FLOAT:
                bits = np.int64(0)
                for k in range(4):
                    bits |= np.int64(data[np.uint64(start + k)]) << np.int64(8 * k)
                pattern[0] = np.uint32(bits)
                reals[spot] = np.float64(single[0])
            elif op == BOOLEAN:
                words[spot] = np.int64(data[np.uint64(start)] != 0)
            elif op == BOOLEAN_AS_REAL:
                reals[spot] = np.float64(data[np.uint64(start)] != 0)
            else:
                words[spot] = value
        elif op == ITEM_END:
            # slot: the least bytes of an item; argument: the line that an item begins at
            if stack[level, 0] == 0:
                stack[level, 0], at = _next_items(data, at, end, slot)
                stack[level, 1] += stack[level, 0]
            if stack[level, 0] > 0:
                stack[level, 0] -= 1
                line = argument
        elif op == ITEMS:
            level += 1
            stack[level, 0] = stack[level, 1] = 0
            line = argument
        elif op == LEAVE:
            if slot >= 0:
                words[tops[slot]] = stack[level, 1]
                tops[slot] += 1
            level -= 1
        elif op == JUMP:
            if argument < 0:
                return record, FOREIGN
            line = argument
        else:
            record += 1
            line = 0
    return record, WHOLE if record == records and at == end else BROKEN


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
        end, records = ends[block], counts[block]
        record, status = _decode_block(
            data, at, end, records, code, jumps, stack, words, reals, tops, pattern, single
        )
        if status != WHOLE:
            return status, block, record
        at = end
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
