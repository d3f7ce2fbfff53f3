"""A network before its training: what it reads is known, pretrained weights are in place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pyarrow as pa
import torch

from gdmix.deep.encoders import Transformer
from gdmix.deep.examples import Examples
from gdmix.deep.network import DeepNetwork
from gdmix.deep.options import Network, TextEncoder
from gdmix.deep.shape import Shape, shape_of
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from gdmix.deep.vocabulary import Tokens
from gdmix.deep.word_vectors import read_word_vectors


def tokens_for(network: Network, texts: Iterable[pa.StringArray]) -> Tokens | None:
    """Return the vocabulary that a network's options ask for; None where it reads no text.

    Parameters
    ----------
    network : Network
    texts : iterable of pa.StringArray
        Of all text columns: read where the vocabulary is built from data alone.
    """
    encoder = network.encoder
    if not network.texts:
        return None
    if encoder.kind == "transformer":
        return Tokens.of_model(encoder)
    if encoder.vocabulary is not None:
        return Tokens.read(encoder.vocabulary, encoder)
    return Tokens.build(texts, encoder)


def beginning(
    network: Network, target: Target, examples: Examples, tokens: Tokens | None
) -> tuple[DeepNetwork, Shape]:
    """Return a network to be trained on these rows, and its shape.

    New weights are drawn by PyTorch's own generator: seed it before.

    Parameters
    ----------
    network, target
    examples : Examples
        The training data.
    tokens : Tokens or None
        As `tokens_for` gives them.

    Raises
    ------
    ConfigError, DataError
        Pretrained weights or word vectors cannot be read, or are of another size.
    """
    from gdmix.deep.pretrained import read_configuration, read_weights

    encoder = network.encoder
    pretrained = encoder.model if network.texts else None
    shape = shape_of(
        network,
        target,
        examples,
        vocabulary=0 if tokens is None else tokens.size,
        pad=0 if tokens is None else tokens.pad,
        transformer=None if pretrained is None else read_configuration(pretrained),
    )
    built = DeepNetwork(shape)
    if pretrained is not None:
        weights = read_weights(pretrained).state_dict()
        _transformer_of(built).model.load_state_dict(weights)
    elif tokens is not None and encoder.word_vectors is not None:
        _use_word_vectors(built, tokens, encoder)
    return built, shape


def rebuilt(trained: Trained) -> DeepNetwork:
    """Return a trained network, ready to score; random numbers go on as if nothing had been."""
    with torch.random.fork_rng(devices=[]):
        network = DeepNetwork(trained.shape)
    network.load_state_dict(dict(trained.state))
    return network.eval()


def _use_word_vectors(network: DeepNetwork, tokens: Tokens, encoder: TextEncoder) -> None:
    found = read_word_vectors(str(encoder.word_vectors), tokens.words(), encoder.units)
    texts = network.sides.texts if network.sides is not None else None
    assert texts is not None
    assert texts.embedding is not None
    known = torch.from_numpy(found.known)
    with torch.no_grad():
        texts.embedding.weight[known] = torch.from_numpy(found.vectors[found.known])
        texts.embedding.weight[tokens.pad] = 0.0


def _transformer_of(network: DeepNetwork) -> Transformer:
    assert network.sides is not None
    assert network.sides.texts is not None
    return cast(Transformer, network.sides.texts.encoders[0])
