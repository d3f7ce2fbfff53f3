"""Block coordinate descent: order, stopping, reporting."""

import json
import math

import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.cli.progress import warnings
from gdmix.coordinates import Summary
from gdmix.descent import Update, _settled
from gdmix.glm.status import Status
from gdmix.history import as_plain, from_plain
from gdmix.plainjson import dumps
from tests.made_up import table


def fit(**options):
    coordinates = {
        "global": FixedEffect(features=["age"]),
        "user": RandomEffect("user_id", features=["tags"]),
    }
    return MixedModel(**({"label": "click", "coordinates": coordinates} | options))


def test_stops_when_a_sweep_changes_little():
    few = fit(sweeps=500, sweep_tolerance=1e-3).fit(table())
    many = fit(sweeps=500, sweep_tolerance=1e-9).fit(table())
    assert 4 <= len(few.history_) < len(many.history_) < 1000
    # whole sweeps only
    assert len(few.history_) % 2 == 0


def test_a_rise_is_no_convergence():
    """Where coordinates train on samples, the objective of all rows may rise for a while."""
    summary = Summary(1, 1, {Status.CONVERGED: 1}, 1.0, 0.0, passive=3)

    def settled(*objectives):
        history = [Update(1, "a", 9, 0.0, value, 0.0, summary) for value in objectives]
        return _settled(history, 1, 1e-3)

    assert not settled(100.0, 101.0)
    assert not settled(101.0, 100.0)
    assert settled(100.0, 100.05)
    assert settled(100.05, 100.0)
    assert not settled(100.0)


def test_observers_see_every_update():
    seen = []
    fitted = fit(sweeps=2, sweep_tolerance=0.0).fit(
        table(), table(seed=1), observers=[lambda update, state: seen.append(update)]
    )
    assert [(update.sweep, update.coordinate) for update in seen] == [
        (1, "global"),
        (1, "user"),
        (2, "global"),
        (2, "user"),
    ]
    assert [as_plain(update) for update in seen] == fitted.history_
    assert set(seen[0].metrics) == {"auc", "logistic_loss"}


def test_history_survives_json():
    summary = Summary(3, 9, {Status.CONVERGED: 2, Status.BOUNDED: 1}, 4.5, 1e-9, passive=7)
    update = Update(1, "user", 10, 0.25, 12.5, 0.5, summary, {"auc": 0.5})
    assert from_plain(json.loads(dumps(as_plain(update)))) == update
    unknown = as_plain(update) | {"metrics": {"auc": math.nan}}
    assert json.loads(dumps(unknown))["metrics"] == {"auc": None}
    assert math.isnan(from_plain(json.loads(dumps(unknown))).metrics["auc"])


def test_what_stopped_early_is_named():
    options = {"max_iterations": 1, "tolerance": 1e-12}
    coordinates = {
        "global": FixedEffect(features=["age"], **options),
        "user": RandomEffect("user_id", features=["tags"], **options),
    }
    seen = []
    fit(coordinates=coordinates).fit(table(), observers=[lambda update, state: seen.append(update)])
    lines = warnings(seen)
    assert lines[0].startswith("global: the solver: stopped at max_iterations; raise it")
    assert "of 25 models: stopped at max_iterations" in lines[1]


def test_one_class_of_labels():
    """No optimum without a penalty: bounded and said so; with one, an optimum."""
    rows = table(60).to_pydict() | {"click": [1] * 60}
    free = {"user": RandomEffect("user_id", penalize_intercept=False, intercept_bound=6.0)}
    bounded = fit(coordinates=free).fit(rows)
    users = len(set(rows["user_id"]))
    assert bounded.history_[0]["status"] == {"bounded": users}
    assert bounded.model_.parts["user"].split()[0] == pytest.approx([6.0] * users)
    penalized = fit(coordinates={"user": RandomEffect("user_id")}).fit(rows)
    assert penalized.history_[0]["status"] == {"converged": users}


def test_linear_task():
    rows = table()
    model = fit(task="linear", label="age", coordinates={"city": FixedEffect(features=["city"])})
    scores = model.fit(rows, rows).predict(rows)
    assert scores["mean"].equals(scores["score"])
    assert set(model.history_[0]["metrics"]) == {"rmse", "mae"}
