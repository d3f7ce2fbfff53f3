"""Scores and last layers of rows, a batch at a time: those of like length together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gdmix.deep.batch import Batch
from gdmix.deep.batching import Feed
from gdmix.deep.beginning import rebuilt
from gdmix.deep.devices import device_of
from gdmix.deep.examples import Examples
from gdmix.deep.losses import loss_of
from gdmix.deep.network import DeepNetwork
from gdmix.deep.order import groups_of
from gdmix.deep.processes import Processes
from gdmix.deep.shape import Shape
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from gdmix.deep.vocabulary import Tokens

BATCH = 1024
_ALONE = Processes()

Floats = NDArray[np.float64]


def score(trained: Trained, examples: Examples, device: str = "auto", batch: int = BATCH) -> Floats:
    """Return the network's own scores of rows, without their offsets.

    Parameters
    ----------
    trained : Trained
    examples : Examples
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
    batch : int
        Rows at once; scores do not depend on it but by rounding.

    Returns
    -------
    float64[rows, outputs]

    Raises
    ------
    ConfigError
        There is no such device.
    """
    network, feed = _ready(trained, examples, device)
    return scores_of(network, feed, trained.shape.outputs, batch)


def represent(
    trained: Trained, examples: Examples, device: str = "auto", batch: int = BATCH
) -> NDArray[np.float32]:
    """Return the last hidden layer of rows: float32[rows, size]. Parameters as for `score`."""
    network, feed = _ready(trained, examples, device)
    found = np.zeros((examples.rows, network.size), np.float32)
    _run(network, network.represent, feed, batch, found, _ALONE)
    return found


def scores_of(
    network: DeepNetwork, feed: Feed, outputs: int, batch: int, processes: Processes = _ALONE
) -> Floats:
    """Return the scores of all rows of a feed: float64[rows, outputs]. Processes share the work."""
    found = np.zeros((feed.examples.rows, outputs))
    _run(network, network, feed, batch, found, processes)
    return processes.total(torch.from_numpy(found)).numpy()


def mean_loss(target: Target, found: Floats, examples: Examples) -> float:
    """Return the mean loss of rows, or groups, at their scores: 0 where none weighs anything."""
    rows, pointers = np.arange(examples.rows), None
    if target.loss != "pointwise":
        units = groups_of(examples)
        rows, pointers = units.rows, torch.from_numpy(units.pointers)
    head = None if examples.task is None else torch.from_numpy(examples.task[rows].astype(np.int64))
    scores, label, weight, offset = (
        torch.from_numpy(part[rows])
        for part in (found, examples.label, examples.weight, examples.offset)
    )
    with torch.no_grad():
        total = loss_of(target)(scores, label, weight, offset, pointers, head)
    return float(total.loss) / float(total.weight) if float(total.weight) else 0.0


def feed_of(shape: Shape, tokens: Tokens | None, examples: Examples, device: torch.device) -> Feed:
    """Return rows as batches for a network, their texts encoded."""
    encoded = {}
    if tokens is not None:
        encoded = {name: tokens.encode(examples.texts[name]) for name in shape.network.texts}
    return Feed(examples, encoded, shape.pad, shape.network.encoder.min_length, device)


def _ready(trained: Trained, examples: Examples, device: str) -> tuple[DeepNetwork, Feed]:
    place = device_of(device)
    network = rebuilt(trained).to(place)
    return network, feed_of(trained.shape, trained.tokens, examples, place)


def _run(
    network: DeepNetwork,
    function: Callable[[Batch], Tensor],
    feed: Feed,
    batch: int,
    found: NDArray[np.floating],
    processes: Processes,
) -> None:
    """Fill `found` with a function of rows, those that are this process's."""
    network.eval()
    with torch.inference_mode():
        batches = feed.scoring(batch, rank=processes.rank, ranks=processes.ranks)
        for rows, inputs in batches:
            found[rows] = function(inputs).float().cpu().numpy()
