"""Fingerprints of large arrays: is the data of two runs the same, told at the speed of memory."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.data.hashing import hash_uids
from gdmix.jit import kernel

Words = NDArray[np.uint64]

# the primes and rotation of a round of xxHash64 (Y. Collet, xxHash specification 0.1.1)
_FIRST = np.uint64(0x9E3779B185EBCA87)
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)
_LEFT, _RIGHT = np.uint64(31), np.uint64(33)

_LANES = 4


def fingerprint(array: NDArray[np.generic]) -> bytes:
    """Return 32 bytes, and what is left of the array's own, that tell it from others.

    It is no cryptographic hash: it finds what changed by accident, not what was made to fool it.
    """
    data = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    end = len(data) - len(data) % (8 * _LANES)
    words = data[:end].view(np.uint64)
    words.flags.writeable = False
    lanes = np.arange(_LANES, dtype=np.uint64) * _FIRST + np.uint64(len(data))
    stir(words, lanes)
    return lanes.tobytes() + data[end:].tobytes()


def digest_of(rows: Dataset, *, uids: bool) -> bytes:
    """Return a digest of a data set; `uids` tells whether those count."""
    digest = hashlib.sha256()
    large: list[NDArray[np.generic]] = [rows.label, rows.weight, rows.offset]
    for column in rows.entities.values():
        update_digest(digest, column.ids)
        large.append(column.codes)
    for text in rows.texts.values():
        for chunk in text.chunks:
            update_digest(digest, chunk)
    for csr in rows.shards.values():
        large += [csr.indptr, csr.indices, csr.values]
    for array in large:
        digest.update(fingerprint(array))
    if uids:
        digest.update(hash_uids(rows.uid, rows.rows, "").data)
    return digest.digest()


def update_digest(digest: Any, array: pa.Array) -> None:  # noqa: ANN401 - hashlib names no type
    """Take an Arrow array into a digest."""
    for buffer in array.buffers():
        if buffer is not None:
            digest.update(buffer)


@kernel
def stir(words: Words, lanes: Words) -> None:
    """Let each word go into one of four lanes in turn: four rounds at once."""
    a, b, c, d = lanes[0], lanes[1], lanes[2], lanes[3]
    for k in range(0, len(words), 4):
        a += words[k] * _SECOND
        a = ((a << _LEFT) | (a >> _RIGHT)) * _FIRST
        b += words[k + 1] * _SECOND
        b = ((b << _LEFT) | (b >> _RIGHT)) * _FIRST
        c += words[k + 2] * _SECOND
        c = ((c << _LEFT) | (c >> _RIGHT)) * _FIRST
        d += words[k + 3] * _SECOND
        d = ((d << _LEFT) | (d >> _RIGHT)) * _FIRST
    lanes[0], lanes[1], lanes[2], lanes[3] = a, b, c, d
