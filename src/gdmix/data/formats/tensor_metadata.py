"""GDMix's ``tensor_metadata.json``: names, types and shapes of the tensors in TFRecord files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from gdmix.errors import DataError, did_you_mean

FILE = "tensor_metadata.json"

# indices are below it
_LONGEST = 2**31

_TYPES = {
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "bytes": pa.binary(),
}


class Tensor(NamedTuple):
    """One tensor of a record.

    Attributes
    ----------
    name : str
    kind : pa.DataType
        Of one value.
    shape : tuple of int
        Empty for a single value; -1 where a length is not known.
    sparse : bool
        Whether it is kept as ``<name>_indices`` and ``<name>_values``.
    """

    name: str
    kind: pa.DataType
    shape: tuple[int, ...]
    sparse: bool

    def fields(self) -> list[pa.Field]:
        """Return the columns that hold it."""
        if self.sparse:
            pair = (("indices", pa.int64()), ("values", self.kind))
            return [pa.field(f"{self.name}_{part}", pa.list_(kind)) for part, kind in pair]
        return [pa.field(self.name, pa.list_(self.kind) if self.shape else self.kind)]


def find_metadata(data: Path) -> Path | None:
    """Return the metadata file that lies beside a data file, as GDMix lays them out."""
    for folder in (data.parent, data.parent.parent):
        for place in (folder / FILE, folder / "metadata" / FILE):
            if place.is_file():
                return place
    return None


def read_metadata(path: Path) -> list[Tensor]:
    """Read a metadata file: features, then labels.

    Raises
    ------
    DataError
        It is not JSON, or a tensor is described wrongly; names the tensor and the key.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(str(path), f"not JSON ({error})", "GDMix's tensor metadata") from None
    if not isinstance(values, dict) or "features" not in values:
        raise DataError(str(path), "there is no 'features'", "GDMix's tensor metadata")
    tensors = []
    for part in ("features", "labels"):
        items = values.get(part) or []
        if not isinstance(items, list):
            raise DataError(f"{path}, {part}", f"found {type(items).__name__}", "a list")
        tensors += [_tensor(f"{path}, {part}[{k}]", item) for k, item in enumerate(items)]
    names = [field.name for tensor in tensors for field in tensor.fields()]
    for name in names:
        if names.count(name) > 1:
            found = f"{names.count(name)} tensors are named {name!r}"
            raise DataError(str(path), found, "one", "rename or remove the others")
    return tensors


def write_metadata(path: Path, features: Iterable[Tensor], labels: Iterable[Tensor]) -> None:
    """Write a metadata file as GDMix reads it."""
    plain = {
        "features": [_plain(tensor) for tensor in features],
        "labels": [_plain(tensor) for tensor in labels],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def _tensor(where: str, item: Any) -> Tensor:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(item, dict):
        raise DataError(where, f"found {item!r}", "a mapping of name, dtype, shape and isSparse")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise DataError(f"{where}.name", f"found {name!r}", "text that is not empty")
    where = f"{where} ({name})"
    dtype = item.get("dtype")
    if not isinstance(dtype, str) or dtype not in _TYPES:
        hint = did_you_mean(str(dtype), _TYPES)
        raise DataError(f"{where}.dtype", f"found {dtype!r}", f"one of {', '.join(_TYPES)}", hint)
    shape = item.get("shape", [])
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise DataError(f"{where}.shape", f"found {shape!r}", "a list of whole numbers")
    if any(size < -1 or size == 0 or size > _LONGEST for size in shape):
        expected = f"lengths from 1 to {_LONGEST}, or -1 for any"
        raise DataError(f"{where}.shape", f"found {shape!r}", expected)
    if prod(size for size in shape if size > 0) > _LONGEST:
        found = f"found {shape!r}, {prod(shape)} values"
        raise DataError(f"{where}.shape", found, f"{_LONGEST} values at most")
    sparse = item.get("isSparse", False)
    if not isinstance(sparse, bool):
        raise DataError(f"{where}.isSparse", f"found {sparse!r}", "true or false")
    if sparse and len(shape) != 1:
        raise DataError(f"{where}.shape", f"found {shape!r}", "one length, for a sparse tensor")
    return Tensor(name, _TYPES[dtype], tuple(shape), sparse)


def _plain(tensor: Tensor) -> dict[str, Any]:
    names = {kind: name for name, kind in _TYPES.items() if name != "int"}
    return {
        "name": tensor.name,
        "dtype": names[tensor.kind],
        "shape": list(tensor.shape),
        "isSparse": tensor.sparse,
    }
