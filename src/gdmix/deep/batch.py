"""`Batch`: rows as tensors; `Lot`: a batch with what its loss needs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar, cast

from torch import Tensor

from gdmix.deep.bags import Bag

T = TypeVar("T")


class Batch(NamedTuple):
    """Rows as tensors.

    Attributes
    ----------
    texts : dict of str to (int64[rows, length], int64[rows])
        By column: numbers of tokens, filled up to a common length, and how many are a text's own.
    wide : Bag
        Without features, where there is no linear tower.
    dense : float32[rows, numbers]
        As they were read: NaN is absent.
    fields : dict of str to Bag
        By column.
    head : int64[rows] or None
        The task that each row belongs to; None is the first.
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
