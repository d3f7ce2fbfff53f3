"""What a network reads at once, as tensors: `Batch`, and `Lot` with what its loss needs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar, cast

from torch import Tensor

from gdmix.deep.bags import Bag

T = TypeVar("T")


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
    rows : int
        Rows of the whole batch, of which several processes take a lot each.
    """

    batch: Batch
    label: Tensor
    weight: Tensor
    offset: Tensor
    pointers: Tensor | None = None
    rows: int = 0


def mapped(value: T, function: Callable[[Tensor], Tensor]) -> T:
    """Return a lot or a batch with `function` of each of its tensors."""
    if isinstance(value, Tensor):
        return cast(T, function(value))
    if isinstance(value, Mapping):
        return cast(T, {name: mapped(part, function) for name, part in value.items()})
    if isinstance(value, tuple):
        parts = [mapped(part, function) for part in value]
        return cast(T, value._make(parts) if hasattr(value, "_make") else tuple(parts))
    return value
