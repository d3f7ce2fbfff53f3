"""What intercepts have in common moves, and nothing else changes."""

import numpy as np
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.descent import descend
from gdmix.engines.local import LocalEngine
from gdmix.levelling import level
from gdmix.planning import make_plan
from tests.made_up import table

NAMES = ["global", "user", "item"]


def descended(**user):
    options = ModelOptions(
        label="click",
        coordinates={
            "global": FixedEffect(features=["age"]),
            "user": RandomEffect("user_id", features=["tags"], **user),
            "item": RandomEffect("item_id", l2=0.3),
        },
    )
    rows, indexes = read(open_source(table(400)), options.layout())
    engine, plan = LocalEngine(1), make_plan(options, indexes)
    return engine, rows, plan, descend(engine, plan, rows).parts


def moved(engine, rows, plan, parts, sequence=NAMES):
    return level(engine, rows, sequence, plan.coordinates, plan.settings, parts)


def total(engine, rows, parts):
    return sum(part.score(engine, rows) for part in parts.values())


def test_scores_stay_and_penalties_fall():
    engine, rows, plan, parts = descended()
    found = moved(engine, rows, plan, parts)
    assert list(found) == ["user", "item", "global"]
    after = parts | {name: one.part for name, one in found.items()}
    np.testing.assert_allclose(total(engine, rows, after), total(engine, rows, parts), atol=1e-12)
    for name in ("user", "item"):
        assert after[name].split()[0].mean() == pytest.approx(0.0, abs=1e-12)
        was, now = (one[name].table.outcome.penalty.sum() for one in (parts, after))
        assert found[name].saved == pytest.approx(was - now, rel=1e-9)
        assert found[name].saved > 0.0
    penalty = 0.15 * (after["item"].split()[0] ** 2).sum()
    assert after["item"].table.outcome.penalty.sum() == pytest.approx(penalty, rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"penalize_intercept": False},
        {"intercept": False},
        {"l1": 0.1},
        {"active_lower_bound": 17},
        {"bounds": [{"name": "(INTERCEPT)", "lower": -1.0}]},
    ],
)
def test_intercepts_that_another_penalty_holds_stay(options):
    engine, rows, plan, parts = descended(**options)
    assert list(moved(engine, rows, plan, parts)) == ["item", "global"]


def test_without_a_free_intercept_nothing_moves():
    engine, rows, plan, parts = descended()
    tied = plan.coordinates["global"].model_copy(update={"penalize_intercept": True})
    coordinates = plan.coordinates | {"global": tied}
    assert level(engine, rows, NAMES, coordinates, plan.settings, parts) == {}


def test_descent_takes_a_tenth_of_the_sweeps():
    """Effects that shrink hardly at all: by turns alone this takes hundreds."""
    options = {
        "task": "linear",
        "label": "click",
        "coordinates": {
            "global": FixedEffect(features=["age"], tolerance=1e-12),
            "user": RandomEffect("user_id", l2=0.05, tolerance=1e-12),
        },
        "sweep_tolerance": 1e-15,
    }
    data = table(3000)
    few = MixedModel(**options, sweeps=40).fit(data)
    assert few.history_[-1]["sweep"] < 40
    x = np.column_stack([np.ones(3000), data["age"], np.eye(25)[data["user_id"].to_numpy()]])
    ridge = np.diag([0.0, 1.0, *[0.05] * 25])
    best = np.linalg.solve(x.T @ x + ridge, x.T @ data["click"].to_numpy())
    np.testing.assert_allclose(few.model_.parts["global"].coefficients, best[:2], atol=1e-8)
    objectives = [update["objective"] for update in few.history_]
    assert np.all(np.diff(objectives) <= 1e-12 * objectives[0])
