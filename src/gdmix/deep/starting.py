"""A network that begins from an earlier one: what is taken over, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gdmix.deep.options import Network
from gdmix.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gdmix.deep.shape import Shape
    from gdmix.deep.trained import Trained

# none of these changes what a weight means
_FREE = {"dropout"}
_FREE_OF_ENCODER = {
    "dropout",
    "freeze",
    "learning_rate_factor",
    "model",
    "word_vectors",
    "train_vectors",
    "vocabulary",
    "vocabulary_size",
    "min_count",
}


def take_over_shape(shape: Shape, start: Trained) -> Shape:
    """Return the new network's shape, with what of the earlier one its weights depend on.

    Dense numbers are centred and scaled as before.

    Raises
    ------
    ModelError
        The networks differ in what they read, in their layers, or in what they score.
    """
    before = start.shape
    old, new = _fixed(before.network), _fixed(shape.network)
    different = sorted(name for name in new if new[name] != old.get(name))
    if different:
        name = different[0]
        found, expected = repr(new[name]), repr(old.get(name))
        hint = "begin anew, or leave the network as it was"
        raise ModelError(f"initial model, {name}", f"found {found}", expected, hint)
    for name in ("outputs", "heads", "dense"):
        if getattr(shape, name) != getattr(before, name):
            found, expected = getattr(shape, name), getattr(before, name)
            raise ModelError(f"initial model, {name}", f"found {found}", str(expected))
    return shape._replace(mean=before.mean, deviation=before.deviation)


def take_over_weights(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a network the weights of an earlier one, in place.

    Tables may have grown: features that are new lie behind the known ones, and keep what they
    begin with.

    Raises
    ------
    ModelError
        The weights do not fit.
    """
    own = network.state_dict()
    if own.keys() != state.keys():
        name = sorted(own.keys() ^ state.keys())[0]
        problem = "is missing" if name in own else "has no place in the network"
        raise ModelError(f"initial model, {name}", problem)
    for name, before in state.items():
        weight = own[name]
        if weight.shape == before.shape:
            weight.copy_(before)
            continue
        fits = weight.ndim == before.ndim and weight.shape[1:] == before.shape[1:]
        if not fits or len(weight) < len(before):
            found, expected = tuple(weight.shape), tuple(before.shape)
            problem = f"the network has {found}, the earlier one {expected}"
            raise ModelError(f"initial model, {name}", problem, "no fewer features than before")
        weight[: len(before)].copy_(before)


def _fixed(network: Network) -> dict[str, object]:
    """Return the options, by path, that an earlier network must share."""
    values = network.model_dump(mode="json", exclude=_FREE | {"encoder"})
    encoder = network.encoder.model_dump(mode="json", exclude=_FREE_OF_ENCODER)
    return values | {f"encoder.{name}": value for name, value in encoder.items()}
