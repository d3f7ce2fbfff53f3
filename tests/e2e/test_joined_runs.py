"""Runs whose fixed effect comes from a file of scores."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data.formats import avro


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(1)
    for split, first in (("train", 0), ("validation", 500)):
        uid = np.arange(first, first + 300)
        score = rng.normal(size=300)
        table = {"uid": uid, "user": uid % 13, "click": (score + rng.normal(size=300) > 0) * 1.0}
        pq.write_table(pa.table(table), tmp_path / f"{split}.parquet")
        order = rng.permutation(300)
        scores = pa.table({"uid": uid[order].astype(str), "predictionScore": score[order]})
        with avro.open_writer(tmp_path / f"{split}.avro", scores.schema) as writer:
            writer.write(scores.to_batches()[0])
    path = tmp_path / "config.yaml"
    path.write_text(f"""
label: click
uid: uid
train: {tmp_path}/train.parquet
validation: {tmp_path}/validation.parquet
output: {tmp_path}/run
report: false
joins:
  - {{train: {tmp_path}/train.avro, validation: {tmp_path}/validation.avro}}
coordinates:
  deep: {{score: predictionScore}}
  user: {{entity: user}}
""")
    return path


def test_train_predict_and_evaluate(run, config, tmp_path):
    status, out, _ = run("train", config, "--json")
    assert status == 0
    found = json.loads(out)
    first, second = found["history"]
    assert first["coordinate"] == "deep"
    assert 0.7 < first["metrics"]["auc"] < 0.95
    assert second["objective"] < first["objective"]
    data = tmp_path / "validation.parquet"
    status, _, err = run("evaluate", tmp_path / "run", data)
    assert (status, "column 'predictionScore' not found" in err) == (2, True)
    joined = ("--join", tmp_path / "validation.avro")
    status, out, _ = run("evaluate", tmp_path / "run", data, *joined, "--json")
    assert json.loads(out)["auc"] == pytest.approx(second["metrics"]["auc"], abs=1e-12)
    scores = tmp_path / "scores.parquet"
    assert run("predict", tmp_path / "run", data, "-o", scores, *joined)[0] == 0
    written = pq.read_table(tmp_path / "run" / "scores" / "validation")
    assert pq.read_table(scores)["score"].equals(written["score"])
    assert run("inspect", tmp_path / "run")[0] == 0


def test_one_file_of_scores_for_both(run, config, tmp_path):
    text = config.read_text().replace(f", validation: {tmp_path}/validation.avro", "")
    both = f"['{tmp_path}/train.avro', '{tmp_path}/validation.avro']"
    config.write_text(text.replace(f"train: {tmp_path}/train.avro", f"train: {both}"))
    assert run("train", config, "--quiet")[0] == 0


def test_scores_that_are_missing(run, config, tmp_path):
    config.write_text(config.read_text().replace("validation.avro", "train.avro"))
    status, _, err = run("train", config)
    assert status == 2
    assert "row 1, column 'uid'" in err
    assert "train.avro has no row for 500" in err
    assert "allow: [missing]" in err
    assert not (tmp_path / "run").exists()
    allowed = "{allow: [missing, extra], "
    config.write_text(config.read_text().replace("- {train", "- " + allowed + "train"))
    status, out, _ = run("train", config)
    assert status == 0
    assert "300 rows of" in out
    assert "have no match in" in out
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in log].count("join") == 2
    assert len(json.loads((tmp_path / "run" / "metrics.json").read_text())["joins"]) == 2
