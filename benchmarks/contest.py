"""Fits in processes of their own, in turn: seconds, objectives, peak memory.

Run by `fixed_effect.py`; run as a script, it is one of those processes.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import fixed_effect

# a contender that takes longer than this runs once
SLOW = 5.0
# seconds to load the data and the libraries, and to evaluate the objective
START = 30.0


class Data:
    """The rows in a folder, as `fixed_effect.make` writes them."""

    def __init__(self, folder, of):
        self.of = of
        names = ("indptr", "indices", "values", "label")
        self.indptr, self.indices, self.values, self.label = (
            np.load(folder / f"{name}.npy") for name in names
        )
        self.rows = len(self.label)
        self.size = self.indptr.nbytes + self.indices.nbytes + self.values.nbytes

    def first(self, rows):
        """Return the arrays of the first rows, without copying."""
        end = self.indptr[rows]
        return self.indptr[: rows + 1], self.indices[:end], self.values[:end]

    def matrix(self, rows):
        """Return the first rows as peers like them best, without copying."""
        from scipy.sparse import csr_matrix

        indptr, indices, values = self.first(rows)
        if len(values) == rows * self.of:
            return values.reshape(rows, self.of)
        return csr_matrix((values, indices, indptr), (rows, self.of))

    def objective(self, intercept, coefficients, l2):
        """Return the objective, in plain SciPy."""
        margin = self.matrix(self.rows) @ coefficients + intercept
        losses = np.logaddexp(0, margin).sum() - self.label @ margin
        return float(losses + 0.5 * l2 * coefficients @ coefficients)


def contend(folder, contenders, shape, options):
    """Run every contender in turn and print a table; the first is ours."""
    results = {name: [] for name in contenders}
    for turn in range(options.rounds):
        for name, past in results.items():
            if turn == 0 or (past and past[0]["seconds"] < SLOW):
                found = _run(folder, name, shape, options)
                past.extend([found] if found else [])
    done = [past for past in results.values() if past]
    if not results[contenders[0]]:
        raise SystemExit(f"{contenders[0]} took longer than {options.limit:.0f} s: raise --limit")
    best = min(past[0]["objective"] for past in done)
    ours = statistics.median(found["seconds"] for found in done[0])
    print(f"{'':30} {'median s':>9} {'ratio':>7} {'above best':>11} {'peak / CSR':>11}")
    for name, past in results.items():
        if not past:
            print(f"{name:30} {f'> {options.limit:.0f}':>9}")
            continue
        median = statistics.median(found["seconds"] for found in past)
        above = (past[0]["objective"] - best) / abs(best)
        peak = past[0]["peak"]
        print(f"{name:30} {median:9.2f} {median / ours:7.2f} {above:11.1e} {peak:11.2f}")
    for line in _run(folder, "passes", shape, options) or ():
        print(line)


def _run(folder, name, shape, options):
    """Return what a process of its own found, None when it took too long."""
    threads = str(options.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    try:
        run = subprocess.run(
            [sys.executable, __file__, str(folder), name, shape, threads],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=options.limit + START,
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(run.stdout)


def _fit(data, name, options):
    package, _, solver = name.partition(" ")
    warnings.simplefilter("ignore")
    fit = fixed_effect.PACKAGES[package](data, options, solver)
    fit(min(1000, data.rows))  # loads what it needs
    before = _peak()
    started = time.perf_counter()
    intercept, coefficients = fit(data.rows)
    seconds = time.perf_counter() - started
    peak = (data.size + _peak() - before) / data.size
    objective = data.objective(intercept, coefficients, fixed_effect.L2)
    return {"seconds": seconds, "objective": objective, "peak": peak}


def _passes(data, options):
    """Time passes over the rows beside copies of an array, in turn."""
    function, read = fixed_effect.passes(data, options.threads)
    point = np.random.default_rng(0).normal(size=1 + data.of) * 0.1
    source, target = np.ones(50_000_000), np.zeros(50_000_000)
    parts = [np.array_split(array, options.threads) for array in (target, source)]
    pool = ThreadPoolExecutor(options.threads)
    jobs = {
        "copy of an array": (2 * source.nbytes, lambda: list(pool.map(np.copyto, *parts))),
        "value and gradient": (read, lambda: function.value_and_gradient(point)),
        "Hessian's diagonal": (read, lambda: function.curvature(point).diagonal()),
    }
    if data.of <= 1000:
        jobs["Hessian"] = (2 * read, lambda: function.curvature(point).dense())
    seconds = {name: [] for name in jobs}
    for turn in range(8):
        for name, (_, job) in jobs.items():
            started = time.perf_counter()
            job()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    speed = {name: jobs[name][0] / statistics.median(past) / 1e9 for name, past in seconds.items()}
    copy = speed["copy of an array"]
    return [
        f"{name:30} {1e3 * statistics.median(past):6.1f} ms {speed[name]:6.1f} GB/s, "
        f"{speed[name] / copy:4.0%} of a copy's"
        for name, past in seconds.items()
    ]


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    folder, name, shape, threads = sys.argv[1:]
    chosen = fixed_effect.SHAPES[shape]
    options = SimpleNamespace(threads=int(threads), tolerance=chosen.tolerance)
    data = Data(Path(folder), chosen.of)
    found = _passes(data, options) if name == "passes" else _fit(data, name, options)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
