"""The loop of updates: one body for a first start, a resumed one, and for several processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gdmix.deep.batch import Batch, Lot
from gdmix.deep.devices import casting
from gdmix.deep.observing import Progress
from gdmix.deep.optimizers import add_penalties, set_rate
from gdmix.deep.options import Training
from gdmix.deep.processes import Processes
from gdmix.deep.schedules import rate_at
from gdmix.errors import RunError

_CHECKED_ON_GPU = 10
_SECONDS_BETWEEN_REPORTS = 0.5

WEIGHTS, DROPOUT = 1, 2
"""What is drawn of a seed."""

Weights = dict[str, Tensor]


@dataclass
class State:
    """Where a training stands, beside the weights and the optimizer.

    Attributes
    ----------
    step : int
        Updates done.
    evaluations : list of (int, float)
        Step and value of the metric.
    best : dict of str to Tensor, or None
        Weights at the best of them, on the CPU.
    best_step : int
        Its step.
    best_value : float
    worse : int
        Evaluations since then.
    loss : float
        Mean loss of the rows of the last report.
    seconds : float
        Until the last checkpoint, in all processes that came before each other.
    has_stopped : bool
        Whether patience ran out.
    """

    step: int = 0
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    best: Weights | None = None
    best_step: int = 0
    best_value: float = float("nan")
    worse: int = 0
    loss: float = float("nan")
    seconds: float = 0.0
    has_stopped: bool = False


@dataclass(frozen=True, eq=False)
class Loop:
    """What an update is made of.

    Attributes
    ----------
    training : Training
    steps : int
        Updates in all.
    network : nn.Module
        Its weights are what is trained.
    forward : Callable
        The network as it is run: compiled, or wrapped for several processes.
    loss : Callable
        From scores and their lot to the sum of the loss, and the weight that it stands for.
    optimizer : torch.optim.Optimizer
    groups : list of dict
        Its parameters, as `parameter_groups` divides them.
    weight : float
        Of all rows: penalties are shared out among them.
    processes : Processes
    device : torch.device
    """

    training: Training
    steps: int
    network: nn.Module
    forward: Callable[[Batch], Tensor]
    loss: Callable[[Tensor, Lot], tuple[Tensor, Tensor]]
    optimizer: torch.optim.Optimizer
    groups: list[dict[str, Any]]
    weight: float
    processes: Processes
    device: torch.device

    def is_at(self, step: int, every: int | None) -> bool:
        """Tell whether what happens every so many steps, and at the end, happens after `step`."""
        return step == self.steps or (every is not None and step % every == 0)

    def update(self, step: int, lot: Lot) -> Tensor:
        """Carry out one update; return the loss and the weight of its rows, of all processes.

        The mean of the loss is that of the global batch: each process adds its own sum, divided
        by the weight of all of them.
        """
        # dropout depends on nothing else, so that nothing need be kept of it
        seed(self.training.seed, DROPOUT, step, self.processes.rank)
        self.optimizer.zero_grad(set_to_none=True)
        with casting(self.training, self.device):
            score = self.forward(lot.batch)
        loss, weight = self.loss(score, lot)
        found = self.processes.total(torch.stack([loss.detach(), weight.to(loss)]))
        # rows without weight have a loss of zero; the processes' gradients are averaged
        (loss * (self.processes.ranks / torch.where(found[1] > 0, found[1], 1.0))).backward()  # type: ignore[no-untyped-call]
        add_penalties(self.groups, self.training.l1 / self.weight, self.training.l2 / self.weight)
        if self.training.max_gradient_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.training.max_gradient_norm)
        share = rate_at(step, self.steps, self.training.warmup_steps, self.training.schedule)
        set_rate(self.optimizer, self.training.learning_rate * share)
        self.optimizer.step()
        return found


class Meter:
    """Adds up losses, rows and seconds between reports."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._every = 1 if loop.device.type == "cpu" else _CHECKED_ON_GPU
        self._reset()

    def _reset(self) -> None:
        self._found = torch.zeros(2, dtype=torch.float64, device=self._loop.device)
        self._rows = 0
        self._waited = 0.0
        self._since = time.perf_counter()

    def add(self, found: Tensor, rows: int, waited: float) -> None:
        """Count an update."""
        self._found += found
        self._rows += rows
        self._waited += waited

    def check(self, step: int, *, now: bool) -> None:
        """Look, now and then, whether the loss is still a number.

        Raises
        ------
        RunError
            It is not. All processes see the same loss, and raise together.
        """
        if (now or step % self._every == 0) and not bool(torch.isfinite(self._found[0])):
            problem = f"the loss is no longer a finite number at step {step}"
            raise RunError("training", problem, hint="lower learning_rate, or look at the offsets")

    def report(self, state: State, *, now: bool, metric: float | None) -> Progress | None:
        """Return a report where one is due."""
        seconds = time.perf_counter() - self._since
        if (
            not now
            and metric is None
            and (seconds < _SECONDS_BETWEEN_REPORTS or state.step % self._every)
        ):
            return None
        loss, weight = self._found.tolist()
        state.loss = loss / weight if weight else 0.0
        rate = self._loop.optimizer.param_groups[0]
        progress = Progress(
            step=state.step,
            steps=self._loop.steps,
            loss=state.loss,
            rate=rate["lr"] / rate["factor"],
            samples_per_second=self._rows / max(seconds, 1e-9),
            waited=min(self._waited / max(seconds, 1e-9), 1.0),
            metric=metric,
        )
        self._reset()
        return progress


class Around(NamedTuple):
    """What happens around updates.

    Attributes
    ----------
    feed : Callable
        From a step to the lots of batches that begin there.
    evaluate : Callable or None
        Returns the metric of validation data, the same in every process.
    better : Callable
        Whether its first metric is better than its second.
    keep : Callable
        Writes a checkpoint.
    tell : Callable
        Takes reports.
    """

    feed: Callable[[int], AbstractContextManager[Iterator[Lot]]]
    evaluate: Callable[[], float] | None
    better: Callable[[float, float], bool]
    keep: Callable[[State], None]
    tell: Callable[[Progress], None]


def run(loop: Loop, state: State, around: Around) -> None:
    """Carry out the updates that are left, from `state.step` on; `state` is kept up to date."""
    began = time.perf_counter() - state.seconds
    meter = Meter(loop)
    loop.network.train()
    with around.feed(state.step) as lots:
        while state.step < loop.steps and not state.has_stopped:
            asked = time.perf_counter()
            lot = next(lots)
            waited = time.perf_counter() - asked
            found = loop.update(state.step, lot)
            state.step += 1
            meter.add(found, lot.rows, waited)
            is_kept = loop.is_at(state.step, loop.training.checkpoint_every)
            metric = None
            if around.evaluate is not None and loop.is_at(state.step, loop.training.evaluate_every):
                meter.check(state.step, now=True)
                metric = around.evaluate()
                loop.network.train()
                weigh(loop, state, metric, around.better)
            is_last = state.step == loop.steps or state.has_stopped
            meter.check(state.step, now=is_kept or is_last)
            if (progress := meter.report(state, now=is_last, metric=metric)) is not None:
                around.tell(progress)
            if is_kept or is_last:
                state.seconds = time.perf_counter() - began
                around.keep(state)


def weigh(loop: Loop, state: State, metric: float, better: Callable[[float, float], bool]) -> None:
    """Keep the weights if they are the best so far; else count, and stop when patience ends."""
    state.evaluations.append((state.step, metric))
    # a metric that is NaN is better than none, and worse than any other
    is_first = state.best is None or np.isnan(state.best_value)
    if is_first or (not np.isnan(metric) and better(metric, state.best_value)):
        state.best = copy_of(loop.network)
        state.best_step, state.best_value, state.worse = state.step, metric, 0
        return
    state.worse += 1
    patience = loop.training.patience
    state.has_stopped = patience is not None and state.worse >= patience


def copy_of(network: nn.Module) -> Weights:
    """Return a copy of a network's weights, on the CPU."""
    return {
        name: value.detach().to("cpu", copy=True) for name, value in network.state_dict().items()
    }


def seed(*words: int) -> None:
    """Set what PyTorch draws next: it follows from some whole numbers from 0 alone."""
    word = np.random.SeedSequence(words).generate_state(1, np.uint64)[0]
    torch.manual_seed(int(word))
