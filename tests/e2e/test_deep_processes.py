"""Trainings of networks in real processes: one that is killed, and two that train together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.deep import options

ROOT = Path(__file__).parents[2]


def written(place, name, /, **given):
    path = place / f"{name}.json"
    path.write_text(json.dumps({"rows": {"rows": 40}, "out": f"{name}-out", **given}))
    return path


def started(*arguments, **variables):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.deep", *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def weights(folder, name):
    return torch.load(folder / f"{name}-out.pt", weights_only=True)


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path):
    given = {
        "network": {**options(dropout=0.2), "dropout": 0.2},
        "training": {
            "steps": 400, "batch": 8, "evaluate_every": 10, "checkpoint_every": 7,
            "learning_rate": 0.01,
        },
        "validation": True,
    }  # fmt: skip
    ended(started(written(tmp_path, "whole", **given)))

    path = written(tmp_path, "cut", folder="cut", **given)
    process = started(path)
    for line in process.stdout:
        if int(line) >= 40:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    state = json.loads((tmp_path / "cut" / "state.json").read_text())
    assert 28 <= state["step"] < 400
    steps = [int(line) for line in ended(started(path)).split()]
    assert state["step"] < steps[0] <= state["step"] + 10
    one, other = weights(tmp_path, "whole"), weights(tmp_path, "cut")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def together(path, ranks=2):
    """Start processes with the environment that torchrun sets, and wait for them."""
    common = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    common["LOCAL_WORLD_SIZE"] = str(ranks)
    processes = [
        started(path, "each", RANK=str(rank), LOCAL_RANK=str(rank), **common)
        for rank in range(ranks)
    ]
    return [ended(process) for process in processes]


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"weight_decay": 0.1}, "validation": True},
        {"groups": 4, "target": {"loss": "listwise"}, "training": {"l2": 0.5}},
        # fewer rows of an update than processes: one of them has none
        {"training": {"batch": 1}},
    ],
    ids=["rows", "groups", "one row"],
)
def test_two_processes_train_as_one(tmp_path, change):
    training = {
        "steps": 30, "batch": 6, "learning_rate": 0.01, "evaluate_every": 10, "optimizer": "lamb",
        **change.get("training", {}),
    }  # fmt: skip
    given = {"network": options(), **change, "training": training}
    alone = written(tmp_path, "one", **given)
    ended(started(alone))
    first, second = together(written(tmp_path, "two", folder="two", **given))
    assert first  # the first process alone reports
    assert not second
    one, other = np.load(tmp_path / "one-out.npy"), np.load(tmp_path / "two-out-0.npy")
    assert other == pytest.approx(one, abs=2e-4)
    assert np.array_equal(other, np.load(tmp_path / "two-out-1.npy"))
    summaries = [json.loads((tmp_path / f"two-out-{rank}.json").read_text()) for rank in (0, 1)]
    assert summaries[0]["processes"] == 2
    assert summaries[0]["evaluations"] == summaries[1]["evaluations"]


def test_two_processes_go_on_where_they_stood(tmp_path):
    given = {
        "network": options(dropout=0.3),
        "training": {"steps": 40, "batch": 8, "learning_rate": 0.01, "checkpoint_every": 5},
    }
    together(written(tmp_path, "whole", **given))
    half = {**given, "stop": 20}
    path = written(tmp_path, "cut", folder="cut", **half)
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    processes = [
        started(path, "each", RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in (0, 1)
    ]
    deadline = time.monotonic() + 60
    for process in processes:
        process.wait(timeout=max(1.0, deadline - time.monotonic()))
        process.communicate()
    assert json.loads((tmp_path / "cut" / "state.json").read_text())["step"] == 20
    together(written(tmp_path, "cut", folder="cut", **given))
    for rank in (0, 1):
        one, other = (np.load(tmp_path / f"{name}-out-{rank}.npy") for name in ("whole", "cut"))
        assert np.array_equal(one, other)


def test_a_process_whose_others_do_not_come_says_so(tmp_path):
    given = {"network": options(), "training": {"steps": 3}}
    process = started(written(tmp_path, "lost", **given), WORLD_SIZE="2")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot join the other processes" in err
    assert "torchrun" in err
