"""Losses of groups of rows: what matters is the order of their scores.

Every loss takes scores, labels and positive weights of rows that lie group after group, and
returns a number for each group. A row's weight multiplies what it adds as the better row of a
pair, or as one with a gain: weights that are equal within a group are the group's weight, and
clicks can be weighed against the chance to be seen. `WEIGHTS` tells what a group weighs, whatever
its scores; one without anything to learn (no two labels, or no gain) has loss and weight 0.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gdmix.deep.segments import Groups, pairs, runs

Weigh = Callable[[Tensor, Tensor], Tensor]

# of approximate places: 1 / 0.1, near the middle of what Qin et al. found to work
_STEEPNESS = 10.0


def pairwise(score: Tensor, label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the mean of ``log(1 + exp(s_j - s_i))`` over pairs of a group with ``y_i > y_j``."""
    order = groups.sorted(-label)
    score, label, weight = score[order], label[order], weight[order]
    begin, end = _worse(label, groups)
    share = weight / _or_one(groups.total((end - begin).to(score.dtype)))[groups.of]
    return _lost(score, groups, begin, end, lambda better, _: share[better])


def listwise(score: Tensor, label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the cross entropy of the softmax of scores against labels over their sum.

    With one relevant row in a group it is minus the logarithm of its probability to be first
    (Cao et al., Learning to rank: from pairwise approach to listwise approach, 2007).
    """
    share = weight * label / _or_one(groups.total(label))[groups.of]
    behind = groups.log_total(score)[groups.of] - score
    return groups.total(share * behind)


def lambdarank(
    score: Tensor, label: Tensor, weight: Tensor, groups: Groups, first: int | None = None
) -> Tensor:
    """Return the sum of pairs' logistic losses, each times what swapping them does to the NDCG.

    Gains are ``2^y - 1`` and places are those of the present scores, taken as constants (Burges,
    From RankNet to LambdaRank to LambdaMART, 2010; Wang et al., The LambdaLoss framework, 2018).
    Rows of equal score stand in the worst order, rows equal in label too share their discounts:
    the loss depends on no order of rows, and equal scores are no rest.

    Parameters
    ----------
    first : int, optional
        Count the first so many places alone.
    """
    order = groups.sorted(-label)
    score, label, weight = score[order], label[order], weight[order]
    gain = _gain(label)
    best = groups.total(gain * _discount(groups.places(), first, score.dtype))
    scale = 1.0 / _or_one(best)[groups.of]
    discount = _present_discount(score.detach(), label, groups, first)

    def weigh(better: Tensor, worse: Tensor) -> Tensor:
        change = (gain[better] - gain[worse]) * (discount[better] - discount[worse]).abs()
        return weight[better] * scale[better] * change

    begin, end = _worse(label, groups)
    return _lost(score, groups, begin, end, weigh)


def approx_ndcg(score: Tensor, label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return 1 less the NDCG at approximate places, times the group's weight.

    The place of a row is ``1 + sum of sigmoid((s_j - s_i) / 0.1)`` over the other rows j, which is
    smooth in the scores; gains are ``2^y - 1`` (Qin, Liu and Li, A general approximation framework
    for direct optimization of information retrieval measures, 2010).
    """
    gain = _gain(label)
    ideal = gain[groups.sorted(-label)] * _discount(groups.places(), None, score.dtype)
    places: Tensor = _Places.apply(score, groups.begins(), groups.ends())  # type: ignore[no-untyped-call]
    reached = groups.total(gain / torch.log2(1.0 + places))
    return by_gain(label, weight, groups) * (1.0 - reached / _or_one(groups.total(ideal)))


def by_pairs(label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the mean of the better rows' weights over the pairs of a group."""
    order = groups.sorted(-label)
    begin, end = _worse(label[order], groups)
    return _mean(weight[order], (end - begin).to(weight.dtype), groups)


def by_label(label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the mean of the rows' weights, each counted by its label."""
    return _mean(weight, label, groups)


def by_gain(label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the mean of the rows' weights, each counted by its gain."""
    return _mean(weight, _gain(label), groups)


def by_gain_of_pairs(label: Tensor, weight: Tensor, groups: Groups) -> Tensor:
    """Return the same, but 0 for a group whose labels are all alike."""
    return by_gain(label, weight, groups) * (by_pairs(label, weight, groups) > 0.0)


WEIGHTS = {
    "pairwise": by_pairs,
    "listwise": by_label,
    "lambdarank": by_gain_of_pairs,
    "approx_ndcg": by_gain,
}
"""What a group weighs, by loss."""


class _Preferences(torch.autograd.Function):
    """Sum by group of ``weigh(i, j) log(1 + exp(s_j - s_i))`` over rows i and their worse rows j.

    Value and slope are made together, some pairs at a time: memory does not grow with pairs.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        score: Tensor,
        groups: Groups,
        begin: Tensor,
        end: Tensor,
        weigh: Weigh,
    ) -> Tensor:
        """Return Float[groups]."""
        loss, slope = score.new_zeros(groups.count), torch.zeros_like(score)
        for better, worse in pairs(begin, end):
            ahead = score[better] - score[worse]
            share = weigh(better, worse)
            loss.index_add_(0, groups.of[better], -share * functional.logsigmoid(ahead))
            pull = share * torch.sigmoid(-ahead)
            slope.index_add_(0, better, -pull).index_add_(0, worse, pull)
        ctx.save_for_backward(slope, groups.of)
        return loss

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *slopes: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the slope in the scores."""
        slope, of = ctx.saved_tensors  # type: ignore[attr-defined]
        return slopes[0][of] * slope, None, None, None, None


class _Places(torch.autograd.Function):
    """Approximate places: ``1 + sum of sigmoid(10 (s_j - s_i))`` over the other rows of a group."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, score: Tensor, begin: Tensor, end: Tensor
    ) -> Tensor:
        """Return Float[rows], from 1."""
        # a row met itself too, at one half
        places = torch.full_like(score, 0.5)
        for row, other in pairs(begin, end):
            places.index_add_(0, row, torch.sigmoid(_STEEPNESS * (score[other] - score[row])))
        ctx.save_for_backward(score, begin, end)
        return places

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *slopes: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Return the slope in the scores; the curve of a pair is the same from both sides."""
        score, begin, end = ctx.saved_tensors  # type: ignore[attr-defined]
        slope, out = slopes[0], torch.zeros_like(score)
        for row, other in pairs(begin, end):
            share = torch.sigmoid(_STEEPNESS * (score[other] - score[row]))
            bend = _STEEPNESS * share * (1.0 - share)
            out.index_add_(0, row, bend * (slope[other] - slope[row]))
        return out, None, None


def _lost(score: Tensor, groups: Groups, begin: Tensor, end: Tensor, weigh: Weigh) -> Tensor:
    lost: Tensor = _Preferences.apply(score, groups, begin, end, weigh)  # type: ignore[no-untyped-call]
    return lost


def _worse(label: Tensor, groups: Groups) -> tuple[Tensor, Tensor]:
    """Return where the rows of smaller labels begin and end, for rows by falling label."""
    number, ends = runs(groups.of, label)
    return ends[number], groups.ends()


def _gain(label: Tensor) -> Tensor:
    return torch.exp2(label) - 1.0


def _discount(places: Tensor, first: int | None, dtype: torch.dtype) -> Tensor:
    """Return ``1 / log2(1 + place)``, places counting from 1 where these count from 0."""
    discount = 1.0 / torch.log2(2.0 + places.to(dtype))
    return discount if first is None else discount * (places < first)


def _present_discount(score: Tensor, label: Tensor, groups: Groups, first: int | None) -> Tensor:
    order = groups.sorted(-score, label)
    number, ends = runs(groups.of, score[order], label[order])
    discount = _discount(groups.places(), first, score.dtype)
    sizes = torch.diff(ends, prepend=ends.new_zeros(1)).to(score.dtype)
    mean = score.new_zeros(len(ends)).index_add(0, number, discount) / sizes
    return torch.empty_like(score).index_copy(0, order, mean[number])


def _mean(weight: Tensor, share: Tensor, groups: Groups) -> Tensor:
    return groups.total(weight * share) / _or_one(groups.total(share))


def _or_one(total: Tensor) -> Tensor:
    return torch.where(total > 0.0, total, 1.0)
