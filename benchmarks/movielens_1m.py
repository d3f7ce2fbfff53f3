"""MovieLens-1M by GDMix's recipe for MovieLens-100K: Parquet in, a run directory out."""

import argparse
import gzip
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gdmix import train
from gdmix.config import TrainOptions


def read_dat(path, encoding="latin-1"):
    """Return the fields of a ``::``-separated file, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding=encoding) as stream:
        return [line.rstrip("\n").split("::") for line in stream]


def prepare(folder, output, seed):
    """Write train.parquet and validation.parquet with GDMix's columns."""
    ratings = next(folder.glob("ratings*.dat*"))
    user, movie, rating = np.array([row[:3] for row in read_dat(ratings)], dtype=np.int64).T
    users = {int(row[0]): row for row in read_dat(folder / "users.dat")}
    movies = {int(row[0]): row for row in read_dat(folder / "movies.dat")}
    year = {m: int(re.search(r"\((\d{4})\)$", row[1])[1]) for m, row in movies.items()}
    table = pa.table(
        {
            "uid": np.arange(len(user)),
            "user_id": user,
            "movie_id": movie,
            "response": (rating > 3).astype(np.int64),
            # ages are codes that stand for ranges: 1, 18, 25, 35 ...
            "age": [int(users[u][2]) / 100 for u in user.tolist()],
            "gender": [users[u][1] for u in user.tolist()],
            "occupation": [users[u][3] for u in user.tolist()],
            "genres": [movies[m][2].split("|") for m in movie.tolist()],
            "year": [year[m] / 2000 for m in movie.tolist()],
        }
    )
    chosen = np.random.default_rng(seed).random(len(user)) < 0.8
    pq.write_table(table.filter(pa.array(chosen)), output / "train.parquet")
    pq.write_table(table.filter(pa.array(~chosen)), output / "validation.parquet")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="ratings*.dat, users.dat, movies.dat")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sweeps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(arguments.folder, folder, arguments.seed)
        item = {"l2": 1.0, "penalize_intercept": False}
        options = TrainOptions(
            label="response",
            uid="uid",
            train=folder / "train.parquet",
            validation=folder / "validation.parquet",
            output=str(folder / "run"),
            sweeps=arguments.sweeps,
            report=False,
            coordinates={
                "global": {"features": ["age", "gender", "occupation", "genres", "year"]},
                "per-user": {"entity": "user_id", "features": ["genres", "year"], **item},
                "per-movie": {
                    "entity": "movie_id",
                    "features": ["age", "gender", "occupation"],
                    **item,
                },
            },
        )
        for _ in range(arguments.rounds):
            run = train(options, overwrite=True)
            print(json.dumps({k: round(v, 3) for k, v in run.seconds.items()}))
    for update in run.history:
        metrics = {name: round(value, 4) for name, value in update.metrics.items()}
        print(
            f"{update.sweep} {update.coordinate:10} {update.seconds:7.3f} s "
            f"{update.summary.entities:6,} models {update.summary.coefficients:8,} coefficients "
            f"{metrics}"
        )


if __name__ == "__main__":
    main()
