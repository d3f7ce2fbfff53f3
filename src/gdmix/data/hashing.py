"""Hashes of uids: the same on every machine, in every run and in every order of rows."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.jit import kernel

Hashes = NDArray[np.uint64]

# FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv
_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)

_BATCH = 1 << 20


def hash_uids(uids: pa.Array | pa.ChunkedArray | None, rows: int, salt: str) -> Hashes:
    """Return a hash of every row's uid.

    A uid is hashed as it is written, so that 7 and "7" are one: the format of the data does not
    matter. Rows without a uid have that of their number, from 0.

    Parameters
    ----------
    uids : pa.Array, pa.ChunkedArray or None
    rows : int
    salt : str
        Hashes under different salts have nothing to do with each other.

    Returns
    -------
    uint64[rows]
        Uniform in all bits.
    """
    out = np.empty(rows, np.uint64)
    for start in range(0, rows, _BATCH):
        stop = min(start + _BATCH, rows)
        texts = pa.array(np.arange(start, stop)).cast(pa.large_string())
        if uids is not None:
            texts = pc.coalesce(_texts(uids.slice(start, stop - start)), texts)
        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        first = start
        for chunk in chunks:
            _hash_texts(chunk, out[first : first + len(chunk)])
            first += len(chunk)
    return mix(out ^ _salted(salt))


def _texts(uids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_dictionary(uids.type):
        uids = uids.cast(uids.type.value_type)
    if pa.types.is_fixed_size_binary(uids.type):
        uids = uids.cast(pa.binary())
    # bytes need not be text: only their buffers are looked at
    if pa.types.is_binary(uids.type) or pa.types.is_large_binary(uids.type):
        chunks = uids.chunks if isinstance(uids, pa.ChunkedArray) else [uids]
        wide = [chunk.cast(pa.large_binary()).view(pa.large_string()) for chunk in chunks]
        return pa.chunked_array(wide, pa.large_string())
    return uids.cast(pa.large_string())


def _hash_texts(texts: pa.Array, out: Hashes) -> None:
    _, offsets, data = texts.buffers()
    pointers = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    empty = np.zeros(0, np.uint8)
    fnv(pointers, empty if data is None else np.frombuffer(data, np.uint8), out)


def _salted(salt: str) -> np.uint64:
    digest = hashlib.blake2b(salt.encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def mix(values: Hashes) -> Hashes:
    """Spread every bit over all others, as the last steps of SplitMix64 do (Steele et al. 2014).

    FNV leaves the high bits of short strings nearly alike.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@kernel
def fnv(pointers: NDArray[np.int64], data: NDArray[np.uint8], out: Hashes) -> None:
    """Write the FNV-1a hash of the bytes between pointers."""
    for row in range(len(out)):
        value = _BASIS
        for k in range(pointers[row], pointers[row + 1]):
            value = (value ^ np.uint64(data[k])) * _PRIME
        out[row] = value
