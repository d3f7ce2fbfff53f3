"""From options to an optimizer: which parameters decay, which go slower."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gdmix.deep.lamb import Lamb
from gdmix.deep.options import Training

_Key = tuple[bool, float]


def parameter_groups(
    network: nn.Module, decay: float, slow: Iterable[nn.Module] = (), factor: float = 1.0
) -> list[dict[str, Any]]:
    """Divide a network's parameters by what is done to them.

    Parameters
    ----------
    network : nn.Module
    decay : float
        Weight decay of matrices and tables. Vectors and numbers, which are biases, norms and
        scales, have none.
    slow : modules of it
        Those with a learning rate of their own, as pretrained ones.
    factor : float
        Their share of the learning rate.

    Returns
    -------
    list of dict
        Groups with ``params``, ``weight_decay``, ``adapt`` (of LAMB) and ``factor``, in an order
        that depends on the network alone; frozen parameters are in none.
    """
    slower = {id(weight) for module in slow for weight in module.parameters()}
    found: dict[_Key, list[Tensor]] = {}
    for weight in network.parameters():
        if weight.requires_grad:
            key = (weight.ndim > 1, factor if id(weight) in slower else 1.0)
            found.setdefault(key, []).append(weight)
    return [
        {
            "params": weights,
            "weight_decay": decay if is_matrix else 0.0,
            "adapt": is_matrix,
            "factor": share,
        }
        for (is_matrix, share), weights in found.items()
    ]


def optimizer_of(training: Training, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return the optimizer that options ask for, over groups of parameters."""
    rate = training.learning_rate
    if training.optimizer == "lamb":
        return Lamb(groups, rate, corrected=training.bias_correction)
    if training.optimizer == "adamw" and not training.bias_correction:
        return Lamb([{**group, "adapt": False} for group in groups], rate, corrected=False)
    # in a plain Adam or SGD decay would be an L2 penalty, which has an option of its own
    decays = training.optimizer == "adamw"
    groups = [
        {
            **{name: value for name, value in group.items() if name != "adapt"},
            "weight_decay": group["weight_decay"] if decays else 0.0,
        }
        for group in groups
    ]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, momentum=training.momentum, fused=True)
    kind = torch.optim.AdamW if decays else torch.optim.Adam
    return kind(groups, rate, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next update; each group takes its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


@torch.no_grad()
def add_penalties(groups: list[dict[str, Any]], l1: float, l2: float) -> None:
    """Add the slope of ``l1 |w| + l2 / 2 |w|²`` to the gradients of matrices and tables."""
    if not (l1 or l2):
        return
    for weight in (weight for group in groups if group["adapt"] for weight in group["params"]):
        if weight.grad is not None:
            weight.grad.add_(weight, alpha=l2)
            weight.grad.add_(weight.sign(), alpha=l1)
