"""`Trained`: all that is left of a training, and all that scoring needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from gdmix.deep.shape import Shape
from gdmix.deep.target import Target

if TYPE_CHECKING:
    from torch import Tensor

    from gdmix.deep.vocabulary import Tokens


class Trained(NamedTuple):
    """A trained network as plain values.

    Attributes
    ----------
    shape : Shape
        From which the network is built again.
    target : Target
    tokens : Tokens or None
        None where no text is read.
    state : dict of str to Tensor
        Weights by their name in the network, on the CPU.
    summary : dict
        What training has to tell: plain JSON.
    """

    shape: Shape
    target: Target
    tokens: Tokens | None
    state: Mapping[str, Tensor]
    summary: Mapping[str, Any]
