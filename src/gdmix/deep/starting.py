"""Whether a network can begin with the weights of an earlier one."""

from __future__ import annotations

from gdmix.deep.options import Network
from gdmix.deep.shape import Shape
from gdmix.deep.trained import Trained
from gdmix.errors import ModelError

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


def _fixed(network: Network) -> dict[str, object]:
    """Return the options, by path, that an earlier network must share."""
    values = network.model_dump(mode="json", exclude=_FREE | {"encoder"})
    encoder = network.encoder.model_dump(mode="json", exclude=_FREE_OF_ENCODER)
    return values | {f"encoder.{name}": value for name, value in encoder.items()}
