"""Dense numbers and embedded features, on their way to the hidden layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gdmix.deep.bags import BagOfVectors
from gdmix.deep.batch import Batch
from gdmix.deep.shape import Shape


class Dense(nn.Module):
    """Dense numbers, standardized by training data and rescaled; an absent one is the mean."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.size = shape.dense
        # they are part of the shape, not of the weights
        self.register_buffer("mean", torch.tensor(shape.mean), persistent=False)
        self.register_buffer("deviation", torch.tensor(shape.deviation), persistent=False)
        self._rescale = shape.network.rescale
        if self._rescale:
            self.factor = nn.Parameter(torch.ones(shape.dense))
            self.bias = nn.Parameter(torch.zeros(shape.dense))

    def forward(self, batch: Batch) -> Tensor:
        """Return float32[rows, size]."""
        numbers = (batch.dense - self.mean) / self.deviation
        numbers = torch.where(torch.isnan(numbers), 0.0, numbers)
        return torch.tanh(numbers * self.factor + self.bias) if self._rescale else numbers


class Embedded(nn.Module):
    """Vectors of sparse features, combined within a column and across columns."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        network = shape.network
        self._names = tuple(column.column for column in network.embedded)
        self._sum = network.across == "sum"
        self.columns = nn.ModuleList(
            [
                BagOfVectors(shape.fields[name], network.embedding_size, network.within)
                for name in self._names
            ]
        )
        self.size = network.embedding_size * (1 if self._sum else len(self._names))

    def forward(self, batch: Batch) -> Tensor:
        """Return float32[rows, size]."""
        vectors = [
            column(batch.fields[name])
            for name, column in zip(self._names, self.columns, strict=True)
        ]
        return torch.stack(vectors).sum(dim=0) if self._sum else torch.cat(vectors, dim=1)
