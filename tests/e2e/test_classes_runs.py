"""Models of several classes and labels from the command line."""

import json
import os
import signal
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn import metrics as reference

import gdmix

torch = pytest.importorskip("torch")

KINDS = {"comedy": "funny merry", "drama": "sad grave", "noir": "dark grim", "war": "loud grim"}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def films(rows, seed):
    """Films whose text tells their kind, mostly, and of which kinds they are besides."""
    rng = np.random.default_rng(seed)
    names = list(KINDS)
    first, second = rng.integers(4, size=rows), rng.integers(4, size=rows)
    said = [rng.choice(f"{KINDS[names[k]]} a the of".split(), 4) for k in first]
    more = [rng.choice(KINDS[names[k]].split(), 2) for k in second]
    return pa.table(
        {
            "uid": np.arange(rows),
            "kind": [names[k] for k in first],
            "kinds": [sorted({names[k], names[j]}) for k, j in zip(first, second, strict=True)],
            "text": [" ".join([*a, *b]) for a, b in zip(said, more, strict=True)],
            "year": rng.normal(size=rows),
            "studio": rng.integers(3, size=rows),
        }
    )


@pytest.fixture
def config(tmp_path):
    """Write films and a config; return a function that changes and writes it."""
    pq.write_table(films(400, 0), tmp_path / "train.parquet")
    pq.write_table(films(200, 1), tmp_path / "valid.parquet")
    encoder = {"kind": "average", "units": 8}
    training = {"steps": 150, "learning_rate": 0.02, "evaluate_every": 50}

    def make(task="multiclass", training=training, **options):
        network = {"document_texts": ["text"], "encoder": encoder, "dense": ["year"]}
        values = {
            "task": task,
            "train": str(tmp_path / "train.parquet"),
            "validation": str(tmp_path / "valid.parquet"),
            "output": str(tmp_path / "run"),
            "label": "kind" if task == "multiclass" else "kinds",
            "uid": "uid",
            "report": False,
            "coordinates": {
                "global": {"features": ["studio"], "network": network, "training": training}
            },
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values | options, sort_keys=False), encoding="utf-8")
        return path

    return make


def test_a_run_of_classes(run, config, tmp_path):
    path = config(report=True, metrics=["f1_macro", "accuracy", "accuracy:studio"])
    options = ["--set", "save_group_metrics=true"]
    status, out, err = run("train", path, *options)
    assert (status, err) == (0, "")
    assert "macro F1" in out
    folder = tmp_path / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["final"]) == ["f1_macro", "accuracy", "accuracy:studio"]
    scores = pq.read_table(folder / "scores" / "validation")
    names = sorted(KINDS)
    assert scores.column_names == [
        "uid", "class", *(f"probability_{name}" for name in names),
        *(f"logit_{name}" for name in names), "label", "studio",
    ]  # fmt: skip
    right, answer = scores["label"].to_pylist(), scores["class"].to_pylist()
    assert metrics["final"]["accuracy"] == reference.accuracy_score(right, answer)
    assert metrics["final"]["f1_macro"] == reference.f1_score(right, answer, average="macro")
    told = metrics["classes"]["validation"]
    assert told["names"] == names
    assert told["confusion"] == reference.confusion_matrix(right, answer).tolist()
    assert told["recall"] == pytest.approx(reference.recall_score(right, answer, average=None))
    shares = np.column_stack([scores[f"probability_{name}"] for name in names])
    np.testing.assert_allclose(shares.sum(1), 1.0)
    assert [names[k] for k in shares.argmax(1)] == answer
    groups = pq.read_table(folder / "metrics" / "studio.parquet")
    assert groups["accuracy"].to_numpy().mean() == metrics["final"]["accuracy:studio"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "macro F1" in page

    status, out, _ = run("evaluate", folder, tmp_path / "valid.parquet", "--json")
    found = json.loads(out)
    assert found.pop("classes") == told
    assert found == metrics["final"]
    status, out, _ = run("evaluate", folder, tmp_path / "valid.parquet")
    assert status == 0
    assert all(name in out for name in ("precision", *names))
    new = tmp_path / "new.parquet"
    pq.write_table(films(200, 1).drop_columns(["kind", "kinds"]), new)
    assert run("predict", folder, new, "-o", tmp_path / "scores.parquet", "--quiet")[0] == 0
    assert pq.read_table(tmp_path / "scores.parquet").equals(
        scores.drop_columns(["label", "studio"])
    )
    status, _, err = run("predict", folder, new, "-o", tmp_path / "s.avro", "--layout", "photon")
    assert status == 2
    assert "--layout: found 'photon' for a model of task 'multiclass'" in err
    assert run("inspect", folder)[0] == 0
    assert run("report", folder, "--quiet")[0] == 0


def test_a_run_of_labels(run, config, tmp_path):
    assert run("train", config("multilabel"), "--quiet") == (0, "", "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["final"]) == ["f1_micro", "log_loss", "accuracy"]
    scores = pq.read_table(tmp_path / "run" / "scores" / "validation")
    names = sorted(KINDS)
    right, answer = (
        np.array([[name in each for name in names] for each in scores[column].to_pylist()])
        for column in ("label", "labels")
    )
    assert scores["label"].to_pylist() == films(200, 1)["kinds"].to_pylist()
    assert np.array_equal(
        answer, np.column_stack([scores[f"probability_{name}"] for name in names]) > 0.5
    )
    expected = reference.f1_score(right, answer, average="micro")
    assert metrics["final"]["f1_micro"] == pytest.approx(expected)
    assert expected > 0.75
    told = metrics["classes"]["validation"]
    assert "confusion" not in told
    assert told["f1"] == pytest.approx(reference.f1_score(right, answer, average=None))
    model = gdmix.load(tmp_path / "run")
    assert model.evaluate(films(200, 1)) == metrics["final"]
    summary = model.model_.parts["global"].trained.summary
    assert [step for step, _ in summary["evaluations"]] == [50, 100, 150]
    assert summary["best_value"] == metrics["final"]["f1_micro"]


def test_a_killed_run_goes_on(run, process, config, tmp_path):
    """Within its only update, to the same bits."""
    training = {"steps": 400, "batch": 32, "checkpoint_every": 20, "evaluate_every": 50}
    path = config(training=training)
    assert run("train", path, "--quiet") == (0, "", "")
    expected = pq.read_table(tmp_path / "run" / "scores" / "validation")
    child = process("train", path, "--overwrite", "--quiet")
    kept = tmp_path / "run" / "checkpoints" / "within" / "00001-global"
    deadline = time.monotonic() + 120
    while not kept.is_dir() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.2)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    found = pq.read_table(tmp_path / "run" / "scores" / "validation")
    assert found.equals(expected)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_run_that_is_trained_goes_on_to_its_end(run, config, tmp_path, monkeypatch):
    def crash(*_):
        raise RuntimeError("crash")

    path = config()
    with monkeypatch.context() as patched:
        patched.setattr("gdmix.workflow.save_model", crash)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--quiet")
    monkeypatch.setattr("gdmix.coordinates.deep.DeepEffect.learn", crash)
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert len(metrics["history"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"coordinates": {"global": {"features": ["year"]}}},
            "coordinates: found global (fixed eff",
        ),
        ({"coordinates": {"per-studio": {"entity": "studio"}}}, "per-studio (random effect)"),
        ({"offset": "year"}, "offset: found 'year'"),
        ({"metrics": ["rmse"]}, "'rmse' is no metric of task 'multiclass'"),
        ({"label": "text"}, "coordinates.global.network: 'text' is the label"),
        ({"label": "kinds"}, "column 'kinds': found type list"),
        ({"label": "year"}, "coordinates.global.network: 'year' is the label"),
        ({"label": "type"}, "label: column 'type' not found"),
    ],
)
def test_what_is_wrong_is_said(run, config, tmp_path, change, message):
    status, _, err = run("train", config(**change), "--quiet")
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()
