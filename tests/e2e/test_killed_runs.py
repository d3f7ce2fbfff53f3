"""A run killed at any moment goes on to the same model, and leaves nothing half written."""

import json
import os
import signal
import time

import numpy as np
import pytest

import gdmix


def coefficients(path):
    model = gdmix.load(path / "run" / "model").model_
    return {name: getattr(part, "table", part).coefficients for name, part in model.parts.items()}


def updates(state):
    return len(json.loads(state.read_text())["history"]) if state.is_file() else 0


def test_killed_run_resumes_to_the_same_model(run, process, config, tmp_path):
    # enough updates that the kill comes in the middle
    path = config(sweeps=150, sweep_tolerance=0.0)
    assert run("train", path, "--quiet")[0] == 0
    expected = coefficients(tmp_path)
    whole = len(json.loads((tmp_path / "run" / "metrics.json").read_text())["history"])

    child = process("train", path, "--overwrite", "--quiet")
    state = tmp_path / "run" / "checkpoints" / "state.json"
    deadline = time.monotonic() + 120
    while updates(state) < 5 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    done = updates(state)
    assert 5 <= done < whole

    status, _, err = run("train", path, "--quiet")
    assert status == 2
    assert "--resume goes on" in err
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    history = json.loads((tmp_path / "run" / "metrics.json").read_text())["history"]
    assert len(history) > done
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["resumed"] for line in log if line["event"] == "start"] == [False, True]
    for name, values in coefficients(tmp_path).items():
        assert values == pytest.approx(expected[name], abs=1e-7)


def test_resume_refuses_other_data_and_other_options(run, config, tmp_path):
    path = config(sweeps=2)
    assert run("train", path, "--quiet")[0] == 0
    # a finished run is not resumed
    status, _, err = run("train", path, "--resume")
    assert status == 2
    assert "finished" in err


def test_failed_save_leaves_the_old_model(config, run, tmp_path, monkeypatch):
    from gdmix.store import directory

    assert run("train", config(), "--quiet")[0] == 0
    model = gdmix.load(tmp_path / "run" / "model")
    before = sorted(path.name for path in (tmp_path / "run").rglob("*"))

    def fail(path, part, index):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directory, "write_part", fail)
    with pytest.raises(OSError, match="No space"):
        model.save(tmp_path / "run" / "model")
    assert sorted(path.name for path in (tmp_path / "run").rglob("*")) == before
    again = gdmix.load(tmp_path / "run" / "model")
    assert np.array_equal(
        again.model_.parts["global"].coefficients, model.model_.parts["global"].coefficients
    )
