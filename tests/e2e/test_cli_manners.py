"""What the command line does at the edges: odd columns, odd paths, outputs in the way, Ctrl-C."""

import json
import shlex
import signal
import time
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.made_up import table


@pytest.fixture
def init(run, tmp_path):
    """Return a function that writes a table, runs `gdmix init` and gives the config's values."""

    def call(data):
        pq.write_table(data, tmp_path / "data.parquet")
        status, _, err = run(
            "init", tmp_path / "data.parquet", "-o", tmp_path / "c.yaml", "--overwrite"
        )
        assert (status, err) == (0, "")
        return yaml.safe_load((tmp_path / "c.yaml").read_text(encoding="utf-8"))

    return call


def trains(run, tmp_path):
    """Train on the config that `init` wrote."""
    output = f"output={tmp_path / 'run'}"
    status, _, err = run("train", tmp_path / "c.yaml", "--set", "report=false", "--set", output)
    return (status, err) == (0, "")


def test_init_names_coordinates_safely(init, run, tmp_path):
    data = table()
    for name in (
        "user name_id",
        "userId",
        "Łódź/ø_id",
        "øØ_id",
        "_id",
        "x" * 80 + "_id",
        "a\nb_id",
    ):
        data = data.append_column(name, data["user_id"])
    coordinates = init(data)["coordinates"]
    assert len(coordinates) == 1 + 9
    assert {name: value.get("entity") for name, value in coordinates.items()} == {
        "global": None,
        "per-user": "user_id",
        "per-item": "item_id",
        "per-user-name": "user name_id",
        "per-user-2": "userId",
        "per-d": "Łódź/ø_id",
        "entity-6": "øØ_id",
        "entity-7": "_id",
        "per-" + "x" * 50: "x" * 80 + "_id",
        "per-a-b": "a\nb_id",
    }
    assert trains(run, tmp_path)


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([0, 1], "logistic"),
        ([False, True], "logistic"),
        ([0.0, 1.0], "logistic"),
        ([0, 1, 2], "linear"),
        ([0.5, 1.0], "linear"),
        ([-1, 1], "logistic"),
        ([-1, 0, 1], "linear"),
    ],
)
def test_init_takes_the_task_from_the_labels(init, run, tmp_path, labels, task):
    data = table()
    column = pa.array([labels[row % len(labels)] for row in range(data.num_rows)])
    data = data.set_column(data.schema.get_field_index("click"), "click", column)
    assert init(data)["task"] == task
    assert trains(run, tmp_path)


def test_init_lists_only_what_can_be_a_feature(init, run, tmp_path):
    data = table()
    rows = data.num_rows
    odd = {
        "blob": [b"x"] * rows,
        "seen": [datetime(2024, 1, 1)] * rows,
        "nested": [{"a": 1}] * rows,
        "ragged": [[1.0] * (row % 3) for row in range(rows)],
        "empty": pa.nulls(rows),
        "missing": np.where(np.arange(rows) == 7, np.nan, 1.0),
        "half_id": np.arange(rows) + 0.5,
        "label": ["yes"] * rows,
        "dense\n, [x]": [[1.0, float(row)] for row in range(rows)],
    }
    for name, values in odd.items():
        data = data.append_column(name, pa.array(values))
    values = init(data)
    assert values["label"] == "click"
    assert values["coordinates"]["global"]["features"] == [
        "age",
        "city",
        "tags",
        "label",
        "dense\n, [x]",
    ]
    assert list(values["coordinates"]) == ["global", "per-user", "per-item"]
    text = (tmp_path / "c.yaml").read_text(encoding="utf-8")
    assert "[blob, seen, nested, ragged, empty, missing, half_id]" in text
    assert trains(run, tmp_path)


def test_init_refuses_what_is_not_there_or_in_the_way(run, config, tmp_path):
    config()
    data, output = tmp_path / "train.parquet", tmp_path / "c.yaml"
    status, _, err = run("init", data, "--validation", tmp_path / "vlid.parquet", "-o", output)
    assert status == 2
    assert "did you mean 'valid.parquet'?" in err
    assert not output.exists()
    for place, problem in ((tmp_path, "is a folder"), (data, "is one of the input files")):
        status, _, err = run("init", data, "-o", place, "--overwrite")
        assert status == 2
        assert problem in err
    assert pq.read_table(data).num_rows == 600


def test_commands_to_copy_are_quoted(run, config, tmp_path):
    folder = tmp_path / "my runs; all"
    _, out, _ = run("train", config(output=str(folder)))
    commands = out.partition("Next\n")[2].splitlines()
    assert [shlex.split(line)[:3] for line in commands] == [
        ["gdmix", verb, str(folder / "model")] for verb in ("inspect", "evaluate", "predict")
    ]
    output = tmp_path / "a b.yaml"
    _, out, _ = run("init", tmp_path / "train.parquet", "-o", output)
    assert shlex.split(out.partition("Next\n")[2]) == ["gdmix", "train", str(output)]


def test_ctrl_c_says_how_to_go_on(run, process, config, tmp_path):
    path = config(sweeps=100_000, sweep_tolerance=0.0)
    child = process("train", path, "--set", "coordinates.global.l2=2")
    wait_for(tmp_path / "run" / "checkpoints" / "state.json", child)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    goes_on = f"gdmix train {path} --set coordinates.global.l2=2 --resume"
    assert err == f"stopped; `{goes_on}` goes on\n"
    assert run(*shlex.split(goes_on)[1:], "--set", "sweeps=1", "--quiet") == (0, "", "")


def test_ctrl_c_elsewhere_says_stopped(run, monkeypatch, config, tmp_path):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    path = config()
    # checkpoints of an earlier run are not those of one that has not begun
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    monkeypatch.setattr("gdmix.cli.training.train", interrupt)
    assert run("train", path, "--overwrite") == (130, "", "stopped\n")
    monkeypatch.setattr("gdmix.cli.using.open_source", interrupt)
    assert run("predict", "model", "data", "-o", "s.parquet") == (130, "", "stopped\n")


def wait_for(path, child):
    deadline = time.monotonic() + 120
    while not path.is_file() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path.is_file()


def test_no_table_before_an_error(run, config, tmp_path):
    for path in (config(train=str(tmp_path / "none.parquet")), config(label="clack")):
        status, out, _ = run("train", path)
        assert status == 2
        assert "coordinate" not in out
    _, out, _ = run("train", config())
    assert out.count("coefficients") == 1
    status, out, err = run("train", config())
    assert (status, out) == (2, "")
    assert "--overwrite" in err


def test_predict_keeps_what_is_there(run, config, tmp_path):
    assert run("train", config(), "--quiet")[0] == 0
    data, output = tmp_path / "valid.parquet", tmp_path / "s.parquet"
    output.write_text("precious", encoding="utf-8")
    status, _, err = run("predict", tmp_path / "run", data, "-o", output)
    assert status == 2
    assert "exists already; --overwrite replaces it" in err
    assert output.read_text(encoding="utf-8") == "precious"
    assert run("predict", tmp_path / "run", data, "-o", output, "--overwrite", "-q")[0] == 0
    assert pq.read_table(output).num_rows == 200


def test_predict_never_replaces_its_input_or_a_folder(run, config, tmp_path, monkeypatch):
    assert run("train", config(), "--quiet")[0] == 0
    data = tmp_path / "valid.parquet"
    before = data.read_bytes()
    (tmp_path / "link.parquet").symlink_to(data)
    (tmp_path / "folder.parquet").mkdir()
    monkeypatch.chdir(tmp_path)
    for output, problem in (
        ("valid.parquet", "is one of the input files"),
        ("link.parquet", "is one of the input files"),
        ("folder.parquet", "is a folder"),
    ):
        for flags in ([], ["--overwrite"]):
            status, _, err = run("predict", "run", data, "-o", output, *flags)
            assert status == 2
            assert problem in err
    assert data.read_bytes() == before


def test_evaluate_takes_threads(run, config, tmp_path):
    assert run("train", config(), "--quiet")[0] == 0
    found = [
        json.loads(
            run("evaluate", tmp_path / "run", tmp_path / "valid.parquet", "--json", *more)[1]
        )
        for more in ([], ["--threads", "1"])
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert run("evaluate", tmp_path / "run", tmp_path / "valid.parquet", "--threads", "0")[0] == 2
