"""Models and checkpoints on disk."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.descent import descend
from gdmix.engines.local import LocalEngine
from gdmix.errors import RunError
from gdmix.planning import make_plan
from gdmix.store import aside, parts
from gdmix.store.checkpoint import Checkpoints, identity
from tests.made_up import table


@pytest.fixture
def fitted():
    coordinates = {
        "global": FixedEffect(features=["age", "tags"]),
        "bare": FixedEffect(features=["city"], intercept=False),
        "per-user": RandomEffect("user_id", features=["tags"]),
        "per-item": RandomEffect("item_id", features=["age", "city"], intercept=False),
        "mean": RandomEffect("user_id"),
    }
    return MixedModel(label="click", coordinates=coordinates).fit(table(200))


def test_parts_round_trip(fitted, tmp_path, monkeypatch):
    # several files, the last one short
    monkeypatch.setattr(parts, "_ENTITIES_PER_FILE", 7)
    fitted.save(tmp_path / "model")
    loaded = MixedModel.load(tmp_path / "model")
    assert len(list((tmp_path / "model" / "per-user" / "coefficients").iterdir())) == 4
    for name, part in fitted.model_.parts.items():
        other = loaded.model_.parts[name]
        assert other.shard == part.shard
        assert other.intercept == part.intercept
        if not hasattr(part, "table"):
            assert np.array_equal(other.coefficients, part.coefficients)
            continue
        assert other.table.ids.equals(part.table.ids)
        for column in ("samples", "feature_ptr", "features", "coefficients"):
            assert np.array_equal(getattr(other.table, column), getattr(part.table, column))
        for mine, theirs in zip(part.table.outcome, other.table.outcome, strict=True):
            assert np.array_equal(mine, theirs)


def test_files_say_what_they_hold(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    fixed = pq.read_table(tmp_path / "model" / "global" / "coefficients").to_pydict()
    assert fixed["name"][:2] == ["(INTERCEPT)", "age"]
    assert fixed["term"][2:] == ["action", "comedy", "drama", "noir"]
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["coordinates"]["mean"] == {"kind": "random", "shard": "mean", "intercept": True}
    assert not list(tmp_path.rglob("*.pkl"))


def test_replacing_keeps_the_old_when_the_body_fails(tmp_path):
    target = tmp_path / "file"
    aside.write_text(target, "old")

    def fail_in_the_middle():
        with aside.replacing(target) as path:
            path.write_text("new but half")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail_in_the_middle()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_else_is_replaced(fitted, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("work")
    with pytest.raises(RunError, match="holds other things"):
        fitted.save(tmp_path / "src")
    with pytest.raises(RunError, match="is a file"):
        fitted.save(tmp_path / "src" / "a.py")
    with pytest.raises(RunError, match="is a folder"):
        aside.write_text(tmp_path / "src", "text")
    assert (tmp_path / "src" / "a.py").read_text() == "work"
    fitted.save(tmp_path / "src" / ".." / "model")
    assert (tmp_path / "model" / "manifest.json").is_file()


def test_output_that_cannot_be_written(fitted):
    with pytest.raises(RunError, match=r"/proc/model: cannot be written"):
        fitted.save("/proc/model")
    with pytest.raises(RunError, match=r"/proc/a/b/model: cannot be written"):
        fitted.save("/proc/a/b/model")
    with pytest.raises(RunError, match=r"/dev/full/model: cannot be written"):
        fitted.save("/dev/full/model")


def test_checkpoints_resume_and_refuse(tmp_path):
    def options(**changes):
        coordinates = {
            "global": FixedEffect(features=["age"]),
            "user": RandomEffect("user_id", **changes),
        }
        return MixedModel(label="click", coordinates=coordinates, sweeps=2).options

    def start(made, rows):
        data, indexes = read(open_source(rows), made.layout())
        mark = identity(LocalEngine(1), made, indexes, data, None)
        checkpoints = Checkpoints(tmp_path / "run" / "checkpoints", made, indexes, mark)
        return data, checkpoints, make_plan(made, indexes)

    made = options()
    data, checkpoints, plan = start(made, table(100))
    assert checkpoints.load().history == []
    state = descend(LocalEngine(1), plan, data, observers=[checkpoints.save])

    _, again, _ = start(made, table(100))
    loaded = again.load()
    assert loaded.history == state.history
    assert np.array_equal(loaded.parts["global"].coefficients, state.parts["global"].coefficients)
    # only the latest part of each coordinate is kept
    folders = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert folders == ["00003-global", "00004-user", "state.json"]

    renamed = table(100).to_pydict()
    renamed["user_id"] = [user + 1000 for user in renamed["user_id"]]
    others = [(options(l2=2.0), table(100)), (made, table(100, seed=3)), (made, renamed)]
    for changed, rows in others:
        with pytest.raises(RunError, match="was started with other data or options"):
            start(changed, rows)[1].load()
    # more sweeps may be added
    more = made.model_copy(update={"sweeps": 5})
    assert len(start(more, table(100))[1].load().history) == 4


@pytest.mark.parametrize("name", ["global", "user"])
def test_uids_that_choose_rows_are_part_of_a_run(name):
    capped = RandomEffect("user_id", active_upper_bound=2)
    sampled = {"global": FixedEffect(features=["age"], down_sampling=0.5), "user": capped}
    rows = table(100)
    shifted = rows.set_column(0, "uid", pa.array([uid + 1000 for uid in rows["uid"].to_pylist()]))
    assert rows.schema.names[0] == "uid"

    def mark(coordinate, data):
        made = MixedModel(label="click", uid="uid", coordinates={name: coordinate}).options
        read_rows, indexes = read(open_source(data), made.layout())
        return identity(LocalEngine(1), made, indexes, read_rows, None)

    assert mark(sampled[name], rows) == mark(sampled[name], rows)
    assert mark(sampled[name], rows) != mark(sampled[name], shifted)
    # elsewhere uids are but names
    assert mark(FixedEffect(), rows) == mark(FixedEffect(), shifted)
