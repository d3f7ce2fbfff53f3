"""The values of ``tf.train.Feature`` messages: counted, then written one after the other.

What `count_values` has passed is whole: the kernels that fill arrays rely on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.data.formats.examples_wire import (
    BROKEN,
    BYTES,
    FIXED32,
    FLOATS,
    INTEGERS,
    MESSAGE,
    NONE,
    VARINT,
    Bytes,
    Places,
    read_field,
)
from gdmix.jit import inlined_kernel, inner_kernel, kernel


@inlined_kernel
def usual_list(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """Return a feature's kind and where its values begin, if it is as most are; else 0 and 0.

    Most hold one packed list of numbers, or one text, of fewer than 16,384 bytes; it ends where the
    feature does.
    """
    kind, first = 0, 0
    if end - start >= 5 and start >= 0:
        tag = np.int64(data[np.uint64(start)])
        size = np.int64(data[np.uint64(start + 1)])
        at = start + 2
        if size >= 128:
            size += (np.int64(data[np.uint64(at)]) - 1) << 7
            at += 1
        if (tag == 10 or tag == 18 or tag == 26) and at + size == end and 3 <= size < 16384:
            more = np.int64(data[np.uint64(at + 1)])
            begin = at + 2
            if more >= 128:
                more += (np.int64(data[np.uint64(begin)]) - 1) << 7
                begin += 1
            if data[np.uint64(at)] == 10 and begin + more == end and more < 16384:
                kind, first = int(tag) >> 3, begin
    return kind, first


@kernel
def count_values(
    data: Bytes, spans: NDArray[np.int64], counts: Places, kinds: NDArray[np.int8]
) -> int:
    """Write how many values each ``Feature`` holds, and of which kind.

    Returns the feature that is broken, or -1. A span that begins at -1 has no values.
    """
    for k in range(len(spans)):
        kind, first = usual_list(data, spans[k, 0], spans[k, 1])
        if kind > 0:
            kinds[k] = kind
            counts[k] = _count_packed(data, first, spans[k, 1], kind)
        else:
            kinds[k], counts[k] = _count_any(data, spans[k, 0], spans[k, 1])
        if counts[k] < 0:
            return k
    return -1


@inner_kernel
def _count_packed(data: Bytes, start: int, end: int, kind: int) -> int:
    """Return how many values there are in the bytes of a field, -1 if they are broken."""
    if kind == BYTES:
        return 1
    if kind == FLOATS:
        return (end - start) // 4 if (end - start) % 4 == 0 else BROKEN
    if end > start and data[np.uint64(end - 1)] >= 128:
        return BROKEN
    count = 0
    for c in range(end - start):
        count += data[np.uint64(start + c)] < 128
    return count


@inner_kernel
def _count_any(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """Return the kind of a feature, and how many values it holds; -1 if it is broken."""
    kind = NONE
    count = 0
    at = start
    while 0 <= at < end:
        number, wire, first, last = read_field(data, at, end)
        if last < 0:
            return kind, BROKEN
        if 1 <= number <= 3 and wire == MESSAGE:
            # of several kinds the last would count: no writer does that, so it is damage
            if kind != NONE and kind != number:
                return kind, BROKEN
            kind = number
            found = _count_list(data, first, last, number)
            if found < 0:
                return kind, BROKEN
            count += found
        at = last
    return kind, count


@inner_kernel
def _count_list(data: Bytes, start: int, end: int, kind: int) -> int:
    count = 0
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if last < 0:
            return BROKEN
        if number == 1:
            single = (kind == FLOATS and wire == FIXED32) or (kind == INTEGERS and wire == VARINT)
            if single:
                count += 1
            elif wire == MESSAGE:
                found = _count_packed(data, first, last, kind)
                if found < 0:
                    return BROKEN
                count += found
        at = last
    return count


@kernel
def fill_integers(data: Bytes, spans: NDArray[np.int64], out: Places) -> int:
    """Write the values of features that hold integers, one after the other.

    Returns the feature with an integer of more than ten bytes, or -1.
    """
    slot = 0
    for k in range(len(spans)):
        kind, first = usual_list(data, spans[k, 0], spans[k, 1])
        if kind == INTEGERS:
            slot = _unpack(data, first, spans[k, 1], slot, out)
        else:
            slot = _fill_integers(data, spans[k, 0], spans[k, 1], slot, out)
        if slot < 0:
            return k
    return -1


@inner_kernel
def _fill_integers(data: Bytes, start: int, end: int, slot: int, out: Places) -> int:
    at = start
    while 0 <= at < end:
        number, wire, inside, last = read_field(data, at, end)
        while number == INTEGERS and wire == MESSAGE and inside < last:
            part, kind, first, stop = read_field(data, inside, last)
            if part == 1 and kind in (VARINT, MESSAGE):
                slot = _unpack(data, first, stop, slot, out)
                if slot < 0:
                    return slot
            inside = stop
        at = last
    return slot


@inner_kernel
def _unpack(data: Bytes, start: int, end: int, slot: int, out: Places) -> int:
    """Write packed integers from a slot on; return the slot after them, -1 if one is too long."""
    at = start
    while at < end:
        # a byte of 128 or more is followed by another: `count_values` has seen to that
        byte = np.int64(data[np.uint64(at)])
        at += 1
        value = byte
        if byte >= 128:
            byte = np.int64(data[np.uint64(at)])
            at += 1
            value += (byte - 1) << 7
            shift = 14
            while byte >= 128:
                if shift > 63:
                    return BROKEN
                byte = np.int64(data[np.uint64(at)])
                at += 1
                value += (byte - 1) << shift
                shift += 7
        out[np.uint64(slot)] = value
        slot += 1
    return slot


@kernel
def fill_floats(data: Bytes, spans: NDArray[np.int64], out: Bytes) -> None:
    """Write the bytes of values of features that hold floats, one after the other."""
    slot = 0
    for k in range(len(spans)):
        kind, first = usual_list(data, spans[k, 0], spans[k, 1])
        if kind == FLOATS:
            slot = _copy(data, first, spans[k, 1], slot, out)
        else:
            slot = _fill_floats(data, spans[k, 0], spans[k, 1], slot, out)


@inner_kernel
def _fill_floats(data: Bytes, start: int, end: int, slot: int, out: Bytes) -> int:
    at = start
    while 0 <= at < end:
        number, wire, inside, last = read_field(data, at, end)
        while number == FLOATS and wire == MESSAGE and inside < last:
            part, kind, first, stop = read_field(data, inside, last)
            if part == 1 and kind in (FIXED32, MESSAGE):
                slot = _copy(data, first, stop, slot, out)
            inside = stop
        at = last
    return slot


@inner_kernel
def _copy(data: Bytes, start: int, end: int, slot: int, out: Bytes) -> int:
    for c in range(end - start):
        out[np.uint64(slot + c)] = data[np.uint64(start + c)]
    return slot + end - start


@kernel
def fill_texts(
    data: Bytes, spans: NDArray[np.int64], ends: Places, out: Bytes, measuring: bool
) -> int:
    """Write the values of features that hold bytes, one after the other; return their length.

    `ends` gets where each value ends in `out`, to which nothing is written while `measuring`.
    """
    slot = 0
    length = 0
    for k in range(len(spans)):
        kind, first = usual_list(data, spans[k, 0], spans[k, 1])
        if kind == BYTES:
            if not measuring:
                _copy(data, first, spans[k, 1], length, out)
            length += spans[k, 1] - first
            ends[slot] = length
            slot += 1
            continue
        at, end = spans[k, 0], spans[k, 1]
        while 0 <= at < end:
            number, wire, inside, last = read_field(data, at, end)
            while number == BYTES and wire == MESSAGE and inside < last:
                part, kind, begin, stop = read_field(data, inside, last)
                if part == 1 and kind == MESSAGE:
                    if not measuring:
                        _copy(data, begin, stop, length, out)
                    length += stop - begin
                    ends[slot] = length
                    slot += 1
                inside = stop
            at = last
    return length
