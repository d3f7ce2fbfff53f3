"""A run killed at any moment goes on to the same model, and leaves nothing half written."""

import json
import os
import signal
import time

import numpy as np
import pytest

import gdmix
from gdmix.errors import RunError


def coefficients(path):
    model = gdmix.load(path / "run" / "model").model_
    return {name: getattr(part, "table", part).coefficients for name, part in model.parts.items()}


def updates(state):
    return len(json.loads(state.read_text())["history"]) if state.is_file() else 0


def tight(values):
    """Solve so exactly that the same updates give the same model."""
    for coordinate in values["coordinates"].values():
        coordinate["tolerance"] = 1e-12


def test_killed_run_resumes_to_the_same_model(run, process, config, tmp_path):
    # enough updates that the kill comes in the middle
    path = config(tight, sweeps=30, sweep_tolerance=0.0)
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
    assert 5 <= done < whole == 90  # no run may stop early, where rounding would decide when

    status, _, err = run("train", path, "--quiet")
    assert status == 2
    assert "--resume goes on" in err
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    history = json.loads((tmp_path / "run" / "metrics.json").read_text())["history"]
    assert len(history) == whole
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["resumed"] for line in log if line["event"] == "start"] == [False, True]
    for name, values in coefficients(tmp_path).items():
        assert values == pytest.approx(expected[name], abs=1e-7)


def crash_after(updates):
    """Return what stands in for showing an update, and crashes at one."""

    def crash(self, update, state):
        if len(state.history) == updates:
            raise RuntimeError("crash")

    return crash


def cut_off(run, path, monkeypatch):
    """Run until the third update and stop there, as a crash would."""
    from gdmix.cli.progress import TrainingTable

    with monkeypatch.context() as patch:
        patch.setattr(TrainingTable, "update", crash_after(3))
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--quiet")


def test_resume_refuses_what_differs_and_changes_nothing(run, config, tmp_path, monkeypatch):
    path = config(sweeps=3)
    status, _, err = run("train", path, "--resume")
    assert (status, "no run to resume" in err) == (2, True)
    cut_off(run, path, monkeypatch)
    files = {name: (tmp_path / "run" / name).read_text() for name in ("config.yaml", "log.jsonl")}
    for change in ("coordinates.global.l2=2", "metrics=[auc]", "validation=[]"):
        status, _, err = run("train", path, "--resume", "--set", change)
        assert status == 2
        assert "was started with other data or options" in err
    for name, text in files.items():
        assert (tmp_path / "run" / name).read_text() == text
    # more sweeps may be asked for, and the report is drawn
    assert (
        run("train", path, "--resume", "--quiet", "--set", "sweeps=5", "--set", "report=true")[0]
        == 0
    )
    assert (tmp_path / "run" / "report.html").is_file()
    status, _, err = run("train", path, "--resume")
    assert (status, "finished" in err) == (2, True)


def test_resume_begins_where_the_run_began(run, config, tmp_path, monkeypatch):
    """Killed within the first sweep: what was not updated comes from the initial model again."""

    def with_variances(values):
        tight(values)
        del values["coordinates"]["global"]
        for coordinate in values["coordinates"].values():
            coordinate["variance"] = "simple"

    for day in ("monday", "tuesday"):
        change = {"sweeps": 1} if day == "monday" else {"train": str(tmp_path / "valid.parquet")}
        path = config(with_variances, output=str(tmp_path / day), **change)
        assert run("train", path, "--quiet")[0] == 0
    options = {
        "sweeps": 2,
        "initial_model": str(tmp_path / "monday"),
        "incremental": True,
        "train": str(tmp_path / "valid.parquet"),
    }
    path = config(with_variances, **options)
    assert run("train", path, "--quiet")[0] == 0
    expected = coefficients(tmp_path)

    with monkeypatch.context() as patch:
        from gdmix.cli.progress import TrainingTable

        patch.setattr(TrainingTable, "update", crash_after(1))
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--overwrite", "--quiet")
    other = f"initial_model={tmp_path / 'tuesday'}"
    status, _, err = run("train", path, "--resume", "--set", other)
    assert (status, "was started with other data or options" in err) == (2, True)
    # the same model may lie elsewhere
    (tmp_path / "monday").rename(tmp_path / "moved")
    moved = f"initial_model={tmp_path / 'moved' / 'model'}"
    assert run("train", path, "--resume", "--quiet", "--set", moved)[0] == 0
    for name, values in coefficients(tmp_path).items():
        assert values == pytest.approx(expected[name], abs=1e-9)


def test_overwriting_keeps_the_old_run_until_the_new_one_is_whole(
    run, config, tmp_path, monkeypatch
):
    path = config()
    assert run("train", path, "--quiet")[0] == 0
    before = coefficients(tmp_path)
    from gdmix import workflow

    def fail(*parts):
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "sweep", fail)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--overwrite", "--quiet")
    kept = gdmix.load(tmp_path / "run.previous" / "model").model_
    assert np.array_equal(kept.parts["global"].coefficients, before["global"])
    # a run cut off is replaced; the whole one goes when another is whole
    assert run("train", path, "--overwrite", "--quiet")[0] == 0
    assert not (tmp_path / "run.previous").exists()
    assert not list(tmp_path.glob(".run*"))


def test_a_log_alone_is_no_run(run, config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text("x\n")
    (tmp_path / "run" / "thesis.txt").write_text("thesis")
    status, _, err = run("train", config(), "--overwrite")
    assert (status, "is not a run directory" in err) == (2, True)
    assert (tmp_path / "run" / "thesis.txt").read_text() == "thesis"


def test_one_run_at_a_time(run, process, config, tmp_path):
    path = config(sweeps=100_000, sweep_tolerance=0.0)
    first = process("train", path, "--quiet")
    state = tmp_path / "run" / "checkpoints" / "state.json"
    deadline = time.monotonic() + 120
    while not updates(state) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    for more in ([], ["--overwrite"], ["--resume"]):
        status, _, err = run("train", path, *more)
        assert (status, "another run is writing here" in err) == (2, True)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()


def test_failed_save_leaves_the_old_model(config, run, tmp_path, monkeypatch):
    from gdmix.store import directory

    assert run("train", config(), "--quiet")[0] == 0
    model = gdmix.load(tmp_path / "run" / "model")
    before = sorted(path.name for path in (tmp_path / "run").rglob("*"))

    def fail(path, part, index):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(directory, "write_part", fail)
    with pytest.raises(RunError, match="No space left on device"):
        model.save(tmp_path / "run" / "model")
    assert sorted(path.name for path in (tmp_path / "run").rglob("*")) == before
    again = gdmix.load(tmp_path / "run" / "model")
    assert np.array_equal(
        again.model_.parts["global"].coefficients, model.model_.parts["global"].coefficients
    )
