"""MovieLens-1M by GDMix's recipe, and Jester's ratings, on both engines."""

import gzip
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix import FixedEffect, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.source import open_source
from gdmix.engines.local import LocalEngine
from gdmix.engines.spark.engine import SparkEngine
from gdmix.engines.spark.sources import SparkFrame
from tests.spark.agreement import require_equal, trained

EXACT = {"tolerance": 1e-9}
_PEOPLE = ["age", "gender", "occupation"]
MOVIELENS = ModelOptions(
    label="response",
    uid="uid",
    metrics=["auc", "auc:user_id"],
    coordinates={
        "global": FixedEffect(features=[*_PEOPLE, "genres", "year"], **EXACT),
        "per-user": RandomEffect("user_id", features=["genres", "year"], **EXACT),
        "per-movie": RandomEffect("movie_id", features=_PEOPLE, **EXACT),
    },
)
JESTER = ModelOptions(
    task="linear",
    label="rating",
    metrics=["rmse"],
    coordinates={
        "global": FixedEffect(**EXACT),
        "per-user": RandomEffect("user_id", **EXACT),
        "per-joke": RandomEffect("joke_id", **EXACT),
    },
    sweeps=2,
)


def fields(path):
    """Return the fields of a ``::``-separated file, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="latin-1") as stream:
        return [line.rstrip("\n").split("::") for line in stream]


def movielens(folder):
    ratings = fields(next(folder.glob("ratings*.dat*")))
    user, movie, rating = np.array([row[:3] for row in ratings], dtype=np.int64).T
    users = {int(row[0]): row for row in fields(folder / "users.dat")}
    movies = {int(row[0]): row for row in fields(folder / "movies.dat")}
    year = {m: int(re.search(r"\((\d{4})\)$", row[1])[1]) for m, row in movies.items()}
    return pa.table(
        {
            "uid": np.arange(len(user)),
            "user_id": user,
            "movie_id": movie,
            "response": (rating > 3).astype(np.int64),
            "age": [int(users[u][2]) / 100 for u in user.tolist()],
            "gender": [users[u][1] for u in user.tolist()],
            "occupation": [users[u][3] for u in user.tolist()],
            "genres": [movies[m][2].split("|") for m in movie.tolist()],
            "year": [year[m] / 2000 for m in movie.tolist()],
        }
    )


def split(table, folder):
    """Write four fifths of the rows to train on, and the others."""
    chosen = np.random.default_rng(0).random(len(table)) < 0.8
    paths = []
    for name, rows in (("train", chosen), ("validation", ~chosen)):
        paths.append(str(folder / f"{name}.parquet"))
        pq.write_table(table.filter(pa.array(rows)), paths[-1], row_group_size=1 << 16)
    return paths


@pytest.fixture(scope="module", params=["movielens-1m", "jester"])
def expected(request, shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "jester":
        table = pq.read_table(shared_data("jester-1") / "ratings.parquet")
        options = JESTER
    else:
        table, options = movielens(shared_data("ml-1m")), MOVIELENS
    paths = split(table, folder)
    sources = [open_source(path) for path in paths]
    return options, paths, trained(LocalEngine(2), options, *sources)


@pytest.mark.slow
@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_real_data(spark, expected, partitions):
    options, paths, here = expected
    frames = [SparkFrame(spark.read.parquet(path)) for path in paths]
    require_equal(here, trained(SparkEngine(spark, partitions), options, *frames))
