"""The wire format of ``tf.train.Example`` and ``SequenceExample``: where things lie, and values.

Kernels take bytes and the places of messages within them, and never read beyond a message. See the
protocol buffers encoding guide, and TensorFlow's ``example.proto`` and ``feature.proto``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import inlined_kernel, inner_kernel, kernel

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

NONE, BYTES, FLOATS, INTEGERS = range(4)
"""Kinds of lists, by their field's number within a ``Feature``."""

VARINT, FIXED64, MESSAGE, FIXED32 = 0, 1, 2, 5
BROKEN = -1


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
    return int(value), BROKEN


@inner_kernel
def read_field(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Return number and wire type of a field, and where its value begins and ends.

    The end is -1 where there is no whole field. The value of a varint begins at its first byte.
    """
    key, start = read_varint(data, at, end)
    if start < 0:
        return 0, 0, 0, BROKEN
    number, wire = key >> 3, key & 7
    stop = BROKEN
    if wire == VARINT:
        _, stop = read_varint(data, start, end)
    elif wire == FIXED64:
        stop = start + 8
    elif wire == FIXED32:
        stop = start + 4
    elif wire == MESSAGE:
        length, start = read_varint(data, start, end)
        if start >= 0 and length >= 0 and length <= end - start:
            stop = start + length
    if number < 1 or stop > end:
        stop = BROKEN
    return number, wire, start, stop


@kernel
def find_names(
    data: Bytes, starts: Places, ends: Places, out: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Find the names of features in records, until there is no more room for them.

    `out`, int64[names, 3], gets where each name begins and ends, and the section: 1 of an example's
    or the context's features, 2 of feature lists.

    Returns
    -------
    int
        How many names there are in `out`.
    int
        The record that is broken, -1 when all are whole.
    int
        The byte of `data` where it breaks.
    """
    count = 0
    for record in range(len(starts)):
        at, end = starts[record], ends[record]
        while at < end:
            number, wire, first, last = read_field(data, at, end)
            if last < 0:
                return count, record, at
            inside = first
            while wire == MESSAGE and number <= 2 and inside < last:
                part, kind, begin, stop = read_field(data, inside, last)
                if stop < 0:
                    return count, record, inside
                if part == 1 and kind == MESSAGE:
                    key_start, key_end, _, value_end = read_entry(data, begin, stop)
                    if value_end < 0:
                        return count, record, begin
                    if count == len(out):
                        return count, -1, 0
                    out[count, 0] = key_start
                    out[count, 1] = key_end
                    out[count, 2] = number
                    count += 1
                inside = stop
            at = last
    return count, -1, 0


@inlined_kernel
def usual_entry(data: Bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Return what `read_entry` does, of the map's field at a place; last -1 if not as most are.

    Most have a name of fewer than 128 bytes, a value that is not empty, both of fewer than 16,384,
    and nothing else. This is several times as fast as reading field by field.
    """
    key_start, key_end, start, found = 0, 0, 0, BROKEN
    if end - at >= 10 and data[np.uint64(at)] == 10:
        size = np.int64(data[np.uint64(at + 1)])
        inside = at + 2
        if size >= 128:
            size += (np.int64(data[np.uint64(inside)]) - 1) << 7
            inside += 1
        stop = inside + int(size)
        if 5 <= size < 16384 and stop <= end and data[np.uint64(inside)] == 10:
            key_start = inside + 2
            key_end = key_start + int(np.int64(data[np.uint64(inside + 1)]))
            if data[np.uint64(inside + 1)] < 128 and key_end + 3 <= stop:
                more = np.int64(data[np.uint64(key_end + 1)])
                start = key_end + 2
                if more >= 128:
                    more += (np.int64(data[np.uint64(start)]) - 1) << 7
                    start += 1
                if data[np.uint64(key_end)] == 18 and more < 16384 and start + more == stop:
                    found = stop
    return key_start, key_end, start, found


@inner_kernel
def read_entry(data: Bytes, start: int, end: int) -> tuple[int, int, int, int]:
    """Return where the key and the value of a map's entry begin and end; last -1 if broken."""
    key_start, key_end, value_start, value_end = start, start, start, start
    at = start
    while at < end:
        number, wire, first, last = read_field(data, at, end)
        if last < 0:
            return 0, 0, 0, BROKEN
        if number == 1 and wire == MESSAGE:
            key_start, key_end = first, last
        elif number == 2 and wire == MESSAGE:
            value_start, value_end = first, last
        at = last
    return key_start, key_end, value_start, value_end


@inner_kernel
def _name_at(data: Bytes, start: int, end: int, names: Bytes, ends: Places, guess: int) -> int:
    """Return which name the bytes are, -1 for none; `guess` is compared first."""
    length = end - start
    for turn in range(len(ends)):
        name = guess + turn
        if name >= len(ends):
            name -= len(ends)
        first = ends[name - 1] if name > 0 else 0
        if ends[name] - first != length:
            continue
        k = 0
        while k < length and data[np.uint64(start + k)] == names[np.uint64(first + k)]:
            k += 1
        if k == length:
            return int(name)
    return -1


@kernel
def locate(
    data: Bytes,
    starts: Places,
    ends: Places,
    names: Bytes,
    name_ends: Places,
    section: int,
    out: NDArray[np.int64],
) -> tuple[int, int]:
    """Write where the value of each name lies in each record; the last of equals counts.

    Parameters
    ----------
    data : uint8[bytes]
    starts, ends : int64[records]
    names, name_ends : uint8[letters], int64[names]
        Names one after the other, and where each ends.
    section : int
        1 for features of an example or of the context, 2 for feature lists.
    out : int64[names, records, 2]
        Begin and end; what it held where a record lacks the name.

    Returns
    -------
    int
        The record that is broken, -1 when all are whole.
    int
        The byte of `data` where it breaks.
    """
    for record in range(len(starts)):
        # most records name their features in one order
        guess = 0
        at, end = starts[record], ends[record]
        while at < end:
            number, wire, inside, last = read_field(data, at, end)
            if last < 0:
                return record, at
            while number == section and wire == MESSAGE and inside < last:
                key_start, key_end, value_start, value_end = usual_entry(data, inside, last)
                begin, stop = inside, value_end
                if value_end < 0:
                    part, kind, begin, stop = read_field(data, inside, last)
                    if stop < 0:
                        return record, inside
                    if part != 1 or kind != MESSAGE:
                        inside = stop
                        continue
                    key_start, key_end, value_start, value_end = read_entry(data, begin, stop)
                    if value_end < 0:
                        return record, begin
                name = _name_at(data, key_start, key_end, names, name_ends, guess)
                if name >= 0:
                    out[name, record, 0] = value_start
                    out[name, record, 1] = value_end
                    guess = name + 1
                inside = stop
            at = last
    return -1, 0


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
            if number == 1 and wire == MESSAGE:
                if count < len(out):
                    out[count, 0] = first
                    out[count, 1] = last
                count += 1
            at = last
    pointers[len(spans)] = count
    return -1
