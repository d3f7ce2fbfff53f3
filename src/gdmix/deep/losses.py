"""`loss_of`: from what a network is trained for to the loss of its scores.

A loss comes as a sum and as the weight that the sum stands for. Sums and weights of batches, or of
the shares of several processes, add up to those of all rows, and one divided by the other is the
mean, whatever the sizes of batches were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

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


@dataclass(frozen=True)
class Loss:
    """A loss of scores.

    Attributes
    ----------
    target : Target
    shares : tuple of float
        Factors of the heads' weights; empty where all are alike.
    """

    target: Target
    shares: tuple[float, ...] = ()

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
        score = score if score.dtype.itemsize >= _FULL else score.float()
        label, weight, offset = (part.to(score.dtype) for part in (label, weight, offset))
        weight = self._by_head(weight, head)
        if self.target.loss == "pointwise":
            terms = _of_rows(self.target.kind, score, label, offset)
            return Total((weight * terms).sum(), weight.sum())
        score = score[:, 0] + offset
        groups, present = _groups(weight, pointers)
        if present is not None:
            score, label, weight = score[present], label[present], weight[present]
        loss = _of_groups(self.target, score, label, weight, groups)
        return Total(loss.sum(), ranking.WEIGHTS[self.target.loss](label, weight, groups).sum())

    def weigh(
        self,
        label: Tensor,
        weight: Tensor,
        pointers: Tensor | None = None,
        head: Tensor | None = None,
    ) -> Tensor:
        """Return the weight that `__call__` returns, without scores."""
        weight = self._by_head(weight, head)
        if self.target.loss == "pointwise":
            return weight.sum()
        groups, present = _groups(weight, pointers)
        if present is not None:
            label, weight = label[present], weight[present]
        return ranking.WEIGHTS[self.target.loss](label, weight, groups).sum()

    def _by_head(self, weight: Tensor, head: Tensor | None) -> Tensor:
        return (
            weight
            if head is None or not self.shares
            else weight * weight.new_tensor(self.shares)[head]
        )


def loss_of(target: Target) -> Loss:
    """Return the loss that `target` asks for.

    Raises
    ------
    ConfigError
        Outputs and kind, loss and kind, or heads and their weights, do not fit together.
    """
    _require_sense(target)
    total = sum(target.head_weights)
    return Loss(target, tuple(part * target.heads / total for part in target.head_weights))


def _of_rows(kind: Kind, score: Tensor, label: Tensor, offset: Tensor) -> Tensor:
    if kind == "multilabel":
        score = score + offset[:, None]
    elif kind != "multiclass":
        # the probabilities of classes do not change by a number that is added to all scores
        score = score[:, 0] + offset
    return _ROWS[kind](score, label)


def _of_groups(
    target: Target, score: Tensor, label: Tensor, weight: Tensor, groups: Groups
) -> Tensor:
    if target.loss == "lambdarank":
        return ranking.lambdarank(score, label, weight, groups, target.first)
    return _LISTS[target.loss](score, label, weight, groups)


def _groups(weight: Tensor, pointers: Tensor | None) -> tuple[Groups, Tensor | None]:
    """Return the groups of the rows with weight; and which these are, unless all are."""
    if pointers is None:
        raise ValueError("a loss of groups needs to know where they begin")
    groups, present = Groups.at(pointers, len(weight)), weight > 0.0
    if bool(present.all()):
        return groups, None
    return groups.kept(present), present


def _require_sense(target: Target) -> None:
    if target.kind in _SEVERAL and target.loss != "pointwise":
        raise ConfigError(
            "loss", f"found {target.loss} for {target.kind}", "pointwise: rows of one score rank"
        )
    least = 2 if target.kind == "multiclass" else 1
    if target.outputs < least or (target.outputs > 1 and target.kind not in _SEVERAL):
        expected = f"{least} or more" if target.kind in _SEVERAL else "1"
        raise ConfigError("outputs", f"found {target.outputs} for {target.kind}", expected)
    if target.first is not None and target.first < 1:
        raise ConfigError("first", f"found {target.first}", "1 or more places")
    weights = target.head_weights
    if weights and not (
        len(weights) == target.heads and min(weights) >= 0.0 and 0.0 < sum(weights) < math.inf
    ):
        raise ConfigError(
            "head_weights",
            f"found {list(weights)}",
            f"{target.heads} numbers from 0, one of them above",
        )
