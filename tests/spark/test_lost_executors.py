"""A worker and its executors are killed in the middle of training: the same model comes out."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.made_up import table
from tests.spark.agreement import on_local
from tests.spark.conftest import require_java
from tests.spark.killed import OPTIONS
from tests.spark.standalone import standalone

ROOT = Path(__file__).parents[2]
ROWS = table(2000)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["fixed", "random"])
def test_a_killed_worker_changes_nothing(tmp_path, when):
    require_java()
    data = tmp_path / "rows.parquet"
    pq.write_table(ROWS, data)
    with standalone(tmp_path, workers=2) as cluster:
        worker = cluster.workers[1]
        arguments = [cluster.master, str(data), str(tmp_path), str(worker), when]
        environment = os.environ | {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.spark.killed", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        # it is gone, and the other one did the rest
        assert not Path(f"/proc/{worker}/cmdline").read_bytes()
        assert Path(f"/proc/{cluster.workers[0]}/cmdline").read_bytes()
    swept, _ = on_local(OPTIONS, ROWS)
    for name, close in (("global", 1e-8), ("per-user", 1e-6)):
        part = swept.best.parts[name]
        expected = getattr(part, "table", part).coefficients
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(found, expected, rtol=0, atol=close)
