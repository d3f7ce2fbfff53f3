"""What a network reads at once, as tensors: `Batch`, and `Lot` with what its loss needs besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Ragged(NamedTuple):
    """Lists of token ids, one for each row.

    Attributes
    ----------
    offsets : int64[rows + 1]
        The ids of row i are ``ids[offsets[i]:offsets[i + 1]]``.
    ids : int32[total]
    """

    offsets: NDArray[np.int64]
    ids: NDArray[np.int32]


class Bag(NamedTuple):
    """Features of rows, as `torch.nn.EmbeddingBag` takes them.

    Attributes
    ----------
    indices : Long[total]
    offsets : Long[rows]
        Where the features of each row begin.
    values : Float[total]
    """

    indices: Tensor
    offsets: Tensor
    values: Tensor


class Batch(NamedTuple):
    """Rows as a network reads them.

    Attributes
    ----------
    texts : dict of str to (Long[rows, length], Long[rows])
        Ids of tokens, padded, and how many of them are no padding.
    wide : Bag
    dense : Float[rows, numbers]
    fields : dict of str to Bag
    head : Long[rows] or None
    """

    texts: Mapping[str, tuple[Tensor, Tensor]]
    wide: Bag
    dense: Tensor
    fields: Mapping[str, Bag]
    head: Tensor | None = None


class Lot(NamedTuple):
    """A batch and what its loss needs.

    Attributes
    ----------
    batch : Batch
    label : Float[rows] or Float[rows, outputs]
    weight, offset : Float[rows]
    pointers : Long[groups + 1] or None
        Where each group of rows begins, where rows are ranked.
    """

    batch: Batch
    label: Tensor
    weight: Tensor
    offset: Tensor
    pointers: Tensor | None = None


def moved(lot: Lot, device: torch.device) -> Lot:
    """Return the lot on `device`; from pinned memory the copies run beside the caller's work."""
    if device.type == "cpu":
        return lot
    batch = lot.batch
    there = Batch(
        {
            name: (_moved(ids, device), _moved(lengths, device))
            for name, (ids, lengths) in batch.texts.items()
        },
        _moved_bag(batch.wide, device),
        _moved(batch.dense, device),
        {name: _moved_bag(bag, device) for name, bag in batch.fields.items()},
        None if batch.head is None else _moved(batch.head, device),
    )
    return Lot(
        there,
        _moved(lot.label, device),
        _moved(lot.weight, device),
        _moved(lot.offset, device),
        None if lot.pointers is None else _moved(lot.pointers, device),
    )


def _moved_bag(bag: Bag, device: torch.device) -> Bag:
    return Bag(*(_moved(part, device) for part in bag))


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True)
