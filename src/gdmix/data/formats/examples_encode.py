"""``tf.train.Example`` records in their frames, column by column: sizes first, then bytes.

As protocol buffers have it: fields in the order of their numbers, lists of numbers packed, and an
empty list of no bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.data.formats.examples_wire import BYTES, FLOATS, INTEGERS
from gdmix.data.formats.tfrecord_frames import HEAD, TAIL, Table, put_checksum
from gdmix.jit import inner_kernel, kernel

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

_FIRST, _SECOND = 10, 18
"""Keys of a message's fields 1 and 2, where these hold messages or packed numbers."""


@inner_kernel
def _width(value: int) -> int:
    """Return how many bytes a length takes."""
    width = 1
    while value >= 128:
        value >>= 7
        width += 1
    return width


@inner_kernel
def _put_head(out: Bytes, at: int, key: int, length: int) -> int:
    """Write a field's key and length; return where its value begins."""
    out[np.uint64(at)] = key
    at += 1
    while length >= 128:
        out[np.uint64(at)] = (length & 127) | 128
        length >>= 7
        at += 1
    out[np.uint64(at)] = length
    return at + 1


@inner_kernel
def _list_size(content: int, kind: int) -> int:
    """Return the bytes of a list's message: numbers are one field, texts are one each."""
    if kind == BYTES or content == 0:
        return content
    return 1 + _width(content) + content


@inner_kernel
def _put_feature_head(
    out: Bytes, at: int, kind: int, content: int, name: Bytes, first: bool
) -> int:
    """Write all of a map's entry that comes before a list's content; return where that begins."""
    inside = _list_size(content, kind)
    feature = 1 + _width(inside) + inside
    entry = 1 + _width(len(name)) + len(name) + 1 + _width(feature) + feature
    at = _put_head(out, at, _FIRST, entry)
    at = _put_head(out, at, _FIRST, len(name))
    for k in range(len(name)):
        out[np.uint64(at + k)] = name[k]
    at = _put_head(out, at + len(name), _SECOND, feature)
    at = _put_head(out, at, kind << 3 | 2, inside)
    return _put_head(out, at, _FIRST, content) if first and content > 0 else at


@kernel
def add_feature_sizes(content: Places, kind: int, name: int, sizes: Places) -> None:
    """Add the bytes that a feature takes in each record; it is absent where `content` is -1.

    Parameters
    ----------
    content : int64[records]
        Bytes of the packed numbers, or of the texts with their keys and lengths.
    kind : int
    name : int
        Length of the name.
    sizes : int64[records]
    """
    for k in range(len(content)):
        if content[k] >= 0:
            inside = _list_size(content[k], kind)
            feature = 1 + _width(inside) + inside
            entry = 1 + _width(name) + name + 1 + _width(feature) + feature
            sizes[k] += 1 + _width(entry) + entry


@kernel
def begin_records(sizes: Places, tables: Table, out: Bytes, slots: Places, ends: Places) -> int:
    """Write what comes before the features of each record; return the bytes of all.

    `slots` and `ends` get where the features begin and where the record ends. An empty `out` asks
    for these alone.
    """
    at = 0
    for k in range(len(sizes)):
        length = 1 + _width(sizes[k]) + sizes[k]
        ends[k] = at + HEAD + length
        slots[k] = ends[k] - sizes[k]
        if len(out):
            for byte in range(8):
                out[at + byte] = (length >> (8 * byte)) & 255
            put_checksum(out, at, at + 8, tables)
            _put_head(out, at + HEAD, _FIRST, sizes[k])
        at = ends[k] + TAIL
    return at


@kernel
def end_records(tables: Table, ends: Places, out: Bytes) -> None:
    """Write the checksum of each record behind it."""
    start = HEAD
    for end in ends:
        put_checksum(out, start, end, tables)
        start = end + TAIL + HEAD


@kernel
def measure_integers(values: Places, offsets: Places, sizes: Places) -> None:
    """Write the packed bytes of each row's integers; rows where `sizes` is negative are left."""
    for k in range(len(sizes)):
        if sizes[k] >= 0:
            size = 0
            for item in range(offsets[k], offsets[k + 1]):
                # a negative number takes ten bytes, as the unsigned one of its bits
                value = values[item]
                size += 10 if value < 0 else 1
                for shift in range(7, 63, 7):
                    size += (value >> shift) > 0
            sizes[k] = size


@kernel
def measure_texts(places: Places, offsets: Places, sizes: Places) -> None:
    """Write the bytes of each row's texts with their keys; negative `sizes` are left."""
    for k in range(len(sizes)):
        if sizes[k] >= 0:
            size = 0
            for item in range(offsets[k], offsets[k + 1]):
                length = places[item + 1] - places[item]
                size += 1 + _width(length) + length
            sizes[k] = size


@kernel
def put_integers(
    values: Places, offsets: Places, content: Places, name: Bytes, out: Bytes, slots: Places
) -> None:
    """Write a feature of integers into each record from its slot on, and move the slot past it."""
    for k in range(len(content)):
        if content[k] < 0:
            continue
        at = _put_feature_head(out, slots[k], INTEGERS, content[k], name, True)
        for item in range(offsets[k], offsets[k + 1]):
            value = values[item]
            while value < 0 or value >= 128:
                out[np.uint64(at)] = (value & 127) | 128
                # what comes in from the left is to be zeros
                value = (value >> 7) & 0x1FFFFFFFFFFFFFF
                at += 1
            out[np.uint64(at)] = value
            at += 1
        slots[k] = at


@kernel
def put_plain(
    data: Bytes, offsets: Places, content: Places, name: Bytes, out: Bytes, slots: Places
) -> None:
    """Write a feature of floats, four bytes each, as `put_integers` does."""
    for k in range(len(content)):
        if content[k] < 0:
            continue
        at = _put_feature_head(out, slots[k], FLOATS, content[k], name, True)
        first = 4 * offsets[k]
        for c in range(content[k]):
            out[np.uint64(at + c)] = data[np.uint64(first + c)]
        slots[k] = at + content[k]


@kernel
def put_texts(
    data: Bytes,
    places: Places,
    offsets: Places,
    content: Places,
    name: Bytes,
    out: Bytes,
    slots: Places,
) -> None:
    """Write a feature of texts, as `put_integers` does; `places` is where each begins in `data`."""
    for k in range(len(content)):
        if content[k] < 0:
            continue
        at = _put_feature_head(out, slots[k], BYTES, content[k], name, False)
        for item in range(offsets[k], offsets[k + 1]):
            first, length = places[item], places[item + 1] - places[item]
            at = _put_head(out, at, _FIRST, length)
            for c in range(length):
                out[np.uint64(at + c)] = data[np.uint64(first + c)]
            at += length
        slots[k] = at
