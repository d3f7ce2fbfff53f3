"""`loss_of`: from what a network is trained for to the loss of its scores.

A loss comes as a sum and as the weight that the sum stands for. Sums and weights of batches, or of
the shares of several processes, add up to those of all rows, and one divided by the other is the
mean, whatever the sizes of batches were.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from gdmix.deep import pointwise, ranking
from gdmix.deep.options import LossName
from gdmix.deep.segments import Groups
from gdmix.deep.target import Kind, Target
from gdmix.errors import ConfigError


class Total(NamedTuple):
    """The loss of some rows.

    Attributes
    ----------
    loss : Float[]
        Sum of the weighted losses of rows, or of groups.
    weight : Float[]
        Sum of the weights of the rows or groups; no gradient flows through it.
    """

    loss: Tensor
    weight: Tensor


class Loss(Protocol):
    """A loss of scores."""

    def __call__(
        self,
        score: Tensor,
        label: Tensor,
        weight: Tensor,
        offset: Tensor,
        pointers: Tensor | None = None,
        head: Tensor | None = None,
    ) -> Total:
        """Return the loss of rows.

        Parameters
        ----------
        score : Float[rows, outputs]
            The network's own; the offset is added here. Half precision is widened first.
        label : Float[rows], or Float[rows, outputs] for `multilabel`
        weight, offset : Float[rows]
        pointers : Long[groups + 1], optional
            Where each group begins; needed where groups are ranked. A row of weight 0 stands in
            no group.
        head : Long[rows], optional
            The head that scored a row, for the heads' weights.
        """


_ROWS = {
    "logistic": pointwise.logistic,
    "linear": pointwise.linear,
    "poisson": pointwise.poisson,
    "smoothed_hinge": pointwise.smoothed_hinge,
    "multiclass": pointwise.multiclass,
    "multilabel": pointwise.multilabel,
}
_LISTS = {
    "pairwise": ranking.pairwise,
    "listwise": ranking.listwise,
    "approx_ndcg": ranking.approx_ndcg,
}
# bytes of a number in which losses are taken
_FULL = 4
_SEVERAL: tuple[Kind, ...] = ("multiclass", "multilabel")
GAINS: tuple[LossName, ...] = ("listwise", "lambdarank", "approx_ndcg")
"""Losses that take labels as gains, which cannot be negative."""


def loss_of(target: Target) -> Loss:
    """Return the loss that `target` asks for.

    Raises
    ------
    ConfigError
        Outputs and kind, loss and kind, or heads and their weights, do not fit together.
    """
    _require_sense(target)
    shares = _shares(target)

    def loss(
        score: Tensor,
        label: Tensor,
        weight: Tensor,
        offset: Tensor,
        pointers: Tensor | None = None,
        head: Tensor | None = None,
    ) -> Total:
        score = score if score.dtype.itemsize >= _FULL else score.float()
        label, weight, offset = (part.to(score.dtype) for part in (label, weight, offset))
        if shares and head is not None:
            weight = weight * score.new_tensor(shares)[head]
        if target.loss == "pointwise":
            return _by_rows(target.kind, score, label, weight, offset)
        if pointers is None:
            raise ValueError("a loss of groups needs to know where they begin")
        return _by_groups(target, score[:, 0] + offset, label, weight, pointers)

    return loss


def _by_rows(kind: Kind, score: Tensor, label: Tensor, weight: Tensor, offset: Tensor) -> Total:
    if kind == "multilabel":
        score = score + offset[:, None]
    elif kind != "multiclass":
        # the probabilities of classes do not change by a number that is added to all scores
        score = score[:, 0] + offset
    return Total((weight * _ROWS[kind](score, label)).sum(), weight.sum())


def _by_groups(
    target: Target, score: Tensor, label: Tensor, weight: Tensor, pointers: Tensor
) -> Total:
    groups, present = Groups.at(pointers, len(score)), weight > 0.0
    if not bool(present.all()):
        groups = groups.kept(present)
        score, label, weight = score[present], label[present], weight[present]
    if target.loss == "lambdarank":
        loss = ranking.lambdarank(score, label, weight, groups, target.first)
    else:
        loss = _LISTS[target.loss](score, label, weight, groups)
    return Total(loss.sum(), ranking.WEIGHTS[target.loss](label, weight, groups).sum())


def _shares(target: Target) -> list[float]:
    """Return the factor of each head's weights: 1 on the mean of the heads."""
    total = sum(target.head_weights)
    return [weight * target.heads / total for weight in target.head_weights]


def _require_sense(target: Target) -> None:
    if target.kind in _SEVERAL and target.loss != "pointwise":
        raise ConfigError(
            "loss", f"found {target.loss} for {target.kind}", "pointwise: rows of one score rank"
        )
    least = 2 if target.kind == "multiclass" else 1
    if target.outputs < least or (target.outputs > 1 and target.kind not in _SEVERAL):
        expected = f"{least} or more" if target.kind in _SEVERAL else "1"
        raise ConfigError("outputs", f"found {target.outputs} for {target.kind}", expected)
    weights = target.head_weights
    if weights and (len(weights) != target.heads or min(weights) < 0.0 or not sum(weights) > 0.0):
        raise ConfigError(
            "head_weights",
            f"found {list(weights)}",
            f"{target.heads} numbers from 0, one of them above",
        )
