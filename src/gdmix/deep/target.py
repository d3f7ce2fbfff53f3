"""What a network is trained for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from gdmix.deep.options import LossName

Kind = Literal["logistic", "linear", "poisson", "smoothed_hinge", "multiclass", "multilabel"]


class Target(NamedTuple):
    """What a network is trained for.

    Attributes
    ----------
    kind : str
        The task: loss of a row at its score plus offset, where rows count one by one.
    loss : str
        ``pointwise``, or how the rows of a group are ranked.
    outputs : int
        Scores of a row: 1, or one for each class of `multiclass` and `multilabel`.
    heads : int
        Tasks with a head of their own; a row belongs to one.
    head_weights : tuple of float
        Of the heads' losses; they are taken as shares. Empty: all alike.
    first : int or None
        Places that count for `lambdarank`; all of them by default.
    """

    kind: Kind = "logistic"
    loss: LossName = "pointwise"
    outputs: int = 1
    heads: int = 1
    head_weights: tuple[float, ...] = ()
    first: int | None = None
