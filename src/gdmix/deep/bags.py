"""Sparse rows on a network's way in: sums of embeddings."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Bag(NamedTuple):
    """Sparse rows, as `torch.nn.EmbeddingBag` takes them.

    Attributes
    ----------
    indices : int64[nnz]
    offsets : int64[rows]
        Where each row begins.
    values : float32[nnz]
    """

    indices: Tensor
    offsets: Tensor
    values: Tensor


class BagOfVectors(nn.Module):
    """A vector for each feature; a row's is the sum, or mean, of its features' by their values.

    A row without features has the vector 0.

    Parameters
    ----------
    width : int
        Number of features.
    size : int
        Size of a vector.
    combine : str
        The mean is over the sum of the values' magnitudes.
    spread : float
        Deviation of new vectors.
    """

    def __init__(
        self, width: int, size: int, combine: Literal["sum", "mean"] = "sum", spread: float = 0.05
    ) -> None:
        super().__init__()
        self._mean = combine == "mean"
        self.weight = nn.Parameter(torch.zeros(width, size))
        if spread and width:
            nn.init.normal_(self.weight, std=spread)

    def forward(self, bag: Bag) -> Tensor:
        """Return float32[rows, size]."""
        if torch.compiler.is_exporting():
            # what exports are read by knows scattered sums, not bags
            rows = _row_of_each(bag)
            vectors = self.weight[bag.indices] * bag.values[:, None]
            total = _summed(vectors, rows, bag)
        else:
            total = functional.embedding_bag(
                bag.indices, self.weight, bag.offsets, mode="sum", per_sample_weights=bag.values
            )
        if not self._mean:
            return total
        magnitude = _summed(bag.values.abs()[:, None], _row_of_each(bag), bag)
        return total / torch.where(magnitude > 0.0, magnitude, 1.0)


def _row_of_each(bag: Bag) -> Tensor:
    """Return int64[nnz]: each value's row, which is how many rows begin before it, or at it."""
    begin = torch.zeros(bag.indices.shape[0] + 1, dtype=torch.int64, device=bag.offsets.device)
    begin = begin.index_add(0, bag.offsets, torch.ones_like(bag.offsets))
    return begin.cumsum(0)[:-1] - 1


def _summed(values: Tensor, rows: Tensor, bag: Bag) -> Tensor:
    total = values.new_zeros(bag.offsets.shape[0], values.shape[1])
    return total.index_add(0, rows, values)
