"""Random effects of many shapes: time for each entity, and memory beside the input's.

Every shape runs in a process of its own: few rows or many, few features or thousands, sizes alike
or skewed. Seconds are those of one update, the rows grouped before, as in any sweep but the first.
SciPy gets the first entities of the same data, on one thread.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gdmix.coordinates import RandomEffect, Setting
from gdmix.data.dataset import Csr, Dataset, EntityColumn
from gdmix.engines.local import LocalEngine
from gdmix.glm.losses import Logistic
from random_effects import designs, scipy_loop


class Shape(NamedTuple):
    """Entities, rows of each, features of a row, features of an entity; entities for SciPy."""

    entities: int
    rows: int
    features: int
    of: int
    peers: int
    skewed: bool = False


SHAPES = {
    "main": Shape(20_000, 30, 10, 50, 100),
    "10 thousand": Shape(10_000, 3, 3, 3, 100),
    "100 thousand": Shape(100_000, 3, 3, 3, 0),
    "1 million": Shape(1_000_000, 3, 3, 3, 0),
    "10 million": Shape(10_000_000, 3, 3, 3, 0),
    "1 million of 5": Shape(1_000_000, 5, 3, 3, 100),
    "long": Shape(100, 20_000, 20, 200, 2),
    "long, dense": Shape(10, 20_000, 200, 200, 1),
    "wide": Shape(200, 300, 100, 2_000, 3),
    "skewed": Shape(50_000, 20, 10, 50, 0, skewed=True),
}
_AT_ONCE = 5_000_000


def make(shape, seed=0):
    """Make a data set, a few million numbers at a time."""
    rng = np.random.default_rng(seed)
    sizes = np.full(shape.entities, shape.rows)
    if shape.skewed:
        # the first entity has more than a tenth of all rows
        share = np.arange(1, shape.entities + 1) ** -1.05
        sizes = np.maximum(1, share / share.sum() * shape.entities * shape.rows).astype(np.int64)
    codes = np.repeat(np.arange(shape.entities, dtype=np.int32), sizes)
    rows = len(codes)
    values = rng.standard_normal(rows * shape.features)
    indices = np.empty(rows * shape.features, np.int32)
    truth, own = rng.normal(size=shape.of), rng.normal(size=shape.entities)
    label = np.empty(rows)
    chunk = max(1, _AT_ONCE // shape.of)
    for first in range(0, rows, chunk):
        last = min(first + chunk, rows)
        cut = slice(first * shape.features, last * shape.features)
        if shape.features == shape.of:
            chosen = np.broadcast_to(np.arange(shape.of), (last - first, shape.of))
        else:
            order = rng.random((last - first, shape.of), np.float32)
            chosen = np.sort(np.argpartition(order, shape.features, 1)[:, : shape.features], 1)
        indices[cut] = chosen.ravel()
        score = (values[cut].reshape(chosen.shape) * truth[chosen]).sum(1)
        score = score / np.sqrt(shape.features) + own[codes[first:last]]
        label[first:last] = rng.random(last - first) < 1 / (1 + np.exp(-score))
    indptr = np.arange(rows + 1, dtype=np.int64) * shape.features
    return Dataset(
        rows,
        label,
        np.ones(rows),
        np.zeros(rows),
        entities={"id": EntityColumn(pa.array(np.arange(shape.entities)), codes)},
        shards={"z": Csr(indptr, indices, values, shape.of)},
    )


def size_of(data):
    """Return the bytes of the input: sparse rows, entity codes, label, weight, offset."""
    csr = data.shards["z"]
    arrays = (*csr[:3], data.entities["id"].codes, data.label, data.weight, data.offset)
    return sum(array.nbytes for array in arrays)


def peak():
    """Return the most memory this process has had, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(name, threads, rounds):
    """Print one shape's line."""
    shape = SHAPES[name]
    data = make(shape)
    made = peak()
    engine, effect = LocalEngine(threads), RandomEffect("id", l2=1.0, tolerance=1e-6)
    setting = Setting("z", Logistic())
    effect.fit(engine, data, setting, data.offset)
    wall, cpu = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        fit = effect.fit(engine, data, setting, data.offset)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    most, size = peak(), size_of(data)
    scipy = ""
    if shape.peers:
        problems = designs(data, shape.peers)
        began = time.process_time()
        scipy_loop(problems)()
        each = (time.process_time() - began) / shape.peers
        scipy = f"{1e6 * each:12,.1f} {each * shape.entities / min(cpu):7.0f}"
    print(
        f"{name:15} {1e6 * min(wall) / shape.entities:10,.1f} "
        f"{1e6 * min(cpu) / shape.entities:10,.1f} {fit.summary.iterations:6.1f} "
        f"{most / 2**30:7.2f} {made / 2**30:7.2f} {most / size:6.1f} {scipy}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shapes", nargs="*", help=f"of {', '.join(SHAPES)}; default: all")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        measure(options.shapes[0], options.threads, options.rounds)
        return
    print("microseconds for each entity: by the clock, of processors; iterations; peak GB, of")
    print("which the input's making had so much; peak by the input's size; SciPy's, and ratio")
    for name in options.shapes or SHAPES:
        threads = [] if options.threads is None else ["--threads", str(options.threads)]
        rounds = ["--rounds", str(options.rounds)]
        # SciPy on one thread, as it says
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, __file__, "--child", name, *threads, *rounds],
            check=True,
            env=environment,
        )


if __name__ == "__main__":
    main()
