"""How the vectors of a query and a user meet those of a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gdmix.deep.options import Similarity


class Interaction(nn.Module):
    """Several similarities of every vector of the user's side with every one of the document's.

    A side that is absent leaves the other's vectors as they are.

    Parameters
    ----------
    similarity : tuple of str
    users, documents : int
        Vectors of either side; the query is one of the user's.
    size : int
        Size of a vector.
    """

    def __init__(
        self, similarity: Sequence[Similarity], users: int, documents: int, size: int
    ) -> None:
        super().__init__()
        self._meet = [_WAYS[name] for name in similarity]
        pairs = users * documents
        sizes = {"inner": pairs, "cosine": pairs, "concat": (users + documents) * size}
        many = [sizes.get(name, pairs * size) for name in similarity]
        self.size = sum(many) if users and documents else (users + documents) * size

    def forward(self, users: Tensor | None, documents: Tensor | None) -> Tensor:
        """Return float32[rows, `size`] of float32[rows, vectors, size] of either side, or both."""
        if users is not None and documents is not None:
            return torch.cat([meet(users, documents) for meet in self._meet], dim=1)
        alone = documents if users is None else users
        assert alone is not None  # a network has a vector on one side at least
        return alone.flatten(1)


class Projection(nn.Module):
    """All vectors of one side become one: tanh of a linear map."""

    def __init__(self, vectors: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(vectors * size, size)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return float32[rows, size] of tensors float32[rows, size]."""
        return torch.tanh(self.linear(torch.cat(vectors, dim=1)))


def _inner(users: Tensor, documents: Tensor) -> Tensor:
    return (documents @ users.transpose(1, 2)).flatten(1)


def _cosine(users: Tensor, documents: Tensor) -> Tensor:
    # the vector of an empty text may be zero: its cosine is zero, and its slope finite
    return _inner(
        functional.normalize(users, dim=2, eps=1e-6),
        functional.normalize(documents, dim=2, eps=1e-6),
    )


def _hadamard(users: Tensor, documents: Tensor) -> Tensor:
    return (documents[:, :, None, :] * users[:, None, :, :]).flatten(1)


def _difference(users: Tensor, documents: Tensor) -> Tensor:
    return (users[:, None, :, :] - documents[:, :, None, :]).flatten(1)


def _concat(users: Tensor, documents: Tensor) -> Tensor:
    return torch.cat([documents.flatten(1), users.flatten(1)], dim=1)


_WAYS: dict[Similarity, Callable[[Tensor, Tensor], Tensor]] = {
    "inner": _inner,
    "cosine": _cosine,
    "hadamard": _hadamard,
    "difference": _difference,
    "concat": _concat,
}
