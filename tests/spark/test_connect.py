"""What works over Spark Connect: to score. It runs in a process of its own, as a client does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.spark.conftest import require_java

ROOT = Path(__file__).parents[2]

_CLIENT = """
import numpy as np
from pyspark.sql import SparkSession
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.errors import ConfigError
from tests.made_up import table

rows = table(200)
model = MixedModel(
    label="click",
    uid="uid",
    coordinates={
        "global": FixedEffect(features=["age", "tags"]),
        "per-user": RandomEffect("user_id", features=["age"]),
    },
).fit(rows)
expected = model.predict(rows).sort_by("uid")
session = SparkSession.builder.remote("local[1]").getOrCreate()
frame = session.createDataFrame(rows)
found = model.predict(frame).toArrow().sort_by("uid")
np.testing.assert_allclose(found["score"].to_numpy(), expected["score"].to_numpy(), atol=1e-12)
try:
    model.fit(frame)
except ConfigError as error:
    print("refused:", error)
session.stop()
"""


@pytest.mark.slow
def test_a_client_scores_and_is_told_that_it_cannot_train():
    require_java()
    pytest.importorskip("grpc", reason="Spark Connect needs grpcio: pip install 'pyspark[connect]'")
    environment = os.environ | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _CLIENT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "refused: train: a data frame of Spark Connect has no RDDs" in done.stdout
