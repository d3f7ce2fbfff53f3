"""`Batch`: rows as tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from gdmix.deep.bags import Bag


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
