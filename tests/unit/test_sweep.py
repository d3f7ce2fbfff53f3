"""A grid of options: its points, the choice among them, and that each is a run of its own."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import gdmix
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import TrainOptions
from gdmix.coordinates import Summary
from gdmix.data.dataset import Dataset
from gdmix.descent import Update
from gdmix.engines import local
from gdmix.errors import ConfigError
from gdmix.grid import label_of, numeric_options, points_of
from gdmix.selection import best_of, best_update
from gdmix.workflow import train
from tests.made_up import table, write

GRID = {"global.l2": [1, 100, 10], "user.l2": [0.1, 30]}


def model(**options):
    tight = {"tolerance": 1e-12}
    coordinates = {
        "global": FixedEffect(features=["age", "city"], **tight),
        "user": RandomEffect("user_id", features=["tags"], **tight),
    }
    return MixedModel(**({"label": "click", "coordinates": coordinates, "sweeps": 2} | options))


def test_points_fall_from_the_largest():
    points = points_of(GRID)
    assert [tuple(point.values()) for point in points] == [
        (100, 30),
        (100, 0.1),
        (10, 30),
        (10, 0.1),
        (1, 30),
        (1, 0.1),
    ]
    assert label_of(points[1]) == "global.l2=100, user.l2=0.1"
    assert points_of({}) == [{}]


def test_what_may_vary():
    fixed, random = set(numeric_options(FixedEffect)), set(numeric_options(RandomEffect))
    common = {"l1", "l2", "elastic_net.weight", "elastic_net.alpha", "prior_weight", "tolerance"}
    assert common <= fixed
    assert common | {"intercept_bound"} <= random
    assert not {"features", "intercept", "bounds.lower", "optimizer", "variance"} & fixed


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"globl.l2": [1]}, "grid: globl.l2: no coordinate 'globl'; did you mean 'global'?"),
        ({"global.l22": [1]}, "no numeric option 'l22'; did you mean 'l2'?"),
        ({"global.intercept": [1]}, "no numeric option 'intercept'"),
        ({"global": [1]}, "no numeric option ''"),
        ({"global.l2": []}, "global.l2: no values"),
        ({"global.l2": [1, 2, 1.0]}, "a value is there twice"),
        ({"global.l2": [1, -1]}, "coordinates.global.l2: found -1.0; expected"),
        ({"global.max_iterations": [1.5]}, "coordinates.global.max_iterations"),
        ({"global.l2": [math.nan]}, "found nan; expected a finite number"),
        ({"global.l2": ["x"]}, "expected a number"),
        ({"global.l2": [1], "global.elastic_net.weight": [1]}, "takes the place of l2"),
    ],
)
def test_wrong_grids_are_refused(grid, words):
    with pytest.raises(ConfigError) as caught:
        model(grid=grid)
    assert words in str(caught.value)


def test_a_choice_needs_validation_data():
    for options in ({"grid": GRID}, {"keep_best": True}):
        with pytest.raises(ConfigError, match="no validation data to choose a model by"):
            model(**options).fit(table())


@pytest.mark.parametrize("sweeps", [1, 3])
def test_every_point_is_a_run_of_its_own(sweeps):
    grid = {**GRID, "user.elastic_net.weight": [3.0], "user.elastic_net.alpha": [0.2]}
    del grid["user.l2"]
    data, held_out = table(400), table(200, seed=1)
    swept = model(grid=grid, sweeps=sweeps, sweep_tolerance=0.0).fit(data, held_out)
    assert len(swept.grid_) == 3
    for line in swept.grid_:
        alone = model(sweeps=sweeps, sweep_tolerance=0.0)
        user = {"elastic_net": {"weight": 3.0, "alpha": 0.2}}
        alone = alone.set_params(
            coordinates={
                "global": {"features": ["age", "city"], "tolerance": 1e-12}
                | {"l2": line["options"]["global.l2"]},
                "user": {"entity": "user_id", "features": ["tags"], "tolerance": 1e-12} | user,
            }
        ).fit(data, held_out)
        assert line["objective"] == pytest.approx(alone.history_[-1]["objective"], rel=1e-9)
        assert line["metrics"] == pytest.approx(alone.evaluate(held_out), abs=1e-7)
        if line == swept.best_:
            expected = alone.predict(held_out)["score"].to_numpy()
            found = swept.predict(held_out)["score"].to_numpy()
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_as_scikit_learn_would_choose():
    grid = {"global.l2": [0.01, 1, 20, 300]}
    coordinates = {"global": FixedEffect(features=["age", "city"], tolerance=1e-10)}
    data, held_out = table(300), table(200, seed=1)

    def dense(rows):
        cities = np.asarray(rows["city"])[:, None] == np.unique(np.asarray(data["city"]))
        return np.column_stack([np.asarray(rows["age"]), cities])

    losses = {}
    for l2 in grid["global.l2"]:
        other = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10_000)
        other.fit(dense(data), np.asarray(data["click"]))
        chance = other.predict_proba(dense(held_out))[:, 1]
        losses[l2] = log_loss(np.asarray(held_out["click"]), chance)
    swept = model(coordinates=coordinates, grid=grid, metrics=["logistic_loss"])
    swept.fit(data, held_out)
    for line in swept.grid_:
        expected = losses[line["options"]["global.l2"]]
        assert line["metrics"]["logistic_loss"] == pytest.approx(expected, abs=1e-6)
    assert swept.best_["options"]["global.l2"] == min(losses, key=losses.get)


def test_later_points_begin_near_their_end():
    grid = {"global.l2": [1.0, 1.0 + 1e-5, 1.0 + 2e-5]}
    seen = []
    data = table(2000)
    model(grid=grid, sweeps=1).fit(
        data, data, observers=[lambda update, state: seen.append(update)]
    )
    iterations = [one.summary.iterations for one in seen if one.coordinate == "global"]
    assert iterations[1] < iterations[0]
    assert iterations[2] < iterations[0]


def test_rows_are_grouped_once(monkeypatch):
    calls = []
    group = local.group

    def counted(rows, *rest, **options):
        calls.append(rows)
        return group(rows, *rest, **options)

    monkeypatch.setattr(local, "group", counted)
    model(grid=GRID).fit(table(), table(seed=1))
    assert len(calls) == 1
    assert isinstance(calls[0], Dataset)


@pytest.mark.parametrize("metric", ["auc", "logistic_loss", "rmse"])
def test_the_first_metric_chooses_in_its_direction(metric):
    task = "linear" if metric == "rmse" else "logistic"
    swept = model(grid=GRID, metrics=[metric], task=task).fit(table(), table(seed=1))
    values = [line["metrics"][metric] for line in swept.grid_]
    assert len(set(values)) > 1
    best = max(values) if metric == "auc" else min(values)
    assert swept.best_["metrics"][metric] == best
    assert swept.evaluate(table(seed=1))[metric] == pytest.approx(best, abs=1e-12)
    assert swept.options_.grid == {}
    options = swept.best_["options"]
    assert swept.options_.coordinates["global"].l2 == options["global.l2"]


def test_the_first_of_equals_and_what_is_no_number():
    assert best_of([1.0, 3.0, 3.0], "auc") == 1
    assert best_of([1.0, 3.0, 1.0], "rmse") == 0
    assert best_of([math.nan, 3.0, math.inf], "rmse") == 1
    assert best_of([math.nan], "rmse") is None


def test_one_class_of_labels_chooses_the_first(tmp_path):
    held_out = table(50).set_column(7, "click", pa.array([1] * 50))
    swept = model(grid=GRID, metrics=["auc"]).fit(table(), held_out)
    assert swept.best_["number"] == 1
    assert math.isnan(swept.best_["metrics"]["auc"])


def updates(*values):
    summary = Summary(1, 1, {}, 1.0, 0.0)
    return [Update(1, "a", 1, 0.0, 0.0, 0.0, summary, {"auc": value}) for value in values]


def test_the_best_update_is_of_a_whole_model():
    assert best_update(updates(0.9, 0.5, 0.7, 0.6), 2, "auc") == 3
    assert best_update(updates(0.9), 2, "auc") is None
    assert best_update(updates(0.9, math.nan), 2, "auc") is None


def test_keep_best_keeps_that_model():
    options = {"sweeps": 6, "sweep_tolerance": 0.0, "metrics": ["logistic_loss"]}
    coordinates = {
        "global": FixedEffect(features=["age", "city"]),
        "user": RandomEffect("user_id", features=["tags"], l2=0.01),
        "item": RandomEffect("item_id", features=["age"], l2=0.01),
    }
    data, held_out = table(300), table(300, seed=1)
    kept = model(coordinates=coordinates, keep_best=True, **options).fit(data, held_out)
    losses = [update["metrics"]["logistic_loss"] for update in kept.history_]
    best = min(losses[2:])
    assert best < losses[-1]
    assert kept.best_["kept"] == 3 + losses[2:].index(best)
    assert kept.evaluate(held_out)["logistic_loss"] == pytest.approx(best, abs=1e-12)
    last = model(coordinates=coordinates, **options).fit(data, held_out)
    assert last.evaluate(held_out)["logistic_loss"] == pytest.approx(losses[-1], abs=1e-12)


@pytest.mark.parametrize("mode", ["none", "best", "explicit", "all"])
def test_output_modes_leave_what_they_promise(mode, tmp_path):
    values = write(tmp_path, 300)
    grid = {"global.l2": [1, 50], "per-user.l2": [0.5, 5]}
    changed = values | {"grid": grid, "output_mode": mode, "report": False}
    run = train(TrainOptions.parse(changed))
    found = {path.name for path in run.path.iterdir()}
    expected = {"config.yaml", "log.jsonl", "metrics.json"}
    if mode != "none":
        expected |= {"model", "scores"}
    if mode in ("explicit", "all"):
        expected |= {"models"}
    assert found == expected
    record = json.loads((run.path / "metrics.json").read_text())
    assert [line["number"] for line in record["points"]] == [1, 2, 3, 4]
    values = [line["metrics"]["auc"] for line in record["points"]]
    chosen = record["chosen"]["point"]
    assert values[chosen - 1] == max(values) == record["final"]["auc"]
    assert record["chosen"]["why"] == "largest auc of 4 points"
    if mode in ("explicit", "all"):
        assert sorted(path.name for path in (run.path / "models").iterdir()) == list("1234")
        for line in record["points"]:
            one = gdmix.load(run.path / "models" / str(line["number"]))
            assert one.evaluate(str(tmp_path / "valid.parquet")) == pytest.approx(line["metrics"])
            assert one.options.coordinates["per-user"].l2 == line["options"]["per-user.l2"]
    if mode != "none":
        best = gdmix.load(run.path / "model")
        assert best.evaluate(str(tmp_path / "valid.parquet")) == pytest.approx(record["final"])


def test_a_run_without_a_grid_has_one_point(tmp_path):
    run = train(TrainOptions.parse(write(tmp_path, 200) | {"report": False}))
    record = json.loads((run.path / "metrics.json").read_text())
    assert record["chosen"] == {"metric": "auc", "point": 1, "update": 3, "why": "the only point"}
