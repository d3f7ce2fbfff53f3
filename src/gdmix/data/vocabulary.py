"""`Vocabulary`: strings numbered in the order in which they come, in one growing hash table.

Arrow's look-ups hash all that is known anew for every batch, and a Python dict of ten million
strings takes gigabytes.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.texts import buffers
from gdmix.jit import kernel

_T = TypeVar("_T", bound=np.generic)

_AT_ONCE = 1 << 16
_HASH_BITS = 0xFFFFFFFF
_POSITION_BITS = 0x7FFFFFFF


class Vocabulary:
    """Distinct strings; the position of one is the number of those that came before it.

    Parameters
    ----------
    keys : pa.StringArray, optional
        Distinct strings to begin with.
    """

    def __init__(self, keys: pa.StringArray | None = None) -> None:
        self._count = 0
        # a slot holds 32 bits of hash and, in the 31 below, a position from 1; 0 when it is free
        self._table = np.zeros(64, np.int64)
        self._offsets = np.zeros(65, np.int64)
        self._text = np.empty(1024, np.uint8)
        if keys is not None:
            self.add(keys)

    def __len__(self) -> int:
        return self._count

    def add(self, keys: pa.StringArray) -> NDArray[np.int32]:
        """Return the position of each key; those that are new are added."""
        out = np.empty(len(keys), np.int32)
        # a few at a time: room is made for all of them, though most may be known
        for first in range(0, len(keys), _AT_ONCE):
            offsets, text = buffers(keys.slice(first, _AT_ONCE))
            self._reserve(len(offsets) - 1, int(offsets[-1] - offsets[0]))
            self._look_up(offsets, text, out[first : first + _AT_ONCE], adding=True)
        return out

    def find(self, keys: pa.StringArray) -> NDArray[np.int32]:
        """Return the position of each key, -1 where it is unknown."""
        out = np.empty(len(keys), np.int32)
        self._look_up(*buffers(keys), out, adding=False)
        return out

    def keys(self) -> pa.StringArray:
        """Return the strings in the order of their positions."""
        offsets = self._offsets[: self._count + 1].astype(np.int32)
        text = self._text[: offsets[-1]].copy()
        return pa.StringArray.from_buffers(self._count, pa.py_buffer(offsets), pa.py_buffer(text))

    def _look_up(
        self,
        offsets: NDArray[np.int32],
        text: NDArray[np.uint8],
        out: NDArray[np.int32],
        *,
        adding: bool,
    ) -> None:
        self._count = look_up(
            self._table, self._offsets, self._text, self._count, offsets, text, adding, out
        )

    def _reserve(self, keys: int, letters: int) -> None:
        """Make room for as many more keys and bytes of text, should all of them be new."""
        count = self._count + keys
        self._offsets = _grown(self._offsets, self._count + 1, count + 1)
        used = int(self._offsets[self._count])
        self._text = _grown(self._text, used, used + letters)
        if 4 * count > 3 * len(self._table):
            table = np.zeros(1 << (4 * count // 3).bit_length(), np.int64)
            move_entries(self._table, table)
            self._table = table


def _grown(array: NDArray[_T], used: int, wanted: int) -> NDArray[_T]:
    """Return an array with room for `wanted` elements, of which the first `used` are kept."""
    if wanted <= len(array):
        return array
    room = np.empty(max(wanted, 3 * len(array) // 2), array.dtype)
    room[:used] = array[:used]
    return room


@kernel
def look_up(
    table: NDArray[np.int64],
    offsets: NDArray[np.int64],
    text: NDArray[np.uint8],
    count: int,
    key_offsets: NDArray[np.int32],
    letters: NDArray[np.uint8],
    adding: bool,
    out: NDArray[np.int32],
) -> int:
    """Find keys by FNV-1a hashing and linear probing; add the unknown ones where asked to.

    Returns the number of keys that are known afterwards; `out` gets positions, -1 for none.
    """
    mask = len(table) - 1
    for key in range(len(out)):
        first, length = key_offsets[key], key_offsets[key + 1] - key_offsets[key]
        code = 2166136261
        for k in range(first, first + length):
            code = ((code ^ int(letters[k])) * 16777619) & _HASH_BITS
        slot = (code ^ (code >> 15)) & mask
        found = -1
        while table[slot] != 0:
            position = (table[slot] & _POSITION_BITS) - 1
            start = offsets[position]
            if table[slot] >> 31 == code and offsets[position + 1] - start == length:
                k = 0
                while k < length and text[start + k] == letters[first + k]:
                    k += 1
                if k == length:
                    found = position
                    break
            slot = (slot + 1) & mask
        if found < 0 and adding:
            found = count
            count += 1
            table[slot] = (code << 31) | count
            start = offsets[found]
            for k in range(length):
                text[start + k] = letters[first + k]
            offsets[count] = start + length
        out[key] = found
    return count


@kernel
def move_entries(old: NDArray[np.int64], new: NDArray[np.int64]) -> None:
    """Move the entries of a hash table into a larger one."""
    mask = len(new) - 1
    for entry in old:
        if entry != 0:
            code = entry >> 31
            slot = (code ^ (code >> 15)) & mask
            while new[slot] != 0:
                slot = (slot + 1) & mask
            new[slot] = entry
