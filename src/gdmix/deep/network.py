"""`DeepNetwork`: texts, ids and numbers in, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gdmix.deep.bags import Bag, BagOfVectors
from gdmix.deep.batch import Batch
from gdmix.deep.numbers import Dense, Embedded
from gdmix.deep.shape import Shape
from gdmix.deep.sides import Sides

__all__ = ["Bag", "Batch", "DeepNetwork"]


class DeepNetwork(nn.Module):
    """Texts and ids meet; with dense numbers they go through hidden layers to scores.

    A linear tower of the wide features is added; it begins at zero. Weights are new: `beginning`
    brings in pretrained ones, and `rebuilt` trained ones.

    Parameters
    ----------
    shape : Shape

    Attributes
    ----------
    size : int
        Of the last hidden layer.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        network = shape.network
        self.sides = Sides(shape) if network.texts or network.ids else None
        self.dense = Dense(shape) if shape.dense else None
        self.embedded = Embedded(shape) if network.embedded else None
        given = sum(part.size for part in self._parts())
        self.heads = nn.ModuleList(
            [
                _Head(given, network.hidden, network.dropout, shape.outputs)
                for _ in range(shape.heads)
            ]
        )
        self.wide = BagOfVectors(shape.wide, shape.outputs, spread=0.0) if shape.wide else None
        self.size = network.hidden[-1] if network.hidden else given

    def represent(self, batch: Batch) -> Tensor:
        """Return the last hidden layer, that of each row's task: float32[rows, size]."""
        inputs = self._inputs(batch)
        return _own([head.hidden(inputs) for head in self._heads()], batch.head)

    def forward(self, batch: Batch) -> Tensor:
        """Return the network's own scores, without the rows' offsets: float32[rows, outputs]."""
        inputs = self._inputs(batch)
        score = _own([head(inputs) for head in self._heads()], batch.head)
        return score if self.wide is None else score + self.wide(batch.wide)

    def _parts(self) -> list[Sides | Dense | Embedded]:
        return [part for part in (self.sides, self.dense, self.embedded) if part is not None]

    def _heads(self) -> list[_Head]:
        return [head for head in self.heads if isinstance(head, _Head)]

    def _inputs(self, batch: Batch) -> Tensor:
        parts = [part(batch) for part in self._parts()]
        if not parts:  # the linear tower is all there is
            return batch.wide.values.new_zeros(batch.wide.offsets.shape[0], 0)
        return torch.cat(parts, dim=1)


class _Head(nn.Module):
    """Hidden layers and scores of one task."""

    def __init__(self, given: int, hidden: Sequence[int], dropout: float, outputs: int) -> None:
        super().__init__()
        sizes = [given, *hidden]
        self.layers = nn.ModuleList([_linear(*pair) for pair in pairwise(sizes)])
        self.dropout = nn.Dropout(dropout)
        # without inputs an intercept is left
        self.weight = nn.Parameter(torch.zeros(outputs, sizes[-1]))
        if sizes[-1]:
            nn.init.xavier_uniform_(self.weight)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def hidden(self, inputs: Tensor) -> Tensor:
        """Return float32[rows, last hidden size]."""
        for layer in self.layers:
            inputs = self.dropout(torch.tanh(layer(inputs)))
        return inputs

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float32[rows, outputs]."""
        return nn.functional.linear(self.hidden(inputs), self.weight, self.bias)


def _linear(given: int, size: int) -> nn.Linear:
    layer = nn.Linear(given, size)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _own(by_head: list[Tensor], head: Tensor | None) -> Tensor:
    """Return each row's tensor from that of its task."""
    if len(by_head) == 1 or head is None:
        return by_head[0]
    stacked = torch.stack(by_head, dim=1)
    place = head[:, None, None].expand(-1, 1, stacked.shape[2])
    return stacked.gather(1, place).squeeze(1)
