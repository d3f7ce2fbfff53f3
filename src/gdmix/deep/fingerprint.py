"""A short text that differs where a training would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.deep.examples import Examples

_Array = NDArray[Any]


def fingerprint_of(*parts: object) -> str:
    """Return a hash of plain values, arrays and rows.

    Plain values are told apart by what they look like in Python; rows, and mappings of names to
    arrays, by all their bytes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Examples | Mapping):
            arrays = _arrays(part) if isinstance(part, Examples) else part.items()
            for name, array in arrays:
                digest.update(f"\n{name} {array.dtype} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        else:
            digest.update(f"\n{part!r}".encode())
    return digest.hexdigest()


def _arrays(examples: Examples) -> Iterator[tuple[str, _Array]]:
    for name in ("label", "weight", "offset", "dense", "group", "task"):
        array = getattr(examples, name)
        if array is not None:
            yield name, array
    for name, rows in {"wide": examples.wide, **examples.fields}.items():
        yield f"{name} {rows.width} indptr", rows.indptr
        yield f"{name} {rows.width} indices", rows.indices
        yield f"{name} {rows.width} values", rows.values
    for name, texts in examples.texts.items():
        for part, array in zip(("ends", "bytes"), _text_arrays(texts), strict=True):
            yield f"{name} {part}", array


def _text_arrays(texts: pa.StringArray) -> tuple[_Array, _Array]:
    """Return where texts end and their bytes, a null being the empty text."""
    texts = texts.fill_null("")
    if not len(texts):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    _, ends, body = texts.buffers()
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    offsets = np.frombuffer(ends, kind)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(body, np.uint8) if body is not None else np.zeros(0, np.uint8)
    return offsets - offsets[0], data[offsets[0] : offsets[-1]]
