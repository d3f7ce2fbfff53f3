"""The wire format of ``tf.train.Example`` and ``SequenceExample``: where things lie, and values.

Kernels take bytes and the places of messages within them, and never read beyond a message. See the
protocol buffers encoding guide, and TensorFlow's ``example.proto`` and ``feature.proto``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import inner_kernel, kernel

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

NONE, BYTES, FLOATS, INTEGERS = range(4)
"""Kinds of lists, by their field's number within a ``Feature``."""

_VARINT, _FIXED64, _MESSAGE, _FIXED32 = 0, 1, 2, 5
_BROKEN = -1


@inner_kernel
def read_varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number, and where it ends; -1 where it does not end in time."""
    if at < end and data[np.uint64(at)] < 128:
        return int(data[np.uint64(at)]), at + 1
    value = np.int64(0)
    shift = 0
    while at < end and shift < 70:
        byte = np.int64(data[at])
        at += 1
        if shift < 64:
            value |= (byte & 127) << shift
        if byte < 128:
            return int(value), at
        shift += 7
    return int(value), _BROKEN


@inner_kernel
def read_field(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Return number and wire type of a field, and where its value begins and ends.

    The end is -1 where there is no whole field. The value of a varint begins at its first byte.
    """
    key, start = read_varint(data, at, end)
    if start < 0:
        return 0, 0, 0, _BROKEN
    number, wire = key >> 3, key & 7
    stop = _BROKEN
    if wire == _VARINT:
        _, stop = read_varint(data, start, end)
    elif wire == _FIXED64:
        stop = start + 8
    elif wire == _FIXED32:
        stop = start + 4
    elif wire == _MESSAGE:
        length, start = read_varint(data, start, end)
        if start >= 0 and length >= 0 and length <= end - start:
            stop = start + length
    if number < 1 or stop > end:
        stop = _BROKEN
    return number, wire, start, stop


@inner_kernel
def _add_entries(
    data: Bytes, start: int, end: int, section: int, count: int, out: NDArray[np.int64]
) -> int:
    """Write the entries of a map; return their count with those before, -1 - place if broken."""
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if last < 0:
            return _BROKEN - at
        if number == 1 and wire == _MESSAGE:
            key_start, key_end, value_start, value_end = first, first, first, first
            inside = first
            while inside < last:
                part, kind, begin, stop = read_field(data, inside, last)
                if stop < 0:
                    return _BROKEN - inside
                if part == 1 and kind == _MESSAGE:
                    key_start, key_end = begin, stop
                elif part == 2 and kind == _MESSAGE:
                    value_start, value_end = begin, stop
                inside = stop
            if count < len(out):
                out[count, 0] = key_start
                out[count, 1] = key_end
                out[count, 2] = value_start
                out[count, 3] = value_end
                out[count, 4] = section
            count += 1
        at = last
    return count


@kernel
def find_entries(
    data: Bytes, starts: Places, ends: Places, pointers: Places, out: NDArray[np.int64]
) -> tuple[int, int]:
    """Find the named features of each record.

    `out`, int64[entries, 5], gets where each name begins and ends, where its value does, and the
    section: 1 of an example's or the context's features, 2 of feature lists. ``pointers[k]`` is the
    number of entries before record k. Entries beyond the room of `out` are counted, not written.

    Returns
    -------
    int
        The record that is broken, -1 when all are whole.
    int
        The byte of `data` where it breaks.
    """
    count = 0
    for record in range(len(starts)):
        pointers[record] = count
        at, end = starts[record], ends[record]
        while at < end:
            number, wire, first, last = read_field(data, at, end)
            if last < 0:
                return record, at
            if (number == 1 or number == 2) and wire == _MESSAGE:
                count = _add_entries(data, first, last, number, count, out)
                if count < 0:
                    return record, _BROKEN - count
            at = last
    pointers[len(starts)] = count
    return -1, 0


@kernel
def match_names(
    data: Bytes,
    pointers: Places,
    entries: NDArray[np.int64],
    names: Bytes,
    ends: Places,
    section: int,
    out: NDArray[np.int64],
) -> None:
    """Write where the value of each name lies in each record; the last of equals counts.

    Parameters
    ----------
    data : uint8[bytes]
    pointers : int64[records + 1]
    entries : int64[entries, 5]
        As `find_entries` gives them.
    names, ends : uint8[letters], int64[names]
        Names one after the other, and where each ends.
    section : int
    out : int64[names, records, 2]
        Begin and end; -1 where a record lacks the name.
    """
    for record in range(len(pointers) - 1):
        # most records name their features in one order
        guess = 0
        for k in range(pointers[record], pointers[record + 1]):
            if entries[k, 4] != section:
                continue
            length = entries[k, 1] - entries[k, 0]
            for turn in range(len(ends)):
                name = guess + turn
                if name >= len(ends):
                    name -= len(ends)
                first = ends[name - 1] if name > 0 else 0
                if ends[name] - first != length:
                    continue
                same = True
                for c in range(length):
                    if data[entries[k, 0] + c] != names[first + c]:
                        same = False
                        break
                if same:
                    out[name, record, 0] = entries[k, 2]
                    out[name, record, 1] = entries[k, 3]
                    guess = name + 1 if name + 1 < len(ends) else 0
                    break


@kernel
def find_items(data: Bytes, spans: NDArray[np.int64], pointers: Places, out: Places) -> int:
    """Find the items of feature lists, as `find_entries` does entries; return the broken one or -1.

    `spans` is int64[lists, 2]; `out`, int64[items, 2], gets where each ``Feature`` begins and ends.
    """
    count = 0
    for k in range(len(spans)):
        pointers[k] = count
        at, end = spans[k, 0], spans[k, 1]
        while at < end:
            number, wire, first, last = read_field(data, at, end)
            if last < 0:
                return k
            if number == 1 and wire == _MESSAGE:
                if count < len(out):
                    out[count, 0] = first
                    out[count, 1] = last
                count += 1
            at = last
    pointers[len(spans)] = count
    return -1


@kernel
def count_values(
    data: Bytes, spans: NDArray[np.int64], counts: Places, kinds: NDArray[np.int8]
) -> int:
    """Write how many values each ``Feature`` holds, and of which kind.

    Returns the feature that is broken, or -1. A span that begins at -1 has no values.
    """
    for k in range(len(spans)):
        counts[k] = 0
        kinds[k] = NONE
        at, end = spans[k, 0], spans[k, 1]
        while 0 <= at < end:
            number, wire, first, last = read_field(data, at, end)
            if last < 0:
                return k
            if 1 <= number <= 3 and wire == _MESSAGE:
                # of several kinds the last would count: no writer does that, so it is damage
                if kinds[k] != NONE and kinds[k] != number:
                    return k
                kinds[k] = number
                found = _count_list(data, first, last, number)
                if found < 0:
                    return k
                counts[k] += found
            at = last
    return -1


@inner_kernel
def _count_list(data: Bytes, start: int, end: int, kind: int) -> int:
    count = 0
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if last < 0:
            return _BROKEN
        if number == 1:
            single = (kind == FLOATS and wire == _FIXED32) or (kind == INTEGERS and wire == _VARINT)
            if single or (kind == BYTES and wire == _MESSAGE):
                count += 1
            elif kind == FLOATS and wire == _MESSAGE:
                if (last - first) % 4:
                    return _BROKEN
                count += (last - first) // 4
            elif kind == INTEGERS and wire == _MESSAGE:
                for c in range(last - first):
                    count += data[np.uint64(first + c)] < 128
                if last > first and data[last - 1] >= 128:
                    return _BROKEN
        at = last
    return count


@kernel
def fill_integers(data: Bytes, spans: NDArray[np.int64], out: Places) -> None:
    """Write the values of features that hold integers, one after the other."""
    slot = 0
    for k in range(len(spans)):
        at, end = spans[k, 0], spans[k, 1]
        while 0 <= at < end:
            number, wire, first, last = read_field(data, at, end)
            if number == INTEGERS and wire == _MESSAGE:
                slot = _fill_integer_list(data, first, last, slot, out)
            at = last


@inner_kernel
def _fill_integer_list(data: Bytes, start: int, end: int, slot: int, out: Places) -> int:
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if number == 1 and wire in (_VARINT, _MESSAGE):
            inside = np.uint64(first)
            while inside < np.uint64(last):
                byte = np.int64(data[inside])
                value = byte & 127
                shift = 7
                inside += np.uint64(1)
                # the last byte of a list ends a number: `count_values` has seen to that
                while byte >= 128:
                    byte = np.int64(data[inside])
                    value |= (byte & 127) << shift if shift < 64 else 0
                    shift += 7
                    inside += np.uint64(1)
                out[np.uint64(slot)] = value
                slot += 1
        at = last
    return slot


@kernel
def fill_floats(data: Bytes, spans: NDArray[np.int64], out: Bytes) -> None:
    """Write the bytes of values of features that hold floats, one after the other."""
    slot = 0
    for k in range(len(spans)):
        at, end = spans[k, 0], spans[k, 1]
        while 0 <= at < end:
            number, wire, first, last = read_field(data, at, end)
            if number == FLOATS and wire == _MESSAGE:
                slot = _fill_float_list(data, first, last, slot, out)
            at = last


@inner_kernel
def _fill_float_list(data: Bytes, start: int, end: int, slot: int, out: Bytes) -> int:
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if number == 1 and wire in (_FIXED32, _MESSAGE):
            for c in range(last - first):
                out[np.uint64(slot + c)] = data[np.uint64(first + c)]
            slot += last - first
        at = last
    return slot


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
        at, end = spans[k, 0], spans[k, 1]
        while 0 <= at < end:
            number, wire, first, last = read_field(data, at, end)
            if number == BYTES and wire == _MESSAGE:
                inside = first
                while inside < last:
                    part, kind, begin, stop = read_field(data, inside, last)
                    if part == 1 and kind == _MESSAGE:
                        if not measuring:
                            for c in range(begin, stop):
                                out[length + c - begin] = data[c]
                        length += stop - begin
                        ends[slot] = length
                        slot += 1
                    inside = stop
            at = last
    return length
