"""Runs on the days of daily folders."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(1)
    for day in (1, 2, 4, 5):
        path = tmp_path / "data" / "daily" / "2016" / "01" / f"{day:02}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"x": rng.normal(size=50), "y": rng.integers(0, 2, 50)}), path)
    values = {
        "label": "y",
        "train": f"{tmp_path}/data",
        "train_dates": "20160101-20160104",
        "validation": f"{tmp_path}/data",
        "validation_dates": "20160105-20160105",
        "output": f"{tmp_path}/run",
        "report": False,
        "coordinates": {"g": {"features": ["x"]}},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_train_predict_and_evaluate(run, config, tmp_path):
    status, out, _ = run("train", config)
    assert status == 0
    assert "3 of 4 days have data; not 20160103" in " ".join(out.split())
    scores = tmp_path / "run" / "scores"
    assert [pq.read_table(scores / split).num_rows for split in ("train", "validation")] == [
        150,
        50,
    ]
    days = ("--dates", "20160105-20160105")
    data, made = tmp_path / "data", tmp_path / "scores.parquet"
    assert run("predict", tmp_path / "run", data, "-o", made, *days)[0] == 0
    assert pq.read_table(made)["score"].equals(pq.read_table(scores / "validation")["score"])
    status, out, _ = run("evaluate", tmp_path / "run", data, "--json", *days)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert json.loads(out)["auc"] == pytest.approx(metrics["final"]["auc"], abs=1e-12)
    status, _, err = run("evaluate", tmp_path / "run", data, "--dates", "20160103-20160103")
    assert (status, "it has 20160101-20160105" in " ".join(err.split())) == (2, True)
    status, _, err = run("evaluate", tmp_path / "run", data, "--dates", "1-30")
    assert (status, "--dates: found '1-30'" in err) == (2, True)


def test_days_ago_are_dates_in_the_run(run, config, tmp_path):
    days = "train_dates=9000-0"
    assert run("train", config, "--set", days)[0] == 0
    written = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert len(written["train_dates"]) == len("20160101-20160104")
