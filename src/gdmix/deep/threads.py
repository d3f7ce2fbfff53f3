"""How many threads PyTorch takes: one where a step is too small to be shared out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

from gdmix.deep.options import Network

# multiplications of a step, forward and back, below which threads wait longer than they work
_WORTH = 2e9


@contextmanager
def fitting_threads(network: Network, batch: int) -> Iterator[None]:
    """Run with one thread where steps of `batch` rows are small; the number is set back after.

    It follows from the options alone, so that a run that goes on has the bits of an unbroken one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if work_of(network, batch) >= _WORTH else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def work_of(network: Network, batch: int) -> float:
    """Return about how many multiplications a step takes."""
    encoder, texts = network.encoder, len(network.texts)
    each = 0.0
    if encoder.kind == "cnn":
        each = encoder.units * encoder.filters * sum(encoder.windows)
    elif encoder.kind in ("lstm", "gru"):
        both = 2 if encoder.bidirectional else 1
        each = both * encoder.layers * 8.0 * encoder.units**2
    elif encoder.kind == "transformer":
        # a layer of the smallest ones in use, times its layers
        each = 6 * 12.0 * 384**2
    sizes = [network.id_units, *network.hidden]
    layers = sum(a * b for a, b in pairwise(sizes))
    return 3.0 * batch * (texts * encoder.max_length * each + layers)
