"""A network with room for more features: tables that grow at their end."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gdmix.deep.network import DeepNetwork
from gdmix.deep.trained import Trained
from gdmix.errors import ModelError


def widened(trained: Trained, wide: int, fields: Mapping[str, int]) -> Trained:
    """Return the same network with room for more features, which score nothing.

    Parameters
    ----------
    trained : Trained
    wide : int
        Features of the linear tower.
    fields : dict of str to int
        Features of each column of ids and embedded features.

    Raises
    ------
    ModelError
        There would be fewer features than before.
    """
    shape = trained.shape._replace(wide=wide, fields=dict(fields))
    if shape == trained.shape:
        return trained
    # nothing is allocated: names and sizes alone are looked at
    with torch.device("meta"):
        sizes = {name: value.shape for name, value in DeepNetwork(shape).state_dict().items()}
    weights = {name: torch.zeros(size) for name, size in sizes.items()}
    copy_known(weights, trained.state)
    return trained._replace(shape=shape, state=weights)


def copy_known(weights: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> None:
    """Copy weights into those of a network that may have more features, in place.

    New features lie behind the known ones, and keep what they have.

    Raises
    ------
    ModelError
        Weights are missing, or do not fit.
    """
    for name, before in known.items():
        if name not in weights:
            raise ModelError(f"initial model, {name}", "has no place in the network")
        after = weights[name]
        fits = after.ndim == before.ndim and after.shape[1:] == before.shape[1:]
        if not fits or (after.ndim and len(after) < len(before)):
            problem = f"the network has {tuple(after.shape)}, the earlier one {tuple(before.shape)}"
            raise ModelError(f"initial model, {name}", problem, "no fewer features than before")
        (after[: len(before)] if after.ndim else after).copy_(before)
