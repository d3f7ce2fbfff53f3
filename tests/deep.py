"""Made-up rows for networks, and trainings in processes of their own."""

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


def main():
    """Train as a JSON file says, and leave weights and scores beside it.

    Run as a program of its own, alone or by torchrun: it is killed, or joins others.
    """
    import torch

    from gdmix.deep import keeping
    from gdmix.deep.checkpoints import write_checkpoint
    from gdmix.deep.options import Network, Training
    from gdmix.deep.scoring import score
    from gdmix.deep.target import Target
    from gdmix.deep.training import fit

    torch.set_num_threads(1)
    path = Path(sys.argv[1])
    given = json.loads(path.read_text())
    train = rows_of(**given["rows"])
    if given.get("groups"):
        numbers = np.arange(train.rows, dtype=np.int32) // given["groups"]
        train = rows_of(**given["rows"], group=numbers)

    def write(folder, step, *values):
        write_checkpoint(folder, step, *values)
        if step == given["stop"]:
            os._exit(0)

    if given.get("stop"):
        keeping.write_checkpoint = write

    def observe(progress):
        print(progress.step, flush=True)

    trained = fit(
        Network(**given["network"]),
        Training(**given["training"]),
        Target(**given.get("target", {})),
        train,
        train if given.get("validation") else None,
        folder=path.parent / given["folder"] if given.get("folder") else None,
        observer=observe,
    )
    rank = "" if len(sys.argv) < 3 else f"-{os.environ['RANK']}"
    torch.save(dict(trained.state), path.parent / f"{given['out']}{rank}.pt")
    np.save(path.parent / f"{given['out']}{rank}.npy", score(trained, train))
    (path.parent / f"{given['out']}{rank}.json").write_text(json.dumps(dict(trained.summary)))


if __name__ == "__main__":
    main()
