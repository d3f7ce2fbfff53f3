"""Linear models written as records of BayesianLinearModelAvro, encoded by a kernel.

Apache Avro specification 1.11, "Binary Encoding": whole numbers in zigzag base 128, text behind its
length, a list as a block behind its length and an end, the branch of a union before its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.formats.avro_container import BlockWriter, encode_long
from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.data.texts import buffers
from gdmix.jit import inner_kernel, kernel
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_ENTITIES_PER_FILE = 1 << 20
_COEFFICIENTS_AT_ONCE = 1 << 16
_MOST_BYTES_OF_A_LONG = 10
_DOUBLE = 8

_NTV = {
    "type": "record",
    "name": "NameTermValueAvro",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "term", "type": "string"},
        {"name": "value", "type": "double"},
    ],
}
_NULLABLE_TEXT = ["null", "string"]
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "BayesianLinearModelAvro",
    "namespace": "com.linkedin.photon.avro.generated",
    "doc": "A linear model: means, and variances where they are known, by name and term.",
    "fields": [
        {"name": "modelId", "type": "string"},
        {"name": "modelClass", "type": _NULLABLE_TEXT, "default": None},
        {"name": "means", "type": {"type": "array", "items": _NTV}},
        {
            "name": "variances",
            "type": ["null", {"type": "array", "items": "NameTermValueAvro"}],
            "default": None,
        },
        {"name": "lossFunction", "type": _NULLABLE_TEXT, "default": None},
    ],
}


class _Models(NamedTuple):
    """Models to write: the positions of their coefficients, -1 for an intercept, lie in `codes`."""

    ids: pa.StringArray
    pointers: Places
    codes: NDArray[np.int32]
    means: Floats
    variances: Floats | None


def write_models(
    folder: Path, part: LinearModel | EntityModel, index: FeatureIndex, model_class: str, name: str
) -> list[Path]:
    """Write the models of a coordinate to ``part-*.avro``, the intercept first in each.

    Parameters
    ----------
    folder : Path
        Is made.
    part : LinearModel or EntityModel
    index : FeatureIndex
    model_class : str
        Photon-ML's name of the kind of regression.
    name : str
        The id of a fixed effect's model.

    Returns
    -------
    list of Path
    """
    folder.mkdir(parents=True)
    models = _of_entities(part) if isinstance(part, EntityModel) else _of_all(part, name)
    features = _encoded(index)
    head, tail = _some(_text(model_class)), _some(_text(""))
    files = []
    for number, first in enumerate(range(0, max(len(models.ids), 1), _ENTITIES_PER_FILE)):
        file = folder / f"part-{number:05d}.avro"
        with file.open("wb") as stream:
            writer = BlockWriter(stream, SCHEMA)
            for start, end in _runs(models.pointers, first, first + _ENTITIES_PER_FILE):
                writer.write(end - start, _block(models, start, end, features, head, tail))
        files.append(file)
    return files


def _of_all(part: LinearModel, name: str) -> _Models:
    count = len(part.coefficients)
    codes = np.arange(count, dtype=np.int32) - np.int32(part.intercept)
    ends = np.array([0, count])
    return _Models(pa.array([name]), ends, codes, part.coefficients, part.variances)


def _of_entities(part: EntityModel) -> _Models:
    table = part.table
    codes = (part.positions() - part.intercept).astype(np.int32)
    pointers = table.feature_ptr + part.intercept * np.arange(len(table.feature_ptr))
    ids = table.ids.cast(pa.string())
    return _Models(ids, pointers, codes, table.coefficients, table.variances)


def _runs(pointers: Places, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield runs of whole models of about as many coefficients."""
    end = min(end, len(pointers) - 1)
    while first < end:
        aim = pointers[first] + _COEFFICIENTS_AT_ONCE
        last = int(np.searchsorted(pointers[: end + 1], aim, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _encoded(index: FeatureIndex) -> tuple[Places, Bytes]:
    """Return name and term of every feature, and last of the intercept, as they are written."""
    pairs = zip(index.names.to_pylist(), index.terms.to_pylist(), strict=True)
    texts = [_text(name) + _text(term) for name, term in pairs]
    texts.append(_text(INTERCEPT) + _text(""))
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return ends, np.frombuffer(b"".join(texts), np.uint8)


def _block(
    models: _Models,
    first: int,
    end: int,
    features: tuple[Places, Bytes],
    head: Bytes,
    tail: Bytes,
) -> memoryview:
    names, text = features
    offsets, letters = buffers(models.ids.slice(first, end - first))
    inside = slice(models.pointers[first], models.pointers[end])
    codes = models.codes[inside]
    means = models.means[inside]
    variances = np.full(len(means), np.nan)
    if models.variances is not None:
        variances = models.variances[inside]
    known = ~np.isnan(variances)
    # an entity that had no intercept in another's file reads as one of 0, and is written as it was
    unsaid = (codes < 0) & (means == 0.0) if len(models.ids) > 1 else np.zeros(len(means), np.bool_)
    # each number behind its name, at most twice; lengths of lists and of the id
    numbers = 2 * int((np.diff(names)[codes] + _DOUBLE).sum())
    each = len(head) + len(tail) + 6 * _MOST_BYTES_OF_A_LONG
    out = np.empty(numbers + int(offsets[-1] - offsets[0]) + each * (end - first), np.uint8)
    size = encode_models(
        offsets,
        letters,
        models.pointers[first : end + 1],
        codes,
        means.view(np.uint8),
        variances.view(np.uint8),
        ~unsaid | known,
        known,
        names,
        text,
        head,
        tail,
        out,
    )
    return out[:size].data


def _text(text: str) -> bytes:
    data = text.encode()
    return encode_long(len(data)) + data


def _some(value: bytes) -> Bytes:
    """Return a value that may be null, but is not, as a union has it."""
    return np.frombuffer(b"\x02" + value, np.uint8)


@inner_kernel
def put_long(out: Bytes, at: int, value: int | np.integer[Any]) -> int:
    """Write a number from 0 on; returns where the next byte belongs."""
    value = value << 1
    while value > 127:
        out[at] = value & 127 | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@inner_kernel
def put_bytes(out: Bytes, at: int, data: Bytes, first: int, end: int) -> int:
    """Copy bytes; returns where the next one belongs."""
    for k in range(first, end):
        out[at] = data[k]
        at += 1
    return at


@inner_kernel
def put_numbers(
    out: Bytes,
    at: int,
    first: int,
    end: int,
    there: NDArray[np.bool_],
    codes: NDArray[np.int32],
    numbers: Bytes,
    names: Places,
    text: Bytes,
) -> int:
    """Write one list of names, terms and values; returns where the next byte belongs."""
    count = 0
    for k in range(first, end):
        count += there[k]
    if count > 0:
        at = put_long(out, at, count)
        for k in range(first, end):
            if there[k]:
                # the intercept's code is -1, and its name the last one
                feature = codes[k] if codes[k] >= 0 else len(names) - 2
                at = put_bytes(out, at, text, names[feature], names[feature + 1])
                at = put_bytes(out, at, numbers, 8 * k, 8 * k + 8)
    return put_long(out, at, 0)


@kernel
def encode_models(
    offsets: NDArray[np.int32],
    letters: Bytes,
    pointers: Places,
    codes: NDArray[np.int32],
    means: Bytes,
    variances: Bytes,
    told: NDArray[np.bool_],
    known: NDArray[np.bool_],
    names: Places,
    text: Bytes,
    head: Bytes,
    tail: Bytes,
    out: Bytes,
) -> int:
    """Write records; returns their bytes.

    Parameters
    ----------
    offsets, letters : int32, uint8
        The ids.
    pointers : int64[models + 1]
        Where each model's coefficients lie, less those before the first.
    codes : int32
        Feature of each coefficient, -1 for an intercept.
    means, variances : uint8
        The bytes of float64.
    told, known : bool
        Which of the means and of the variances are written.
    names, text : int64, uint8
        Name and term of each feature, and of the intercept.
    head, tail : uint8
        What stands between the id and the means, and after the variances.
    out : uint8
    """
    at = 0
    for model in range(len(offsets) - 1):
        first, end = pointers[model] - pointers[0], pointers[model + 1] - pointers[0]
        at = put_long(out, at, offsets[model + 1] - offsets[model])
        at = put_bytes(out, at, letters, offsets[model], offsets[model + 1])
        at = put_bytes(out, at, head, 0, len(head))
        at = put_numbers(out, at, first, end, told, codes, means, names, text)
        some = 0
        for k in range(first, end):
            some |= known[k]
        at = put_long(out, at, some)
        if some:
            at = put_numbers(out, at, first, end, known, codes, variances, names, text)
        at = put_bytes(out, at, tail, 0, len(tail))
    return at
