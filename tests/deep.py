"""Made-up rows for networks, and trainings in processes of their own."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from gdmix.data.dataset import Csr
from gdmix.deep.examples import Examples

WORDS = [f"word{number}" for number in range(60)]


def rows_of(rows=32, seed=0, *, widths=5, group=None, task=None, texts=("title",), labels=2):
    """Return rows with titles of 1 to 8 words, a wide feature, two numbers and chance labels."""
    rng = np.random.default_rng(seed)

    def titles():
        return pa.array([" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(rows)])

    wide = Csr(
        np.arange(rows + 1), rng.integers(0, widths, rows).astype(np.int32), np.ones(rows), widths
    )
    return Examples(
        label=rng.integers(0, labels, rows).astype(float),
        weight=np.ones(rows),
        offset=np.zeros(rows),
        wide=wide,
        dense=rng.standard_normal((rows, 2)).astype(np.float32),
        texts={name: titles() for name in texts},
        group=group,
        task=task,
    )


def options(kind="cnn", **encoder):
    """Return a small network's options."""
    small = {"kind": kind, "units": 16, "filters": 16, **encoder}
    dense = [{"column": "numbers", "kind": "numeric"}]
    return {"document_texts": ("title",), "dense": dense, "hidden": (16,), "encoder": small}


def rows_for(given):
    """Return the rows that a training described in JSON is given."""
    rows = rows_of(**given["rows"])
    if not given.get("groups"):
        return rows
    numbers = np.arange(rows.rows, dtype=np.int32) // given["groups"]
    return dataclasses.replace(rows, group=numbers)


def train_as(given, folder, observer=None):
    """Carry out a training described in JSON."""
    from gdmix.deep.options import Network, Training
    from gdmix.deep.target import Target
    from gdmix.deep.training import fit

    train = rows_for(given)
    return fit(
        Network(**given["network"]),
        Training(**given["training"]),
        Target(**given.get("target", {})),
        train,
        train if given.get("validation") else None,
        folder=folder / given["folder"] if given.get("folder") else None,
        observer=observer,
    )


def main():
    """Carry out the trainings of a JSON file; leave weights, scores and summaries beside it.

    Run as a program of its own, alone or with others: it is killed, or trains with them. A training
    with ``stop`` ends all by itself, without a word, when the checkpoint of that step is written.
    """
    import torch

    from gdmix.deep import keeping
    from gdmix.deep.checkpoints import write_checkpoint
    from gdmix.deep.scoring import score

    torch.set_num_threads(1)
    path = Path(sys.argv[1])
    rank = os.environ.get("RANK", "0")
    stop = None

    def write(folder, step, *values):
        write_checkpoint(folder, step, *values)
        if step == stop:
            os._exit(0)

    keeping.write_checkpoint = write
    for name, given in json.loads(path.read_text()).items():
        stop = given.get("stop")

        def observe(progress, name=name):
            print(name, progress.step, flush=True)

        trained = train_as(given, path.parent, observe)
        out = str(path.parent / f"{name}-{rank}")
        torch.save(dict(trained.state), f"{out}.pt")
        np.save(f"{out}.npy", score(trained, rows_for(given)))
        Path(f"{out}.json").write_text(json.dumps(dict(trained.summary)))


if __name__ == "__main__":
    main()
