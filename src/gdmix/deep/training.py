"""`fit`: from rows to a trained network, in one process or in those that `torchrun` starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import gt, lt
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gdmix.deep.batch import Batch, Lot
from gdmix.deep.batching import Feed
from gdmix.deep.beginning import beginning, tokens_for
from gdmix.deep.checking import require_trainable, weight_of
from gdmix.deep.devices import device_of, is_mixed
from gdmix.deep.examples import Examples
from gdmix.deep.intercepts import set_intercepts
from gdmix.deep.keeping import Keeper
from gdmix.deep.loop import WEIGHTS, Around, Loop, State, copy_of, run, seed
from gdmix.deep.losses import Loss, loss_of
from gdmix.deep.network import DeepNetwork
from gdmix.deep.observing import Observer, telling
from gdmix.deep.optimizers import optimizer_of, parameter_groups
from gdmix.deep.options import Network, Training
from gdmix.deep.order import Order, groups_of, single_rows
from gdmix.deep.processes import Processes, join
from gdmix.deep.scoring import feed_of, mean_loss, scores_of
from gdmix.deep.shape import Shape, shape_of
from gdmix.deep.starting import take_over_shape
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from gdmix.deep.vocabulary import Tokens
from gdmix.deep.widening import copy_known
from gdmix.errors import DataError, RunError

_BUCKETED = ("lstm", "gru", "transformer")
"""Encoders whose time is that of the tokens: rows of like length come together."""
_SCORED_AT_ONCE = 1024

Metric = Callable[[NDArray[Any]], float]


class Built(NamedTuple):
    """A network before its first update."""

    network: DeepNetwork
    shape: Shape
    tokens: Tokens | None


def fit(
    network: Network,
    training: Training,
    target: Target,
    train: Examples,
    validation: Examples | None = None,
    *,
    start: Trained | None = None,
    folder: Path | None = None,
    metric: Metric | None = None,
    larger_is_better: bool = False,
    observer: Observer | None = None,
) -> Trained:
    """Train a network.

    Each update's loss is the mean of its rows' by weight, to which penalties add their share: what
    is minimized is the sum of all rows' losses, ``l1 |w|`` and ``l2 / 2 |w|²``, divided by the
    weight of all rows. The order of rows and what dropout draws follow from the seed and the
    number of the update alone.

    Parameters
    ----------
    network, training, target
        Options.
    train : Examples
    validation : Examples, optional
        Evaluated every `training.evaluate_every` updates and at the end; the weights of the best
        evaluation are returned. Without `evaluate_every` it is not looked at.
    start : Trained, optional
        The earlier network whose weights this one begins with. Its vocabulary, and by what dense
        numbers are scaled, stay; features may be more than before.
    folder : Path, optional
        For checkpoints and curves. Where one of the same training lies there already, training goes
        on from it, on one CPU thread or several of the same number to the same bits.
    metric : Callable, optional
        From scores float64[rows, outputs] of the validation data, without its offsets, to a number.
        By default the mean loss.
    larger_is_better : bool
        Of that metric; a mean loss is better where it is smaller.
    observer : Callable, optional
        Takes a `Progress` now and then, in the first process.

    Returns
    -------
    Trained
        The same in all processes.

    Raises
    ------
    ConfigError
        An option does not fit the machine or the data.
    DataError
        Labels, weights or groups are not those of the target.
    ModelError
        `start` is another network.
    RunError
        The loss is no longer a number; or `folder` holds another training.
    """
    if not train.rows:
        raise DataError("training data", "there are no rows")
    require_trainable(target, train)
    processes = join(training.device)
    device = device_of(training.device, processes.local)
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        seed(training.seed, WEIGHTS)
        built = _build(network, target, train, start)
        built.network.to(device)
        feed = feed_of(built.shape, built.tokens, train, device)
        order = _order(network, training, target, feed)
        loop = _loop(training, target, built, order, weight_of(target, train), processes, device)
        evaluate = None
        if validation is not None and training.evaluate_every is not None:
            if metric is None:
                require_trainable(target, validation)
            tried = feed_of(built.shape, built.tokens, validation, device)
            evaluate = _evaluation(built.network, target, tried, metric, processes)
        read = None if built.tokens is None else built.tokens.to_json()
        keeper = Keeper.of(folder, loop, network, target, read, train, validation)
        state = keeper.resumed()
        drawn = folder if processes.is_first else None
        with telling(drawn, state.step, observer if processes.is_first else None) as tell:
            batches = partial(feed.training, order, rank=processes.rank, ranks=processes.ranks)
            better = gt if larger_is_better and metric is not None else lt
            run(loop, state, Around(batches, evaluate, better, keeper.keep, tell))
        weights = copy_of(built.network) if state.best is None else state.best
    return Trained(built.shape, target, built.tokens, weights, _summary(loop, state, train))


def _build(network: Network, target: Target, train: Examples, start: Trained | None) -> Built:
    if start is None:
        tokens = tokens_for(network, (train.texts[name] for name in network.texts))
        made, shape = beginning(network, target, train, tokens)
        set_intercepts(made, target, train)
        return Built(made, shape, tokens)
    before = start.shape
    shape = shape_of(
        network,
        target,
        train,
        vocabulary=before.vocabulary,
        pad=before.pad,
        transformer=before.transformer,
    )
    shape = take_over_shape(shape, start)
    made = DeepNetwork(shape)
    copy_known(made.state_dict(), start.state)
    return Built(made, shape, start.tokens)


def _order(network: Network, training: Training, target: Target, feed: Feed) -> Order:
    rows = feed.examples
    units = single_rows(rows.rows) if target.loss == "pointwise" else groups_of(rows)
    lengths = feed.lengths() if network.texts and network.encoder.kind in _BUCKETED else None
    return Order(units, training.batch, training.seed, lengths)


def _loop(
    training: Training,
    target: Target,
    built: Built,
    order: Order,
    weight: float,
    processes: Processes,
    device: torch.device,
) -> Loop:
    encoder = built.shape.network.encoder
    groups = parameter_groups(
        built.network,
        training.weight_decay,
        pretrained_parts(built.network),
        encoder.learning_rate_factor,
    )
    return Loop(
        training=training,
        steps=training.steps or math.ceil(training.epochs * order.steps),
        network=built.network,
        forward=forward_of(built.network, training, processes, device),
        loss=_of_lot(loss_of(target)),
        optimizer=optimizer_of(training, groups),
        groups=groups,
        # rows that weigh nothing have no loss; then penalties alone are left, as they are
        weight=weight or 1.0,
        processes=processes,
        device=device,
    )


def pretrained_parts(network: DeepNetwork) -> list[nn.Module]:
    """Return the parts that learn at a rate of their own: the transformer."""
    from gdmix.deep.encoders import Transformer

    return [part.model for part in network.modules() if isinstance(part, Transformer)]


def forward_of(
    network: nn.Module, training: Training, processes: Processes, device: torch.device
) -> Callable[[Batch], Tensor]:
    """Return the network as it is run: wrapped for several processes, compiled if asked for."""
    forward: Callable[[Batch], Tensor] = network
    has_weights = any(weight.requires_grad for weight in network.parameters())
    if processes.ranks > 1 and has_weights:
        forward = nn.parallel.DistributedDataParallel(
            network,
            device_ids=[device.index] if device.type == "cuda" else None,
            gradient_as_bucket_view=True,
        )
    return compiled(forward) if training.compile else forward


def compiled(forward: Callable[[Batch], Tensor]) -> Callable[[Batch], Tensor]:
    """Return a network that `torch.compile` compiles at its first batch."""
    from torch._dynamo.exc import TorchDynamoException

    # batches differ in length and in features
    quick = torch.compile(forward, dynamic=True)

    def run_compiled(batch: Batch) -> Tensor:
        try:
            return quick(batch)
        except TorchDynamoException as error:
            reason = " ".join(str(error).split()[:20])
            problem = f"the network cannot be compiled here ({reason})"
            raise RunError("training.compile", problem, hint="set it to false") from error

    return run_compiled


def _of_lot(loss: Loss) -> Callable[[Tensor, Lot], tuple[Tensor, Tensor]]:
    def of_lot(score: Tensor, lot: Lot) -> tuple[Tensor, Tensor]:
        return loss(score, lot.label, lot.weight, lot.offset, lot.pointers, lot.batch.head)

    return of_lot


def _evaluation(
    network: DeepNetwork,
    target: Target,
    feed: Feed,
    metric: Metric | None,
    processes: Processes,
) -> Callable[[], float]:
    def evaluate() -> float:
        found = scores_of(network, feed, target.outputs, _SCORED_AT_ONCE, processes)
        value = 0.0
        if processes.is_first:
            own = metric(found) if metric is not None else mean_loss(target, found, feed.examples)
            value = float(own)
        told = processes.told(value)
        assert isinstance(told, float)
        return told

    return evaluate


def _summary(loop: Loop, state: State, train: Examples) -> dict[str, Any]:
    training = loop.training
    return {
        "steps": state.step,
        "steps_planned": loop.steps,
        "best_step": state.best_step if state.best is not None else state.step,
        "best_value": state.best_value if state.best is not None else None,
        "evaluations": [[step, value] for step, value in state.evaluations],
        "stopped_early": state.has_stopped,
        "loss": state.loss,
        "rows": train.rows,
        "seconds": state.seconds,
        "device": str(loop.device),
        "precision": "mixed" if is_mixed(training.precision, loop.device) else "single",
        "processes": loop.processes.ranks,
        "weights": sum(weight.numel() for weight in loop.network.parameters()),
    }
