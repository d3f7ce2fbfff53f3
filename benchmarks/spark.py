"""The Spark engine beside the local one, one core each, by stage; MLlib as the peer.

python benchmarks/spark.py [--rows 20000000] [--entities 200000] [--cores 1] [--mllib]
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gdmix import FixedEffect, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.source import open_source
from gdmix.engines.local import LocalEngine
from gdmix.onspark import SparkBackend, open_session
from gdmix.schema import Spark
from gdmix.sweep import gather, sweep

_NUMBERS, _AT_ONCE = 8, 1 << 20


def generate(path: Path, rows: int, entities: int) -> None:
    """Write rows with a few numbers, one category and an entity of a skewed size."""
    rng, writer = np.random.default_rng(0), None
    weights, taste = rng.normal(size=_NUMBERS), rng.normal(size=entities)
    for first in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - first)
        x = rng.normal(size=(count, _NUMBERS))
        entity = (entities * rng.random(count) ** 2).astype(np.int64)
        score = x @ weights * 0.3 + taste[entity]
        columns = {f"x{k}": x[:, k] for k in range(_NUMBERS)}
        columns["city"] = rng.integers(0, 50, count).astype("U2")
        columns |= {"user": entity, "click": rng.random(count) < 1 / (1 + np.exp(-score))}
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=1 << 18)
    assert writer is not None
    writer.close()


def options() -> ModelOptions:
    numbers = [f"x{k}" for k in range(_NUMBERS)]
    return ModelOptions(
        label="click",
        coordinates={
            "global": FixedEffect(features=[*numbers, "city"]),
            "per-user": RandomEffect("user", features=numbers[:4]),
        },
    )


@contextmanager
def told(name: str, times: dict[str, float]):
    started = time.perf_counter()
    yield
    times[name] = time.perf_counter() - started


def timed(engine, source) -> dict[str, float]:
    """Train twice, for the kernels' sake on the first time; return seconds by stage."""
    times: dict[str, float] = {}
    with told("read", times):
        material = gather(engine, options(), source, None, None)
    swept = sweep(engine, options(), material)
    for update in swept.best.history:
        times[f"first {update.coordinate}"] = update.seconds
    times["of it grouping"] = engine.grouping
    with told("second sweep, all", times):
        swept = sweep(engine, options(), material)
    for update in swept.best.history:
        times[update.coordinate] = update.seconds
        times[f"{update.coordinate}: objective"] = update.objective
    trace = swept.best.history[0].summary.trace
    times["global: passes"] = trace[-1].evaluations if trace else 0
    return times


def mllib(session, path: Path, iterations: int = 100) -> dict[str, float]:
    """Fit MLlib's logistic regression on the same numbers and one-hot city."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler

    times: dict[str, float] = {}
    frame = session.read.parquet(path.as_uri()).selectExpr("*", "double(click) as label")
    index = StringIndexer(inputCol="city", outputCol="city_index").fit(frame)
    frame = (
        OneHotEncoder(inputCol="city_index", outputCol="hot", dropLast=False)
        .fit(index.transform(frame))
        .transform(index.transform(frame))
    )
    names = [*(f"x{k}" for k in range(_NUMBERS)), "hot"]
    frame = VectorAssembler(inputCols=names, outputCol="features").transform(frame)
    rows = frame.select("label", "features").persist()
    with told("read", times):
        count = rows.count()
    fit = LogisticRegression(
        regParam=1.0 / count, standardization=False, maxIter=iterations, tol=1e-9
    )
    with told("global", times):
        model = fit.fit(rows)
    times["global: objective"] = model.summary.objectiveHistory[-1] * count
    times["global: passes"] = float(model.summary.totalIterations)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--entities", type=int, default=200_000)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=None)
    parser.add_argument("--memory", default="2g")
    parser.add_argument("--mllib", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        generate(path, given.rows, given.entities)
        results = {"local": timed(LocalEngine(given.cores), open_source(path))}
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        config = {"spark.driver.memory": given.memory, "spark.driver.host": "127.0.0.1"}
        with open_session(Spark(master=f"local[{given.cores}]", config=config)) as session:
            session.sparkContext.setLogLevel("ERROR")
            backend = SparkBackend.of(session, given.partitions)
            results["spark"] = timed(backend.engine, backend.open([str(path)], None))
            if given.mllib:
                results["mllib"] = mllib(session, path)
    names = list(dict.fromkeys(name for times in results.values() for name in times))
    print(f"{given.rows:,} rows, {given.entities:,} entities, {given.cores} cores")
    print(f"{'':24}" + "".join(f"{engine:>16}" for engine in results))
    for name in names:
        cells = (
            f"{times[name]:>16.3f}" if name in times else f"{'':>16}" for times in results.values()
        )
        print(f"{name:24}" + "".join(cells))


if __name__ == "__main__":
    main()
