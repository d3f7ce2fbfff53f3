"""Trainings of networks in real processes: one that is killed, and two that train together."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gdmix.deep.scoring import score
from tests.deep import options, rows_for, train_as

ROOT = Path(__file__).parents[2]
ROWS = {"rows": 40}
COMMON = {"steps": 30, "batch": 6, "learning_rate": 0.01, "evaluate_every": 10, "optimizer": "lamb"}
LARGE = {"steps": 40, "batch": 8, "learning_rate": 0.01, "checkpoint_every": 5}
TRAININGS = {
    "rows": {"training": {**COMMON, "weight_decay": 0.1}, "validation": True},
    "groups": {
        "groups": 4,
        "target": {"loss": "listwise"},
        "training": {**COMMON, "optimizer": "adamw", "l2": 0.5},
    },
    # fewer rows of an update than processes: one of them has none
    "one row": {"training": {**COMMON, "batch": 1}},
    "dropout": {"training": LARGE, "network": options(dropout=0.3)},
}
for each in TRAININGS.values():
    each |= {"rows": ROWS, "network": each.get("network", options())}


def launched(path, *launcher, **variables):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", *launcher, "tests.deep", str(path)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def together(path):
    """Start two processes by torchrun; return what they print, and wait for them."""
    return ended(
        launched(
            path, "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1",
            f"--master-port={free_port()}", "-m",
        )
    )  # fmt: skip


def ended(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def written(folder, trainings):
    path = folder / "trainings.json"
    path.write_text(json.dumps(trainings))
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return the folder of what two processes have trained, one network after the other."""
    folder = tmp_path_factory.mktemp("pair")
    found = together(written(folder, TRAININGS)).splitlines()
    # the first process alone reports
    assert [line for line in found if line.startswith("rows")] == ["rows 10", "rows 20", "rows 30"]
    return folder


@pytest.mark.parametrize("name", ["rows", "groups", "one row"])
def test_two_processes_train_as_one(pair, name):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    given = TRAININGS[name]
    alone = train_as(given, pair)
    torch.set_num_threads(before)
    one, other = score(alone, rows_for(given)), np.load(pair / f"{name}-0.npy")
    if name == "groups":
        # a list does not see a number that is added to all scores, so rounding moves it
        one, other = one - one.mean(), other - other.mean()
    assert other == pytest.approx(one, abs=2e-4)
    states = [torch.load(pair / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    summaries = [json.loads((pair / f"{name}-{rank}.json").read_text()) for rank in (0, 1)]
    assert [summary["processes"] for summary in summaries] == [2, 2]
    assert summaries[0]["evaluations"] == summaries[1]["evaluations"]
    for (step, found), (_, expected) in zip(
        summaries[0]["evaluations"], alone.summary["evaluations"], strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-5), step


def test_two_processes_go_on_where_they_stood(pair, tmp_path):
    given = {**TRAININGS["dropout"], "folder": "cut"}
    path = written(tmp_path, {"dropout": {**given, "stop": 20}})
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    processes = [launched(path, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in (0, 1)]
    # the first ends without a word; the other cannot go on without it
    for process in processes:
        process.communicate(timeout=240)
    assert [process.returncode == 0 for process in processes] == [True, False]
    assert json.loads((tmp_path / "cut" / "state.json").read_text())["step"] == 20
    together(written(tmp_path, {"dropout": given}))
    for rank in (0, 1):
        one, other = (np.load(folder / f"dropout-{rank}.npy") for folder in (pair, tmp_path))
        assert np.array_equal(one, other)


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    given = {
        "rows": ROWS,
        "network": {**options(dropout=0.2), "dropout": 0.2},
        "training": {
            "steps": 400, "batch": 8, "evaluate_every": 10, "checkpoint_every": 7,
            "learning_rate": 0.01,
        },
        "validation": True,
        "folder": "cut",
    }  # fmt: skip
    path = written(tmp_path, {"cut": given})
    process = launched(path)
    for line in process.stdout:
        if int(line.split()[1]) >= 40:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    state = json.loads((tmp_path / "cut" / "state.json").read_text())
    assert 35 <= state["step"] < 400
    steps = [int(line.split()[1]) for line in ended(launched(path)).splitlines()]
    assert state["step"] < steps[0] <= state["step"] + 10
    (tmp_path / "cut").rename(tmp_path / "put away")
    ended(launched(written(tmp_path, {"whole": {**given, "folder": None}})))
    one, other = (
        torch.load(tmp_path / f"{name}-0.pt", weights_only=True) for name in ("whole", "cut")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_process_whose_others_cannot_be_found_says_so(tmp_path):
    process = launched(written(tmp_path, TRAININGS), WORLD_SIZE="2")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "cannot join the other processes" in err
    assert "torchrun" in err
