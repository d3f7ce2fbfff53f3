"""Losses of rows that count one by one; they are those of `gdmix.glm.losses`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# a score beyond which the exponential goes on as its tangent
_STEEP = 30.0


def logistic(score: Tensor, label: Tensor) -> Tensor:
    """Return ``log(1 + exp(s)) - y s`` for labels 0 and 1, element by element.

    `softplus` of torch would cut the small end off; this keeps its digits.
    """
    return -functional.logsigmoid((2.0 * label - 1.0) * score)


def linear(score: Tensor, label: Tensor) -> Tensor:
    """Return ``(s - y)^2 / 2``."""
    return 0.5 * (score - label).square()


def poisson(score: Tensor, label: Tensor) -> Tensor:
    """Return ``exp(s) - y s`` for counts.

    Above a score of 30, which is a mean of ten million millions, the exponential goes on as its
    tangent: one bad step of training then does not end in infinity.
    """
    near = score.clamp(max=_STEEP)
    return torch.exp(near) * (1.0 + (score - near)) - label * score


def smoothed_hinge(score: Tensor, label: Tensor) -> Tensor:
    """Return Rennie's smooth hinge for labels 0 and 1."""
    short = 1.0 - (2.0 * label - 1.0) * score
    return 0.5 * short.clamp(0.0, 1.0).square() + (short - 1.0).clamp(min=0.0)


def multiclass(score: Tensor, label: Tensor) -> Tensor:
    """Return minus the logarithm of the probability of the row's class.

    Parameters
    ----------
    score : Float[rows, classes]
    label : Float[rows]
        Number of the class, from 0.
    """
    return functional.cross_entropy(score, label.long(), reduction="none")


def multilabel(score: Tensor, label: Tensor) -> Tensor:
    """Return the sum of the logistic losses of a row's labels.

    Parameters
    ----------
    score, label : Float[rows, labels]
        Labels are 0 and 1.
    """
    return logistic(score, label).sum(1)
