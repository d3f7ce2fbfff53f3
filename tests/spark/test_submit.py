"""What `deploy/` holds: submitted for real, or at least well-formed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.made_up import table
from tests.spark.conftest import require_java

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

CONFIG = """
train: {folder}/rows.parquet
label: click
uid: uid
output: {folder}/run
report: false
coordinates:
  global: {{features: [age, city]}}
  per-user: {{entity: user_id, features: [age]}}
"""


@pytest.mark.slow
def test_spark_submit_trains(tmp_path):
    require_java()
    import pyspark

    pq.write_table(table(300), tmp_path / "rows.parquet")
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(folder=tmp_path))
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    environment = os.environ | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT / "src"),
    }
    settings = ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    done = subprocess.run(
        [submit, "--master", "local[1]", *settings, DEPLOY / "train.py", config],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    told = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [update["coordinate"] for update in told["history"]] == ["global", "per-user"]
    assert pq.read_table(tmp_path / "run" / "scores" / "train").num_rows == 300


def test_the_manifest_names_what_is_there():
    manifest = yaml.safe_load((DEPLOY / "spark-application.yaml").read_text())
    assert manifest["kind"] == "SparkApplication"
    spec = manifest["spec"]
    assert Path(spec["mainApplicationFile"].removeprefix("local://")).name == "train.py"
    volumes = {volume["name"] for volume in spec["volumes"]}
    for role in ("driver", "executor"):
        assert {mount["name"] for mount in spec[role]["volumeMounts"]} <= volumes
        assert spec[role]["cores"] > 0


@pytest.mark.parametrize("script", ["submit.sh", "entrypoint.sh"])
def test_scripts_are_well_formed(script):
    path = DEPLOY / script
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_image_copies_what_is_there():
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()


def test_an_unknown_kind_of_cluster_is_told():
    done = subprocess.run(
        [DEPLOY / "submit.sh", "mesos", "config.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "expected standalone, yarn or kubernetes" in done.stderr
