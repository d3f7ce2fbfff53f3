"""The tensor metadata of what is written: types from a schema, shapes from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.arrowtypes import is_list
from gdmix.data.formats.tensor_metadata import Tensor, read_metadata, write_metadata
from gdmix.errors import DataError

_LABELS = ("label", "response")


class Tensors:
    """Learns the shapes of tensors from the rows that are written.

    Parameters
    ----------
    schema : pa.Schema
        Columns as an `Example` has them: numbers, strings, lists, pairs of indices and values.
    sizes : mapping of str to int
        How many features a sparse tensor has, where that is known.
    """

    def __init__(self, schema: pa.Schema, sizes: Mapping[str, int]) -> None:
        self._schema = schema
        self._sparse = dict(sizes)
        self._widths: dict[str, set[int]] = {}
        for name in schema.names:
            base = name.removesuffix("_indices")
            if base != name and f"{base}_values" in schema.names:
                self._sparse.setdefault(base, 0)

    def see(self, batch: pa.RecordBatch) -> None:
        """Look at some rows."""
        for name in self._schema.names:
            base = name.removesuffix("_indices")
            if base != name and base in self._sparse:
                largest = pc.max(batch.column(name).flatten()).as_py()
                self._sparse[base] = max(
                    self._sparse[base], 1 + (-1 if largest is None else largest)
                )
            elif is_list(batch.column(name).type):
                lengths = pc.unique(pc.list_value_length(batch.column(name)).drop_null())
                # two that differ tell as much as all of them
                known = self._widths.setdefault(name, set())
                known.update(np.asarray(lengths).tolist()[: 3 - len(known)])

    def tensors(self) -> list[Tensor]:
        """Return what was learnt."""
        found = []
        halves = {f"{base}_{part}" for base in self._sparse for part in ("indices", "values")}
        for field in self._schema:
            base = field.name.removesuffix("_indices")
            if base in self._sparse and base != field.name:
                values = self._schema.field(f"{base}_values").type.value_type
                found.append(Tensor(base, values, (max(1, self._sparse[base]),), True))
            elif field.name in halves:
                continue
            elif is_list(field.type):
                widths = self._widths.get(field.name, set())
                width = widths.pop() if len(widths) == 1 else -1
                found.append(Tensor(field.name, field.type.value_type, (width or -1,), False))
            else:
                found.append(Tensor(field.name, field.type, (), False))
        return found


def describe(path: Path, tensors: list[Tensor]) -> None:
    """Write a metadata file; one that is there and has the same tensors keeps the larger shapes.

    Raises
    ------
    DataError
        The one that is there has other tensors.
    """
    if path.exists():
        known = require_same(path, tensors)
        tensors = [_wider(a, b) for a, b in zip(tensors, known, strict=True)]
    write_metadata(
        path,
        [tensor for tensor in tensors if tensor.name not in _LABELS],
        [tensor for tensor in tensors if tensor.name in _LABELS],
    )


def require_same(path: Path, tensors: list[Tensor]) -> list[Tensor]:
    """Return the tensors of a file, in the order of others, which they must equal but in shape.

    Raises
    ------
    DataError
        They are others.
    """
    known = {tensor.name: tensor for tensor in read_metadata(path)}
    for mine in tensors:
        other = known.pop(mine.name, None)
        same = other is not None and other._replace(shape=mine.shape) == mine
        if not same or bool(other and other.shape) != bool(mine.shape):
            raise _different(path, mine.name)
    if known:
        raise _different(path, next(iter(known)))
    by_name = {tensor.name: tensor for tensor in read_metadata(path)}
    return [by_name[tensor.name] for tensor in tensors]


def _different(path: Path, name: str) -> DataError:
    found = f"describes {name!r} differently, or alone"
    return DataError(
        str(path), found, "the columns that are written beside it", "write to a folder of its own"
    )


def _wider(mine: Tensor, other: Tensor) -> Tensor:
    if mine.sparse:
        return mine._replace(shape=max(mine.shape, other.shape))
    return mine if mine.shape == other.shape else mine._replace(shape=(-1,) if mine.shape else ())
