"""What a network reads at once, as tensors: `Batch`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
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
