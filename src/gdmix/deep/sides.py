"""The user's side and the document's: vectors of their texts and ids, and how they meet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gdmix.deep.bags import BagOfVectors
from gdmix.deep.batch import Batch
from gdmix.deep.encoders import Texts
from gdmix.deep.interaction import Interaction, Projection
from gdmix.deep.shape import Shape
from gdmix.schema import FeatureList


class Sides(nn.Module):
    """All that is known of a row by texts and ids, as one vector of similarities."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        network = shape.network
        self._query = network.query
        self.texts: Texts | None = None
        size = network.id_units
        if network.texts:
            self.texts = Texts(
                network.texts, network.encoder, shape.vocabulary, shape.pad, shape.transformer
            )
            size = self.texts.size
        # vectors of ids meet those of texts, which may be of another size
        both = bool(network.ids) and self.texts is not None
        self.of_ids: nn.Module = nn.Linear(network.id_units, size) if both else nn.Identity()
        self.users = _Side(network.user_texts, network.user_ids, shape, size, network.project_users)
        self.documents = _Side(
            network.document_texts, network.document_ids, shape, size, network.project_documents
        )
        users = self.users.vectors + (network.query is not None)
        self.meet = Interaction(network.similarity, users, self.documents.vectors, size)
        self.size = self.meet.size

    def forward(self, batch: Batch) -> Tensor:
        """Return float32[rows, size]."""
        users = self.users(batch, self.texts, self.of_ids)
        if self._query is not None and self.texts is not None:
            users.append(self.texts(self._query, *batch.texts[self._query]))
        documents = self.documents(batch, self.texts, self.of_ids)
        met: Tensor = self.meet(_stacked(users), _stacked(documents))
        return met


class _Side(nn.Module):
    """Vectors of one side, which may be projected to one."""

    def __init__(
        self, texts: tuple[str, ...], ids: FeatureList, shape: Shape, size: int, project: bool
    ) -> None:
        super().__init__()
        self._texts = texts
        self._ids = tuple(column.column for column in ids)
        units = shape.network.id_units
        self.ids = nn.ModuleList(
            [BagOfVectors(shape.fields[name], units, "mean") for name in self._ids]
        )
        given = len(self._texts) + len(self._ids)
        self.projection = Projection(given, size) if project and given else None
        self.vectors = given if self.projection is None else 1

    def forward(self, batch: Batch, texts: Texts | None, of_ids: nn.Module) -> list[Tensor]:
        """Return tensors float32[rows, size]."""
        vectors = []
        if texts is not None:
            vectors = [texts(name, *batch.texts[name]) for name in self._texts]
        for name, bag in zip(self._ids, self.ids, strict=True):
            vectors.append(of_ids(bag(batch.fields[name])))
        return vectors if self.projection is None else [self.projection(vectors)]


def _stacked(vectors: list[Tensor]) -> Tensor | None:
    return torch.stack(vectors, dim=1) if vectors else None
