"""A data set as a folder of arrays, which processes map into their memory instead of reading.

Many may look at the same pages, and the system takes them back when memory is short: a data set
that was packed once costs hardly any memory of its own.

folder/
  numbers.json    rows, widths and what else is small
  <name>.npy      arrays
  <name>.arrow    ids and uids
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset, EntityColumn

_NUMBERS = "numbers.json"


class Packed(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    arrays : dict of str to array
    columns : dict of str to pa.Array
    numbers : dict
        Plain values.
    """

    arrays: Mapping[str, NDArray[Any]]
    columns: Mapping[str, pa.Array]
    numbers: Mapping[str, Any]


def save(folder: Path, packed: Packed) -> None:
    """Write arrays into a folder that is there."""
    for name, array in packed.arrays.items():
        np.save(folder / f"{name}.npy", array)
    for name, column in packed.columns.items():
        save_column(folder / f"{name}.arrow", column)
    text = json.dumps(dict(packed.numbers))
    (folder / _NUMBERS).write_text(text, encoding="utf-8")


def save_column(path: Path, column: pa.Array) -> None:
    """Write an Arrow array so that it can be mapped."""
    table = pa.table({"column": column})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def load_array(path: Path) -> NDArray[Any]:
    """Map an array: what is written to it stays in this process."""
    if path.stat().st_size > _EMPTY:
        mapped: NDArray[Any] = np.load(path, mmap_mode="c")
        if mapped.size:
            # kernels are compiled for plain arrays
            plain: NDArray[Any] = mapped.view(np.ndarray)
            return plain
    small: NDArray[Any] = np.load(path)
    return small


# a header alone: an empty array cannot be mapped
_EMPTY = 128


def load_column(path: Path) -> pa.Array:
    """Map an Arrow array."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    column = table["column"].combine_chunks()
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def load_numbers(folder: Path) -> dict[str, Any]:
    """Return the plain values of a folder."""
    numbers: dict[str, Any] = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))
    return numbers


def save_rows(folder: Path, rows: Dataset) -> None:
    """Write a data set without texts; its shards are numbered, for names may be long."""
    arrays: dict[str, NDArray[Any]] = {
        "label": rows.label,
        "weight": rows.weight,
        "offset": rows.offset,
    }
    columns: dict[str, pa.Array] = {}
    for number, (ids, codes) in enumerate(rows.entities.values()):
        columns[f"ids-{number}"], arrays[f"codes-{number}"] = ids, codes
    for number, csr in enumerate(rows.shards.values()):
        for name in ("indptr", "indices", "values"):
            arrays[f"{name}-{number}"] = getattr(csr, name)
    if rows.uid is not None:
        columns["uid"] = rows.uid
    numbers = {
        "rows": rows.rows,
        "has_label": rows.has_label,
        "entities": list(rows.entities),
        "widths": {name: csr.width for name, csr in rows.shards.items()},
        "unseen": rows.unseen,
        "has_uid": rows.uid is not None,
    }
    save(folder, Packed(arrays, columns, numbers))


def load_rows(folder: Path, indices: Path | None = None) -> Dataset:
    """Map a data set that `save_rows` wrote.

    Parameters
    ----------
    folder : Path
    indices : Path, optional
        Folder with other indices and widths of the same rows, as `save_indices` wrote them.
    """
    numbers = load_numbers(folder)
    widths = numbers["widths"] if indices is None else load_numbers(indices)["widths"]

    def array(name: str) -> NDArray[Any]:
        return load_array(folder / f"{name}.npy")

    shards = {}
    for number, (shard, width) in enumerate(widths.items()):
        place = (indices or folder) / f"indices-{number}.npy"
        pointers, values = array(f"indptr-{number}"), array(f"values-{number}")
        shards[shard] = Csr(pointers, load_array(place), values, width)
    entities = {
        name: EntityColumn(load_column(folder / f"ids-{number}.arrow"), array(f"codes-{number}"))
        for number, name in enumerate(numbers["entities"])
    }
    return Dataset(
        numbers["rows"],
        array("label"),
        array("weight"),
        array("offset"),
        has_label=numbers["has_label"],
        uid=load_column(folder / "uid.arrow") if numbers["has_uid"] else None,
        entities=entities,
        shards=shards,
        unseen=numbers["unseen"],
    )


def save_indices(folder: Path, shards: Mapping[str, Csr]) -> None:
    """Write how the features of rows are numbered; see `load_rows`."""
    arrays = {f"indices-{number}": csr.indices for number, csr in enumerate(shards.values())}
    numbers = {"widths": {name: csr.width for name, csr in shards.items()}}
    save(folder, Packed(arrays, {}, numbers))
