"""The commands of the README, one after the other."""

import json
import re
import shutil

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

import gdmix


def test_train_predict_evaluate_inspect(run, config, tmp_path):
    status, out, err = run("train", config())
    assert (status, err) == (0, "")
    assert "per-user" in out
    assert "Next" in out
    folder = tmp_path / "run"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "log.jsonl",
        "metrics.json",
        "model",
        "scores",
    ]

    status, out, _ = run(
        "predict", folder, tmp_path / "valid.parquet", "-o", tmp_path / "s.parquet"
    )
    assert status == 0
    found = pq.read_table(tmp_path / "s.parquet")
    saved = pq.read_table(folder / "scores" / "validation")
    assert found.equals(saved)

    status, out, _ = run("evaluate", folder, tmp_path / "valid.parquet", "--json")
    final = json.loads((folder / "metrics.json").read_text())["final"]
    assert json.loads(out) == pytest.approx(final, abs=1e-12)

    status, out, _ = run("inspect", folder, "--json")
    shown = json.loads(out)
    assert next(iter(shown["global"])) == "(INTERCEPT)"
    assert shown["per-item"][0]["entity"].startswith("item-")
    status, out, _ = run("inspect", folder, "-c", "per-user", "-e", "3")
    assert "tags=" in out


def test_the_saved_config_trains_the_same_model(run, config, tmp_path):
    run("train", config(), "--set", "coordinates.global.l2=7", "--quiet")
    saved = tmp_path / "run" / "config.yaml"
    assert yaml.safe_load(saved.read_text())["coordinates"]["global"]["l2"] == 7
    again = tmp_path / "again.yaml"
    again.write_text(saved.read_text(), encoding="utf-8")
    first = gdmix.load(tmp_path / "run" / "model").model_
    run("train", again, "--overwrite", "--quiet")
    second = gdmix.load(tmp_path / "run" / "model").model_
    for name, part in first.parts.items():
        coefficients = getattr(part, "table", part).coefficients
        other = getattr(second.parts[name], "table", second.parts[name]).coefficients
        assert np.array_equal(coefficients, other)


def test_quiet_says_nothing_and_json_is_json(run, config):
    assert run("train", config(), "--quiet") == (0, "", "")
    status, out, _ = run("train", config(), "--overwrite", "--json")
    assert status == 0
    assert json.loads(out)["history"][-1]["coordinate"] == "per-item"


def test_init_writes_a_config_that_trains(run, config, tmp_path, monkeypatch):
    config()
    monkeypatch.chdir(tmp_path)
    status, _, err = run("init", "train.parquet", "--validation", "valid.parquet")
    assert (status, err) == (0, "")
    written = yaml.safe_load((tmp_path / "gdmix.yaml").read_text())
    assert written["label"] == "click"
    assert written["coordinates"]["per-user"]["entity"] == "user_id"
    status, _, err = run("train", "gdmix.yaml", "--set", "report=false")
    assert (status, err) == (0, "")


def test_csv_gives_the_model_of_parquet(run, config, tmp_path):
    import gzip

    from pyarrow import csv

    run("train", config(), "--quiet")
    first = gdmix.load(tmp_path / "run" / "model")
    table = pq.read_table(tmp_path / "train.parquet")
    tags = ["|".join(items) for items in table["tags"].to_pylist()]
    table = table.set_column(table.schema.get_field_index("tags"), "tags", [tags])
    with gzip.open(tmp_path / "train.csv.gz", "wb") as stream:
        csv.write_csv(table, stream)

    def change(values):
        values["train"] = str(tmp_path / "train.csv.gz")
        del values["validation"]
        for coordinate in values["coordinates"].values():
            coordinate["features"] = [
                {"column": "tags", "separator": "|"} if name == "tags" else name
                for name in coordinate["features"]
            ]

    status, _, err = run("train", config(change), "--overwrite", "--quiet")
    assert (status, err) == (0, "")
    second = gdmix.load(tmp_path / "run" / "model")
    assert first.history_[-1]["objective"] == pytest.approx(
        second.history_[-1]["objective"], rel=1e-12
    )


def test_real_processes(process, config, tmp_path):
    """A model loads in a process that has never seen the data."""
    train = process("train", config())
    _, err = train.communicate(timeout=300)
    assert (train.returncode, err) == (0, "")
    (tmp_path / "train.parquet").unlink()
    predict = process(
        "predict", tmp_path / "run", tmp_path / "valid.parquet", "-o", tmp_path / "s.parquet"
    )
    _, err = predict.communicate(timeout=300)
    assert (predict.returncode, err) == (0, "")
    assert pq.read_table(tmp_path / "s.parquet").num_rows == 200


def test_a_run_from_yesterdays_model(run, config, tmp_path):
    path = config(output=str(tmp_path / "monday"))
    assert run("train", path, "--quiet")[0] == 0
    # a fifth of the rows: users that did not come keep what they had
    rows = pq.read_table(tmp_path / "train.parquet")
    pq.write_table(rows.filter(pc.less(rows["user_id"], 5)), tmp_path / "train.parquet")
    again = ("--set", "initial_model=" + str(tmp_path / "monday"), "--set", "locked=global")
    path = config(report=True)
    status, out, err = run("train", path, *again)
    assert (status, err) == (0, "")
    shown = " ".join(out.split())
    kept = r"per-user: kept \d+ coefficients of the initial model; entities not trained: 20"
    assert re.search(kept, shown)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "locked: not trained" in page
    assert "Coefficients without data, as in the initial model" in page
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {update["coordinate"] for update in metrics["history"]} == {"per-user", "per-item"}
    assert metrics["history"][0]["kept_entities"] == 20
    models = [gdmix.load(tmp_path / name / "model").model_ for name in ("monday", "run")]
    assert np.array_equal(*(model.parts["global"].coefficients for model in models))
    itself = ("--set", "initial_model=" + str(tmp_path / "run"), "--overwrite")
    status, _, err = run("train", path, *itself)
    assert (status, "is the initial model; write to another place" in err) == (2, True)
    # that of a point of a grid lies deeper in its run
    shutil.copytree(tmp_path / "run" / "model", tmp_path / "run" / "models" / "1")
    inner = ("--set", "initial_model=" + str(tmp_path / "run" / "models" / "1"), "--overwrite")
    status, _, err = run("train", path, *inner)
    assert (status, "is the initial model; write to another place" in err) == (2, True)
    # before any data is read
    missing = ("--set", "train=/nowhere.parquet", "--set", "incremental=true", "--overwrite")
    status, _, err = run("train", path, *again[:2], *missing)
    assert (status, "has no variances, which incremental training needs" in err) == (2, True)
