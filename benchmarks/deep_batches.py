"""Batches of the deep effect: how fast they are made beside how fast a network takes them.

Then the losses of groups: rows and pairs a second, with slopes.
"""

import argparse
import time

import numpy as np
import pyarrow as pa
import torch

from gdmix.data.dataset import Csr
from gdmix.deep.batching import Feed
from gdmix.deep.examples import Examples
from gdmix.deep.losses import loss_of
from gdmix.deep.network import DeepNetwork
from gdmix.deep.options import Network, TextEncoder
from gdmix.deep.order import Order, single_rows
from gdmix.deep.ragged import Ragged
from gdmix.deep.shape import Shape
from gdmix.deep.target import Target

VOCABULARY, WIDE, IDS = 10_000, 5_000, 2_000


def lists(rng, rows, least, most):
    return np.concatenate([[0], np.cumsum(rng.integers(least, most + 1, rows))])


def sparse(rng, rows, least, most, width):
    offsets = lists(rng, rows, least, most)
    indices = rng.integers(0, width, offsets[-1]).astype(np.int32)
    return Csr(offsets, indices, np.ones(offsets[-1]), width)


def make(rows):
    """Return rows with titles of 3 to 12 tokens, 20 wide features and an id."""
    rng = np.random.default_rng(0)
    offsets = lists(rng, rows, 3, 12)
    titles = Ragged(offsets, rng.integers(4, VOCABULARY, offsets[-1]).astype(np.int32))
    examples = Examples(
        label=rng.integers(0, 2, rows).astype(float),
        weight=np.ones(rows),
        offset=np.zeros(rows),
        wide=sparse(rng, rows, 10, 30, WIDE),
        dense=np.zeros((rows, 0), np.float32),
        texts={"title": pa.nulls(rows, pa.string())},
        fields={"movie": sparse(rng, rows, 1, 1, IDS)},
    )
    return Feed(examples, {"title": titles}, pad=0, min_length=3)


def seconds(lots, steps, work=None):
    for _ in range(3):
        first = next(lots)
        if work is not None:
            work(first)
    begin = time.perf_counter()
    for _ in range(steps):
        lot = next(lots)
        if work is not None:
            work(lot)
    return (time.perf_counter() - begin) / steps


def trainer():
    """Return a function that takes a step with a lot: the smallest network of MovieLens' recipe."""
    encoder = TextEncoder(kind="cnn", units=64, filters=50)
    network = DeepNetwork(
        Shape(
            Network(document_texts=("title",), encoder=encoder, hidden=()),
            vocabulary=VOCABULARY,
            wide=WIDE,
        )
    )
    optimizer = torch.optim.AdamW(network.parameters(), 0.002)
    loss = loss_of(Target())

    def step(lot):
        optimizer.zero_grad()
        found = loss(network(lot.batch), lot.label, lot.weight, lot.offset)
        (found.loss / found.weight).backward()
        optimizer.step()

    return step


def losses_of_groups(groups, size):
    rng = np.random.default_rng(1)
    rows = groups * size
    score = torch.randn(rows, 1, requires_grad=True)
    label = torch.from_numpy(rng.choice(5, rows, p=[0.5, 0.3, 0.15, 0.03, 0.02]).astype(np.float32))
    pointers = torch.arange(0, rows + 1, size)
    for name in ("pairwise", "listwise", "lambdarank", "approx_ndcg"):
        loss, best = loss_of(Target(loss=name)), np.inf
        for _ in range(5):
            begin = time.perf_counter()
            loss(score, label, torch.ones(rows), torch.zeros(rows), pointers).loss.backward()
            best = min(best, time.perf_counter() - begin)
        speed, pairs = rows / best / 1e6, groups * size * size / best / 1e6
        print(f"{name:>12}: {best * 1e3:7.2f} ms, {speed:6.2f} M rows/s, {pairs:7.1f} M pairs/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    feed, step = make(arguments.rows), trainer()
    print("batch   to make one    a step, batch at hand    a step, batches made meanwhile")
    for batch in (64, 256, 1024, 4096):
        order = Order(single_rows(arguments.rows), batch, seed=0)
        steps = max(10, 20_000 // batch)
        alone = seconds((feed.lot(order.share(number)) for number in range(10**9)), steps)
        lot = feed.lot(order.share(0))
        idle = seconds(iter(lambda lot=lot: lot, None), steps, step)
        with feed.training(order) as lots:
            both = seconds(lots, steps, step)
        print(f"{batch:5} {alone * 1e6:8.0f} us {idle * 1e6:18.0f} us {both * 1e6:24.0f} us")
    for groups, size in ((64, 20), (64, 200), (8, 1200)):
        print(f"{groups} groups of {size}")
        losses_of_groups(groups, size)


if __name__ == "__main__":
    main()
