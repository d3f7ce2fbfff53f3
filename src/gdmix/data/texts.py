"""The bytes of Arrow's strings as arrays, and the order of many strings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.jit import kernel

# what fits into an int64 without its sign
_LETTERS = 7
_FEW = 1 << 12


def buffers(texts: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return offsets and bytes of strings without nulls, read-only so that kernels compile once."""
    offsets, letters = np.zeros(1, np.int32), np.empty(0, np.uint8)
    if len(texts):
        _, places, text = texts.buffers()
        offsets = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        letters = np.frombuffer(text or b"", np.uint8)
    for array in (offsets, letters):
        array.flags.writeable = False
    return offsets, letters


def ascending(texts: pa.StringArray) -> NDArray[np.int64]:
    """Return the order that sorts distinct strings without nulls by their bytes.

    Numbers made of the first letters in which the strings differ are sorted instead of the
    strings; those whose numbers are equal are then compared as they are.
    """
    if len(texts) < _FEW:
        return _by_text(texts)
    ends = pc.min_max(texts.cast(pa.binary())).as_py()
    shared = _shared(ends["min"], ends["max"])
    numbers = np.empty(len(texts), np.int64)
    first_letters(*buffers(texts), shared, _LETTERS, numbers)
    order = np.argsort(numbers)
    numbers = numbers[order]
    same = numbers[1:] == numbers[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    if len(tied):
        among = order[tied]
        order[tied] = among[_by_text(texts.take(pa.array(among)))]
    return order


def _shared(first: bytes, last: bytes) -> int:
    """Return how many bytes two strings begin with alike."""
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(first), len(last)))


def _by_text(texts: pa.StringArray) -> NDArray[np.int64]:
    order = pc.array_sort_indices(texts).to_numpy(zero_copy_only=False)
    return np.asarray(order, dtype=np.int64)


@kernel
def first_letters(
    offsets: NDArray[np.int32],
    letters: NDArray[np.uint8],
    skipped: int,
    count: int,
    out: NDArray[np.int64],
) -> None:
    """Write `count` bytes of each string, from the one at `skipped` on, as one number.

    Bytes past the end of a string count as 0.
    """
    for key in range(len(out)):
        first = offsets[key] + skipped
        number = 0
        for k in range(first, first + count):
            number = number << 8
            if k < offsets[key + 1]:
                number += int(letters[k])
        out[key] = number
