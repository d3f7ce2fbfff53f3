"""A run over a grid: what it prints and writes, and that a kill at any moment costs little."""

import json
import os
import signal
import time

import numpy as np
import pytest

import gdmix
from gdmix.store import points
from gdmix.store.points import StoredPoints

GRID = {"global.l2": [100, 1], "per-user.l2": [10, 1, 0.1]}


def coefficients(path):
    model = gdmix.load(path).model_
    return {name: getattr(part, "table", part).coefficients for name, part in model.parts.items()}


def require_same(found, expected, tolerance=1e-7):
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values == pytest.approx(expected[name], abs=tolerance)


def tight(values):
    """Solve so exactly that the same updates give the same model."""
    for coordinate in values["coordinates"].values():
        coordinate["tolerance"] = 1e-12


def record(tmp_path):
    return json.loads((tmp_path / "run" / "metrics.json").read_text())


def without_seconds(lines):
    return [{key: item for key, item in line.items() if key != "seconds"} for line in lines]


def require_same_points(found, expected):
    for mine, theirs in zip(without_seconds(found), without_seconds(expected), strict=True):
        assert mine.pop("metrics") == pytest.approx(theirs.pop("metrics"), abs=1e-6)
        assert mine.pop("objective") == pytest.approx(theirs.pop("objective"), rel=1e-9)
        assert mine == theirs


def test_table_json_and_report(run, config, tmp_path):
    pytest.importorskip("plotly", reason="the extra 'report' is not installed")
    path = config(grid=GRID, report=True)
    status, out, err = run("train", path)
    assert (status, err) == (0, "")
    assert "point 2 of 6: global.l2=100, per-user.l2=1" in out
    chosen = record(tmp_path)["chosen"]
    assert f"> {chosen['point']}  global.l2=" in out
    assert f"chosen: point {chosen['point']}, largest auc of 6 points" in out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Points of the grid" in page
    assert "global.l2=1, per-user.l2=0.1" in page
    out = run("train", path, "--overwrite", "--json")[1]
    values = json.loads(out)
    assert values["chosen"] == chosen
    assert without_seconds(values["points"]) == without_seconds(record(tmp_path)["points"])
    assert values["metrics"] == values["points"][chosen["point"] - 1]["metrics"]
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["number"] for line in log if line["event"] == "point"] == [1, 2, 3, 4, 5, 6]


def test_no_model_no_report(run, config, tmp_path):
    status, out, err = run("train", config(grid=GRID, output_mode="none", report=True))
    assert (status, err) == (0, "")
    assert "Next" not in out
    assert not (tmp_path / "run" / "model").exists()


def test_wrong_grids_are_refused_before_anything(run, config, tmp_path):
    for change, words in (
        ("grid={global.l22: [1]}", "did you mean 'l2'?"),
        ("validation=[]", "grid: there is no validation data to choose a model by"),
    ):
        status, _, err = run("train", config(grid=GRID), "--set", change)
        assert status == 2
        assert words in err
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["best", "explicit"])
def test_killed_sweep_resumes_inside_its_point(mode, run, process, config, tmp_path):
    path = config(tight, grid=GRID, sweeps=10, sweep_tolerance=0.0, output_mode=mode)
    assert run("train", path, "--quiet")[0] == 0
    expected, whole = coefficients(tmp_path / "run" / "model"), record(tmp_path)

    child = process("train", path, "--overwrite", "--quiet")
    state = tmp_path / "run" / "checkpoints" / "3" / "state.json"
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if state.is_file() and len(json.loads(state.read_text())["history"]) >= 4:
            break
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    done = json.loads((tmp_path / "run" / "checkpoints" / "points.json").read_text())["points"]
    assert 2 <= len(done) < 6

    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    require_same(coefficients(tmp_path / "run" / "model"), expected)
    require_same_points(record(tmp_path)["points"], whole["points"])
    assert record(tmp_path)["chosen"] == whole["chosen"]
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    events = [(line["event"], line.get("number")) for line in log if line["event"] != "update"]
    resumed = events[events.index(("start", None), 1) + 1 :]
    # what was done is not done again, and the point that was cut off goes on where it was
    assert resumed[0] == ("point", len(done) + 1)
    updates = [line for line in log if line["event"] == "update"]
    assert len(updates) <= 6 * 30 + 1
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert (tmp_path / "run" / "models").exists() == (mode == "explicit")


@pytest.mark.parametrize(
    "moment", ["save_model", "_write", "rmtree", "after"], ids=lambda moment: f"at-{moment}"
)
def test_cut_off_while_a_point_is_kept(moment, run, config, tmp_path, monkeypatch):
    path = config(tight, grid={"per-user.l2": [10, 1, 0.1]}, keep_best=True, sweeps=3)
    assert run("train", path, "--quiet")[0] == 0
    expected, whole = coefficients(tmp_path / "run" / "model"), record(tmp_path)
    finish = StoredPoints.finish

    def crash(*arguments, **options):
        raise RuntimeError("crash")

    def finishing(self, candidate, best):
        if candidate.number != 2:
            return finish(self, candidate, best)
        with monkeypatch.context() as inner:
            if moment == "save_model":
                inner.setattr(points, "save_model", crash)
            elif moment == "_write":
                inner.setattr(StoredPoints, "_write", crash)
            elif moment == "rmtree":
                inner.setattr(points.shutil, "rmtree", crash)
            finish(self, candidate, best)
        return crash()

    with monkeypatch.context() as patch:
        patch.setattr(StoredPoints, "finish", finishing)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--overwrite", "--quiet")
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    require_same(coefficients(tmp_path / "run" / "model"), expected)
    require_same_points(record(tmp_path)["points"], whole["points"])
    assert record(tmp_path)["chosen"] == whole["chosen"]


def test_cut_off_while_the_run_is_written(run, config, tmp_path, monkeypatch):
    from gdmix import workflow

    path = config(grid=GRID)
    assert run("train", path, "--quiet")[0] == 0
    expected = coefficients(tmp_path / "run" / "model")

    def crash(*arguments):
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "_write_scores", crash)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--overwrite", "--quiet")
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    # nothing was trained again
    for name, values in coefficients(tmp_path / "run" / "model").items():
        assert np.array_equal(values, expected[name])
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert sum(line["event"] == "update" for line in log) == 6 * 3


def test_keep_best_survives_a_crash(run, config, tmp_path, monkeypatch):
    from gdmix.cli.progress import TrainingTable

    def loose(values):
        tight(values)
        for name in ("per-user", "per-item"):
            values["coordinates"][name]["l2"] = 0.01

    path = config(loose, keep_best=True, sweeps=5, sweep_tolerance=0.0, metrics=["logistic_loss"])
    assert run("train", path, "--quiet")[0] == 0
    expected, chosen = coefficients(tmp_path / "run" / "model"), record(tmp_path)["chosen"]
    kept = chosen["update"]
    assert 3 <= kept < 14

    def crash(self, update, state):
        if len(state.history) == kept + 2:
            raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingTable, "update", crash)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--overwrite", "--quiet")
    # the latest parts, and those of the best model among the updates before
    folders = {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()}
    assert 4 <= len(folders) <= 1 + 6
    assert run("train", path, "--resume", "--quiet") == (0, "", "")
    assert record(tmp_path)["chosen"] == chosen
    require_same(coefficients(tmp_path / "run" / "model"), expected)
    saved = record(tmp_path)
    assert saved["final"] == saved["history"][kept - 1]["metrics"]
    evaluated = json.loads(
        run("evaluate", tmp_path / "run", tmp_path / "valid.parquet", "--json")[1]
    )
    assert evaluated["logistic_loss"] == pytest.approx(saved["final"]["logistic_loss"], abs=1e-7)


def test_resume_refuses_another_grid(run, config, tmp_path, monkeypatch):
    from gdmix.cli.progress import TrainingTable

    path = config(grid=GRID)

    def crash(self, update, state):
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingTable, "update", crash)
        with pytest.raises(RuntimeError, match="crash"):
            run("train", path, "--quiet")
    for change in ("grid={}", "grid={global.l2: [1, 2]}", "output_mode=all", "sweeps=7"):
        status, _, err = run("train", path, "--resume", "--set", change)
        assert status == 2
        assert "was started with other data or options" in err
    assert run("train", path, "--resume", "--quiet")[0] == 0


def test_same_bits_on_any_number_of_threads(run, config, tmp_path):
    path = config(grid=GRID)
    found = []
    for threads in (1, 3):
        run("train", path, "--quiet", "--overwrite", "--set", f"threads={threads}")
        found.append(coefficients(tmp_path / "run" / "model"))
    for name, values in found[0].items():
        assert np.array_equal(values, found[1][name])
