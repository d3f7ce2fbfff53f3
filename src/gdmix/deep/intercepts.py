"""Where a network's intercepts begin: at the best constant, so that no updates are spent on it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gdmix.deep.examples import Examples
from gdmix.deep.losses import loss_of
from gdmix.deep.network import DeepNetwork
from gdmix.deep.target import Target

_ROWS = 100_000
_ITERATIONS = 50
# labels of one class have no best constant: this much of a ridge stops it at about 7
_RIDGE = 1e-4


def set_intercepts(network: DeepNetwork, target: Target, examples: Examples) -> None:
    """Set the intercepts of a new network, in place; those of ranked rows stay at zero."""
    if target.loss != "pointwise":
        return
    found = best_constants(target, examples)
    # beyond what a loss can take nothing is known
    if bool(torch.isfinite(found).all()):
        with torch.no_grad():
            for head, constant in zip(network.heads, found, strict=True):
                bias = head.bias
                assert isinstance(bias, Tensor)
                bias.copy_(constant)


def best_constants(target: Target, examples: Examples) -> Tensor:
    """Return the scores, the same for all rows, at which the mean loss is least.

    Of many rows every so many are looked at.

    Returns
    -------
    float64[heads, outputs]
        With the rows' offsets as they are.
    """
    rows = np.arange(0, examples.rows, max(1, examples.rows // _ROWS))
    columns = (examples.label, examples.weight, examples.offset)
    label, weight, offset = (torch.from_numpy(column[rows]) for column in columns)
    task = np.zeros(len(rows), np.int64) if examples.task is None else examples.task[rows]
    head = torch.from_numpy(task.astype(np.int64))
    loss = loss_of(target)
    found = torch.zeros(target.heads, target.outputs, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([found], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        total = loss(found[head], label, weight, offset, None, head)
        mean = total.loss / torch.where(total.weight > 0.0, total.weight, 1.0)
        value = mean + 0.5 * _RIDGE * found.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(closure)  # type: ignore[no-untyped-call]
    return found.detach()
