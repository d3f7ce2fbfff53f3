"""TFRecord's framing: records of a known length, both of which are held to a checksum.

A record is its length (8 bytes), the length's checksum (4), its bytes, and their checksum (4). The
checksum is a masked CRC-32C. See TensorFlow's ``tensorflow/core/lib/io/record_writer.h``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.formats.streams import UNREADABLE, Readable, open_input
from gdmix.errors import DataError
from gdmix.jit import inner_kernel, kernel

Bytes = NDArray[np.uint8]
Table = NDArray[np.uint32]

_CHUNK = 1 << 25
HEAD, TAIL = 12, 4
_LARGEST = 1 << 31
_GOOD, _SHORT, _BAD_LENGTH, _BAD_DATA, _TOO_LONG = range(5)
_POLYNOMIAL = 0x82F63B78


class Records(NamedTuple):
    """Some records of a file.

    Attributes
    ----------
    data : uint8[bytes]
    starts, ends : int64[records]
        Where each record lies in `data`.
    first : int
        Number of the first one within the file, from 0.
    offset : int
        Where `data` begins within the file, once it is decompressed.
    """

    data: Bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: int
    offset: int


def read_records(path: Path, chunk: int = _CHUNK) -> Iterator[Records]:
    """Yield the records of a file, plain or compressed, some megabytes at a time.

    What is yielded holds good until the next is asked for: its memory is used again.

    Raises
    ------
    DataError
        The file is cut off, a checksum does not fit, or the file cannot be read; names the byte.
    """
    first, offset, have = 0, 0, 0
    buffer = np.empty(chunk, np.uint8)
    with open_input(path) as stream:
        while got := _fill(path, stream, buffer[have:]):
            have += got
            data = buffer[:have]
            # as what Arrow gives is: kernels are then compiled once
            data.flags.writeable = False
            starts = np.empty(have // (HEAD + TAIL), np.int64)
            ends = np.empty_like(starts)
            count, used, state = split(data, CHECKSUMS, starts, ends)
            if state not in (_GOOD, _SHORT):
                raise _fault(path, state, offset + used, first + count)
            if count:
                yield Records(data, starts[:count], ends[:count], first, offset)
            first, offset, have = first + count, offset + used, have - used
            # twice the room at a time, as bytes come: a length alone takes no memory
            room = buffer if have < len(buffer) else np.empty(2 * len(buffer), np.uint8)
            room[:have] = buffer[used : used + have]
            buffer = room
    if have:
        raise _fault(path, _SHORT, offset, first)


def is_tfrecord(head: bytes) -> bool:
    """Tell whether a file that begins so holds records: the first length's checksum fits."""
    data = np.frombuffer(head[:HEAD], np.uint8)
    return len(data) == HEAD and int(_word(data, 8)) == int(masked(data, 0, 8, CHECKSUMS))


def _fill(path: Path, stream: Readable, room: Bytes) -> int:
    """Read until the room is full or the file ends; return how many bytes came."""
    have = 0
    view = room.data
    try:
        while have < len(room) and (got := stream.readinto(view[have:])):
            have += got
    except UNREADABLE as error:
        raise DataError(str(path), f"cannot be read: {error}", hint="write it again") from None
    return have


def _fault(path: Path, state: int, offset: int, record: int) -> DataError:
    where = f"{path}, byte {offset} (record {record + 1})"
    hint = "is the file complete? write it again"
    if state == _SHORT:
        return DataError(where, "the file ends within a record", hint=hint)
    if state == _TOO_LONG:
        return DataError(where, "the record is longer than 2 GiB", "smaller records")
    what = "length" if state == _BAD_LENGTH else "data"
    return DataError(where, f"the checksum of the record's {what} does not fit", hint=hint)


def _tables() -> Table:
    """Return CRC-32C of every byte, and of it with one to seven zeros behind it."""
    tables = np.zeros((8, 256), np.uint32)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        tables[0, byte] = value
    for k in range(1, 8):
        before = tables[k - 1]
        tables[k] = (before >> np.uint32(8)) ^ tables[0][before & np.uint32(255)]
    return tables


CHECKSUMS = _tables()
"""What `masked` looks up."""


@kernel
def masked(data: Bytes, start: int, end: int, tables: Table) -> int:
    """Return the masked CRC-32C of bytes, eight at a time (Kounavis and Berry 2005)."""
    crc = np.int64(0xFFFFFFFF)
    at = start
    while at + 8 <= end:
        low = crc ^ (
            np.int64(data[at])
            | np.int64(data[at + 1]) << 8
            | np.int64(data[at + 2]) << 16
            | np.int64(data[at + 3]) << 24
        )
        crc = (
            np.int64(tables[7, low & 255])
            ^ np.int64(tables[6, (low >> 8) & 255])
            ^ np.int64(tables[5, (low >> 16) & 255])
            ^ np.int64(tables[4, low >> 24])
            ^ np.int64(tables[3, data[at + 4]])
            ^ np.int64(tables[2, data[at + 5]])
            ^ np.int64(tables[1, data[at + 6]])
            ^ np.int64(tables[0, data[at + 7]])
        )
        at += 8
    while at < end:
        crc = np.int64(tables[0, (crc ^ np.int64(data[at])) & 255]) ^ (crc >> 8)
        at += 1
    crc ^= 0xFFFFFFFF
    return int((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@kernel
def _word(data: Bytes, at: int) -> int:
    value = np.int64(0)
    for k in range(4):
        value |= np.int64(data[at + k]) << (8 * k)
    return int(value)


@kernel
def split(
    data: Bytes, tables: Table, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Find whole records; return how many there are, the bytes they take, and how it ended."""
    at = 0
    count = 0
    while at + HEAD <= len(data):
        if masked(data, at, at + 8, tables) != _word(data, at + 8):
            return count, at, _BAD_LENGTH
        length = _word(data, at) | (_word(data, at + 4) << 32)
        if length < 0 or length >= _LARGEST:
            return count, at, _TOO_LONG
        start = at + HEAD
        end = start + length
        if end + TAIL > len(data):
            return count, at, _SHORT
        if masked(data, start, end, tables) != _word(data, end):
            return count, at, _BAD_DATA
        starts[count] = start
        ends[count] = end
        count += 1
        at = end + TAIL
    return count, at, _GOOD if at == len(data) else _SHORT


@inner_kernel
def put_checksum(out: Bytes, start: int, end: int, tables: Table) -> None:
    """Write the checksum of bytes behind them."""
    crc = masked(out, start, end, tables)
    for k in range(4):
        out[end + k] = (crc >> (8 * k)) & 255
