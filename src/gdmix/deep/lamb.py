"""LAMB: Adam whose steps are as long as the layer is large."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """You et al., "Large Batch Optimization for Deep Learning" (2020), algorithm 2.

    Moments are corrected for their start at zero, and the length of a weight is taken as it is.
    In groups with ``adapt=False`` steps are those of Adam: biases and norms, as in the authors'
    own code. With ``corrected=False`` moments are taken as they are, as in BERT's own AdamW: first
    steps are longer.

    Parameters
    ----------
    groups : list of dict
        As of any optimizer; each may have ``lr``, ``weight_decay``, ``adapt``.
    lr : float
    betas : tuple of float
        Memory of the mean of gradients, and of that of their squares.
    eps : float
        Added to the root of the latter.
    weight_decay : float
    corrected : bool
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        corrected: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(groups, {**defaults, "adapt": True, "corrected": corrected})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        if closure is not None:
            raise TypeError("Lamb.step takes no closure: gradients are there before it")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _update(weight, self.state[weight], group)


def _update(weight: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        # a tensor, as in PyTorch's own optimizers: it is saved and moved with the rest
        state["step"] = torch.zeros(())
        state["mean"] = torch.zeros_like(weight)
        state["square"] = torch.zeros_like(weight)
    state["step"] += 1
    first, second = group["betas"]
    gradient = weight.grad
    assert gradient is not None
    state["mean"].lerp_(gradient, 1.0 - first)
    state["square"].mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
    done = float(state["step"]) if group["corrected"] else float("inf")
    root = (state["square"] / (1.0 - second**done)).sqrt_().add_(group["eps"])
    direction = (state["mean"] / (1.0 - first**done)).div_(root)
    direction.add_(weight, alpha=group["weight_decay"])
    if group["adapt"]:
        size, length = weight.norm(), direction.norm()
        # a layer of zeros, or one that need not move, has no length to be compared with
        known = (size > 0.0) & (length > 0.0)
        direction.mul_(torch.where(known, size / length, torch.ones_like(size)))
    weight.add_(direction, alpha=-group["lr"])
