"""``gdmix train`` with a deep effect: as a process, killed in the middle, and resumed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.made_up import table

pytest.importorskip("torch")

NETWORK = {
    "document_texts": ["said"],
    "document_ids": ["item_id"],
    "id_units": 4,
    "encoder": {"units": 8, "filters": 4, "windows": [2], "max_length": 8, "dropout": 0.1},
    "hidden": [6],
}


@pytest.fixture
def config(tmp_path):
    """Write data and a config; return a function from an output's name to the config's path."""
    for name, seed in (("train", 0), ("valid", 1)):
        data = table(600 if name == "train" else 200, seed=seed)
        said = [" ".join(tags) for tags in data["tags"].to_pylist()]
        pq.write_table(data.append_column("said", pa.array(said)), tmp_path / f"{name}.parquet")

    def written(output, **training):
        values = {
            "train": str(tmp_path / "train.parquet"),
            "validation": str(tmp_path / "valid.parquet"),
            "output": str(tmp_path / output),
            "label": "click",
            "uid": "uid",
            "report": False,
            "coordinates": {
                "deep": {
                    "features": ["age"],
                    "network": NETWORK,
                    "training": {"batch": 32, "learning_rate": 0.01, **training},
                },
                "per-user": {"entity": "user_id", "features": ["tags", "deep.representation"]},
            },
        }
        path = tmp_path / f"{output}.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return written


def weights(run):
    return (run / "model" / "deep" / "coefficients" / "model.safetensors").read_bytes()


def test_a_killed_run_ends_as_an_unbroken_one(run, process, config, tmp_path):
    training = {"steps": 1500, "checkpoint_every": 20}
    whole, broken = config("whole", **training), config("broken", **training)
    assert run("train", whole, "--quiet")[0] == 0
    running = process("train", broken, "--quiet")
    within = tmp_path / "broken" / "checkpoints" / "within"
    deadline = time.monotonic() + 120
    while not list(within.glob("*/*")) and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert list(within.glob("*/*"))
    assert not (tmp_path / "broken" / "model").exists()
    status, _, error = run("train", broken, "--quiet", "--resume")
    assert status == 0, error
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
    assert not (tmp_path / "broken" / "checkpoints").exists()
    scores = [
        pq.read_table(tmp_path / name / "scores" / "validation")["score"].to_numpy()
        for name in ("whole", "broken")
    ]
    np.testing.assert_array_equal(*scores)


def test_the_commands_know_it(run, config, tmp_path):
    path = config("run", steps=30, evaluate_every=10)
    status, out, error = run("train", path)
    assert status == 0, error
    assert "deep" in out
    folder = tmp_path / "run"
    for command in ("inspect", "evaluate"):
        data = [tmp_path / "valid.parquet"] if command == "evaluate" else []
        status, out, error = run(command, folder, *data)
        assert status == 0, error
    status, out, _ = run("inspect", folder, "--json")
    assert any("embedding" in name for name in json.loads(out)["deep"])
    status, _, error = run(
        "predict", folder, tmp_path / "valid.parquet", "-o", tmp_path / "scores.parquet"
    )
    assert status == 0, error
    ours = pq.read_table(tmp_path / "scores.parquet")["score"].to_numpy()
    theirs = pq.read_table(folder / "scores" / "validation")["score"].to_numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    status, _, error = run("report", folder)
    assert status == 0, error
    assert "one network for all rows" in (folder / "report.html").read_text(encoding="utf-8")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["history"][0]["iterations"] == 30


def test_mistakes_end_in_one_error(run, config, tmp_path):
    path = config("run", steps=3)
    status, _, error = run("train", path, "--set", "coordinates.deep.network.encodr={}")
    assert (status, "did you mean 'encoder'?" in error) == (2, True)
    status, _, error = run("train", path, "--set", "coordinates.deep.network.document_texts=[sad]")
    assert (status, "'sad' not found" in error and "did you mean 'said'?" in error) == (2, True)
    status, _, error = run("train", path, "--set", "coordinates.deep.training.device=cuda:7")
    assert status == 2, error
    status, _, error = run("train", path, "--set", "coordinates.deep.training.learning_rate=1e30")
    assert status == 2, error
    assert not (tmp_path / "run" / "model").exists()


def test_several_processes_train_one_network(config, tmp_path):
    """``torchrun -m gdmix train``: one run, as by one process."""
    alone, shared = config("alone", steps=60), config("shared", steps=60)
    for path in (alone, shared):
        # what dropout draws is each process's own
        path.write_text(path.read_text().replace("dropout: 0.1", "dropout: 0.0"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    single = [sys.executable, "-m", "gdmix"]
    torchrun = [
        *[sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"],
        *["--master-addr", "127.0.0.1", "--master-port", "0", "--rdzv-backend", "c10d"],
        *["--rdzv-endpoint", "127.0.0.1:0", "-m", "gdmix"],
    ]
    for start, path in ((single, alone), (torchrun, shared)):
        done = subprocess.run(
            [*start, "train", str(path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    # one of the two speaks
    assert done.stdout.count("per-user") == 1
    tables = [
        pq.read_table(tmp_path / name / "scores" / "validation") for name in ("alone", "shared")
    ]
    for column in ("score_deep", "score"):
        one, two = (each[column].to_numpy() for each in tables)
        np.testing.assert_allclose(two, one, atol=2e-3)
    plain = config("plain", steps=3)
    values = yaml.safe_load(plain.read_text())
    del values["coordinates"]["deep"]
    values["coordinates"]["per-user"]["features"] = ["tags"]
    plain.write_text(yaml.safe_dump(values))
    done = subprocess.run(
        [*single, "train", str(plain)],
        env={**environment, "WORLD_SIZE": "2", "RANK": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "no coordinate is a network" in done.stderr
