"""Whole runs, Parquet in, run directory out: seconds by stage, and memory beside the input's rows.

MovieLens-1M (logistic), Jester (linear), and made-up rows; each round runs every data set once,
in a process of its own.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import movielens_1m
from reading import forget_peak, memory

ITEM = {"l2": 1.0, "penalize_intercept": False}


def movielens(data, folder):
    """Write MovieLens-1M; the model is GDMix's recipe."""
    movielens_1m.prepare(data / "ml-1m", folder, 0)
    return {
        "label": "response",
        "uid": "uid",
        "coordinates": {
            "global": {"features": ["age", "gender", "occupation", "genres", "year"]},
            "per-user": {"entity": "user_id", "features": ["genres", "year"], **ITEM},
            "per-movie": {
                "entity": "movie_id",
                "features": ["age", "gender", "occupation"],
                **ITEM,
            },
        },
    }


def jester(data, folder):
    """Write Jester's ratings, each with the words of its joke and what the user rated so far."""
    table = pq.read_table(data / "jester-1" / "ratings.parquet")
    with (data / "jester-1" / "jokes.csv").open(encoding="utf-8", newline="") as stream:
        texts = {int(row["joke_id"]): row["text"].lower() for row in csv.DictReader(stream)}
    words = {joke: set(re.findall(r"[a-z]{3,}", text)) for joke, text in texts.items()}
    # words of 5 to 30 of the 100 jokes tell something about more than one of them
    common = {
        w for w in set().union(*words.values()) if 5 <= sum(w in s for s in words.values()) <= 30
    }
    at = table["joke_id"].to_numpy() - 1
    chosen = pa.array([sorted(words[joke] & common)[:20] for joke in sorted(words)])
    length = np.array([len(texts[joke]) for joke in sorted(words)]) / 1000
    count = np.bincount(table["user_id"].to_numpy())[table["user_id"].to_numpy()]
    table = table.append_column("words", chosen.take(pa.array(at)))
    table = table.append_column("length", pa.array(length[at]))
    table = table.append_column("activity", pa.array(count / 100))
    keep = np.random.default_rng(0).random(len(table)) < 0.8
    pq.write_table(table.filter(pa.array(keep)), folder / "train.parquet")
    pq.write_table(table.filter(pa.array(~keep)), folder / "validation.parquet")
    return {
        "task": "linear",
        "label": "rating",
        "coordinates": {
            "global": {"features": ["words", "length", "activity"]},
            "per-user": {"entity": "user_id", "features": ["words", "length"], "l2": 20.0},
            "per-joke": {"entity": "joke_id", "features": ["activity"], "l2": 1.0},
        },
    }


def made_up(data, folder, rows=5_000_000, of=1_000, entities=200_000):
    """Write 10 indices and values a row."""
    rng = np.random.default_rng(0)
    offsets = pa.array(np.arange(0, 10 * rows + 1, 10, dtype=np.int32))
    table = pa.table(
        {
            "y": (rng.random(rows) < 0.3).astype(float),
            "member": rng.integers(entities, size=rows),
            "x_indices": pa.ListArray.from_arrays(
                offsets, pa.array(rng.integers(of, size=10 * rows))
            ),
            "x_values": pa.ListArray.from_arrays(offsets, pa.array(rng.random(10 * rows))),
            "age": rng.random(rows),
        }
    )
    pq.write_table(table, folder / "train.parquet")
    return {
        "label": "y",
        "coordinates": {
            "global": {"features": ["x"], "tolerance": 1e-3},
            "per-member": {"entity": "member", "features": ["age"]},
        },
    }


CASES = {case.__name__: case for case in (movielens, jester, made_up)}


def run(folder):
    """Train once; print seconds by stage and the peak of memory as JSON."""
    from gdmix import train
    from gdmix.config import TrainOptions
    from gdmix.data.reading import read
    from gdmix.data.source import open_source

    model = json.loads((folder / "model.json").read_text())
    options = TrainOptions(output=str(folder / "run"), report=False, **model)
    before = forget_peak()
    found = train(options, overwrite=True)
    peak = memory("VmHWM") - before
    size = 0
    for paths in (options.train, options.validation):
        if paths:
            rows, _ = read(open_source(list(paths)), options.layout())
            size += sum(
                array.nbytes
                for csr in rows.shards.values()
                for array in (csr.indptr, csr.indices, csr.values)
            )
    print(json.dumps({"seconds": found.seconds, "peak": peak, "bytes": size}))


def report(name, results):
    """Print a line of medians."""
    stages = ("read", "group", "solve", "score", "write")
    times = {s: median(r["seconds"][s] for r in results) for s in stages}
    cells = "  ".join(f"{stage} {times[stage]:6.2f}" for stage in stages)
    ratio = max(r["peak"] for r in results) / results[0]["bytes"]
    size = results[0]["bytes"] / 1e6
    print(f"{name:10}  {cells}   peak {ratio:.2f} x {size:,.0f} MB of rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="holds ml-1m/ and jester-1/")
    parser.add_argument("--only", nargs="*", choices=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        run(options.run)
        return
    with tempfile.TemporaryDirectory() as scratch:
        names = options.only or list(CASES)
        for name in names:
            folder = Path(scratch) / name
            folder.mkdir()
            model = CASES[name](options.folder, folder)
            for split in ("train", "validation"):
                if (folder / f"{split}.parquet").exists():
                    model[split] = str(folder / f"{split}.parquet")
            (folder / "model.json").write_text(json.dumps(model))
        results = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                again = [sys.executable, __file__, "--run", f"{scratch}/{name}"]
                child = subprocess.run(again, check=True, stdout=subprocess.PIPE)
                results[name].append(json.loads(child.stdout.splitlines()[-1]))
        for name in names:
            report(name, results[name])


if __name__ == "__main__":
    main()
