"""Text encoders: from the tokens of a text to one vector, whatever a batch is padded to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gdmix.deep.options import TextEncoder
from gdmix.deep.recurrent import states_of

_SPREAD = 0.05
"""Deviation of new embeddings: small, so that rare tokens say little."""


class Texts(nn.Module):
    """Encoders of all text columns. Embeddings are shared; so is all but a CNN's filters.

    Parameters
    ----------
    columns : tuple of str
    encoder : TextEncoder
    vocabulary, pad : int
    transformer : dict or None
        Configuration of the pretrained encoder, whose weights are read elsewhere.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        encoder: TextEncoder,
        vocabulary: int,
        pad: int,
        transformer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._place = {column: place for place, column in enumerate(columns)}
        self.encoders: nn.ModuleList
        if encoder.kind == "transformer":
            self.embedding = None
            self.encoders = nn.ModuleList([Transformer(encoder, transformer or {})])
        else:
            self.embedding = nn.Embedding(vocabulary, encoder.units, padding_idx=pad)
            _draw(self.embedding, pad)
            self.embedding.weight.requires_grad_(encoder.train_vectors)
            several = len(columns) if encoder.kind == "cnn" else 1
            self.encoders = nn.ModuleList([_of_vectors(encoder) for _ in range(several)])
        self.size = cast(int, self.encoders[0].size)

    def forward(self, column: str, ids: Tensor, lengths: Tensor) -> Tensor:
        """Encode the texts of one column.

        Parameters
        ----------
        column : str
        ids : int64[rows, length]
        lengths : int64[rows]
            Tokens of each text; what stands behind them is never looked at.

        Returns
        -------
        Tensor
            float32[rows, size].
        """
        encoder = self.encoders[self._place[column] if len(self.encoders) > 1 else 0]
        again = None
        if self._once():
            ids, lengths, again = _distinct(ids, lengths)
        read = ids if self.embedding is None else self.embedding(ids)
        vectors: Tensor = encoder(read, lengths)
        return vectors if again is None else vectors[again]

    def _once(self) -> bool:
        """Whether a text that comes again, as a query does for each document, is encoded once.

        Finding them costs more than a small encoder's step, and is no part of a compiled program.
        """
        worth = self.embedding is None or not self.training
        return worth and not (torch.compiler.is_compiling() or torch.compiler.is_exporting())


class Cnn(nn.Module):
    """Filters over n-grams, each one's largest answer; a text shorter than its window gives 0.

    Takes vectors float32[rows, length, units], as `Rnn` and `Average` do.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self._windows = encoder.windows
        self.size = len(encoder.windows) * encoder.filters
        self.filters = nn.ModuleList(
            [nn.Conv1d(encoder.units, encoder.filters, window) for window in encoder.windows]
        )
        self.dropout = nn.Dropout(encoder.dropout)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[rows, size]."""
        signal = vectors.transpose(1, 2)
        strongest = []
        for window, filters in zip(self._windows, self.filters, strict=True):
            # a batch whose longest text is shorter than the window has a place, too
            answers = functional.relu(filters(functional.pad(signal, (0, window - 1))))
            known = _within(lengths - (window - 1), answers.shape[2])
            # answers are not negative, so a place set to zero never is the largest alone
            strongest.append((answers * known[:, None, :]).amax(dim=2))
        return cast(Tensor, self.dropout(torch.cat(strongest, dim=1)))


class Rnn(nn.Module):
    """LSTM or GRU; the last state of the last layer.

    Both directions share the units. The backward one reads each text from its own end, so that no
    layer meets padding before words; and a text's states do not depend on what comes later.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.size = encoder.units
        self._directions = 2 if encoder.bidirectional else 1
        kind = nn.LSTM if encoder.kind == "lstm" else nn.GRU
        each = encoder.units // self._directions
        self.layers = nn.ModuleList(
            [
                kind(encoder.units, each, batch_first=True)
                for _ in range(encoder.layers * self._directions)
            ]
        )
        self.dropout = nn.Dropout(encoder.dropout)
        if encoder.kind == "lstm":
            for layer in self.layers:
                _remember(cast(nn.LSTM, layer))

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[rows, size]."""
        if self._directions == 1:
            for layer in self.layers:
                vectors = states_of(layer, self.dropout(vectors))
            return _at_end(vectors, lengths)
        order = _from_the_end(lengths, vectors.shape[1])
        ahead = back = vectors
        for start in range(0, len(self.layers), 2):
            vectors = self.dropout(vectors)
            ahead = states_of(self.layers[start], vectors)
            back = states_of(self.layers[start + 1], _reordered(vectors, order))
            vectors = torch.cat([ahead, _reordered(back, order)], dim=2)
        # each direction's last state is the one that has seen the whole text
        return torch.cat([_at_end(ahead, lengths), _at_end(back, lengths)], dim=1)


class Average(nn.Module):
    """The mean of the tokens' vectors."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.size = encoder.units
        self.dropout = nn.Dropout(encoder.dropout)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[rows, size]."""
        return cast(Tensor, self.dropout(_mean(vectors, lengths)))


class Transformer(nn.Module):
    """A pretrained encoder; takes ids int64[rows, length]."""

    model: Any

    def __init__(self, encoder: TextEncoder, configuration: Mapping[str, Any]) -> None:
        super().__init__()
        from gdmix.deep.pretrained import empty_model

        self._pooling: Literal["cls", "mean", "max"] = encoder.pooling
        self._frozen = encoder.freeze
        self.model = empty_model(configuration)
        self.model.requires_grad_(not encoder.freeze)
        self.size = int(self.model.config.hidden_size)
        self.dropout = nn.Dropout(encoder.dropout)

    def train(self, mode: bool = True) -> Transformer:
        """Set the mode; a frozen encoder has no dropout of its own."""
        super().train(mode)
        if self._frozen:
            self.model.eval()
        return self

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return float32[rows, size]."""
        # attention among no tokens at all is not a number
        known = _within(lengths.clamp(min=1), ids.shape[1])
        vectors = self.model(input_ids=ids, attention_mask=known.long()).last_hidden_state
        if self._pooling == "cls":
            pooled = vectors[:, 0]
        elif self._pooling == "mean":
            pooled = _mean(vectors, lengths)
        else:
            hidden = torch.finfo(vectors.dtype).min
            pooled = vectors.masked_fill(~known[:, :, None], hidden).amax(dim=1)
        return cast(Tensor, self.dropout(pooled))


def _distinct(ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return distinct texts, their lengths, and int64[rows]: which of them each row has."""
    both = torch.cat([lengths[:, None], ids], dim=1)
    found, again = torch.unique(both, dim=0, return_inverse=True)
    return found[:, 1:], found[:, 0], again


def _of_vectors(encoder: TextEncoder) -> nn.Module:
    if encoder.kind == "cnn":
        return Cnn(encoder)
    return Average(encoder) if encoder.kind == "average" else Rnn(encoder)


def _draw(embedding: nn.Embedding, pad: int) -> None:
    nn.init.normal_(embedding.weight, std=_SPREAD)
    with torch.no_grad():
        embedding.weight[pad] = 0.0


def _remember(layer: nn.LSTM) -> None:
    """Begin with forget gates open, so that early tokens reach the last state."""
    size = layer.hidden_size
    with torch.no_grad():
        cast(Tensor, layer.bias_ih_l0)[size : 2 * size] = 1.0
        cast(Tensor, layer.bias_hh_l0)[size : 2 * size] = 0.0


def _within(lengths: Tensor, length: int) -> Tensor:
    """Return bool[rows, length]: which places come before each row's length."""
    return torch.arange(length, device=lengths.device)[None, :] < lengths[:, None]


def _mean(vectors: Tensor, lengths: Tensor) -> Tensor:
    known = _within(lengths, vectors.shape[1])[:, :, None]
    return (vectors * known).sum(dim=1) / lengths.clamp(min=1)[:, None]


def _from_the_end(lengths: Tensor, length: int) -> Tensor:
    """Return int64[rows, length]: places from each row's last token back; padding stays."""
    places = torch.arange(length, device=lengths.device)[None, :]
    return torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)


def _reordered(vectors: Tensor, order: Tensor) -> Tensor:
    return vectors.gather(1, order[:, :, None].expand(-1, -1, vectors.shape[2]))


def _at_end(states: Tensor, lengths: Tensor) -> Tensor:
    last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
    return states.gather(1, last).squeeze(1)
