"""A training run on a cluster, in the middle of which a worker is killed.

``python -m tests.spark.killed MASTER DATA FOLDER WORKER WHEN``: WHEN is ``fixed`` or ``random``;
FOLDER gets what was learnt.
"""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from gdmix import FixedEffect, RandomEffect
from gdmix.config import ModelOptions
from gdmix.engines.spark.engine import SparkEngine
from gdmix.engines.spark.sources import SparkFrame
from gdmix.onspark import open_session
from gdmix.schema import Spark
from tests.spark.agreement import trained
from tests.spark.standalone import kill_worker

OPTIONS = ModelOptions(
    label="click",
    uid="uid",
    weight="weight",
    coordinates={
        "global": FixedEffect(features=["age", "city", "tags"], tolerance=1e-10),
        "per-user": RandomEffect("user_id", features=["age"], tolerance=1e-10),
    },
    sweeps=2,
)


class Killing(SparkEngine):
    """Kills a worker when a verb is used for the nth time, while its job runs."""

    def __init__(self, session, partitions, worker, when):
        super().__init__(session, partitions)
        self._worker, self._when, self._calls = worker, when, 0

    def reduce(self, *arguments):
        # in the middle of a fixed effect of about twenty passes
        self._count("fixed", 6)
        return super().reduce(*arguments)

    def group(self, *arguments):
        self._count("random", 2)
        return super().group(*arguments)

    def _count(self, verb, nth):
        if verb != self._when:
            return
        self._calls += 1
        if self._calls == nth:
            threading.Timer(0.1, kill_worker, [self._worker]).start()
            time.sleep(0.05)


def main(master, data, folder, worker, when):
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "512m",
        "spark.executor.cores": "1",
        "spark.task.maxFailures": "8",
    }
    with open_session(Spark(master=master, config=settings)) as session:
        session.sparkContext.setLogLevel("ERROR")
        engine = Killing(session, 3, int(worker), when)
        source = SparkFrame(session.createDataFrame(pq.read_table(data)))
        swept, _ = trained(engine, OPTIONS, source)
    for name, part in swept.best.parts.items():
        held = getattr(part, "table", part)
        np.save(Path(folder) / f"{name}.npy", held.coefficients)


if __name__ == "__main__":
    main(*sys.argv[1:])
