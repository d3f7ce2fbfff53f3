"""Kernels are compiled before a run is timed: those of its own options, and no others."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.coordinates import Bound
from gdmix.glm import groups
from gdmix.glm.constrained import solve_constrained_entities
from gdmix.glm.entity_variance import entity_variances
from gdmix.jit import cache_directory
from gdmix.warmup import Shape, compile_backwards, second_hand, warm_up

FIXED = FixedEffect(features=["age"])
PLAIN = RandomEffect("user", features=["age"])


def planned(monkeypatch, **coordinates):
    """Return the coordinates that are trained to warm up."""
    seen = []
    monkeypatch.setattr("gdmix.warmup.descend", lambda engine, plan, *rows: seen.append(plan))
    warm_up(ModelOptions(label="click", coordinates=coordinates))
    return list(seen[0].coordinates.values())


@pytest.mark.parametrize(
    "options",
    [
        {"l1": 0.5},
        {"variance": "full"},
        {"intercept": False},
        {"penalize_intercept": False},
    ],
)
def test_options_that_decide_on_kernels_are_kept(monkeypatch, options):
    asked = RandomEffect("user", features=["age"], max_iterations=1, **options)
    fixed, found = planned(monkeypatch, g=FIXED, u=asked)
    assert isinstance(fixed, FixedEffect)
    assert fixed.optimizer == "auto"
    for name, value in options.items():
        assert getattr(found, name) == value
    assert found.max_iterations == PLAIN.max_iterations
    assert found.entity == "id"


def test_an_elastic_net_is_passed_on_alone():
    """What was not asked for stays unasked: l1 and l2 are refused beside an elastic net."""
    net = FixedEffect(features=["age"], elastic_net={"weight": 1.0})
    options = ModelOptions(label="click", coordinates={"g": net})
    warm_up(options)
    with second_hand(options):
        pass


def test_the_optimizer_is_that_asked_for(monkeypatch):
    (found,) = planned(monkeypatch, g=FixedEffect(features=["age"], optimizer="tron"))
    assert found.optimizer == "tron"


def test_the_rows_tell_what_auto_stands_for_and_what_is_full(monkeypatch):
    shapes = {"g": Shape(1000, full=True)}
    seen = []
    monkeypatch.setattr("gdmix.warmup.descend", lambda engine, plan, *rows: seen.append(plan))
    warm_up(ModelOptions(label="click", coordinates={"g": FIXED}), shapes.__getitem__)
    (found,) = seen[0].coordinates.values()
    assert found.optimizer == "lbfgs"
    assert [feature.column for feature in found.features] == ["x"]


@pytest.mark.parametrize(
    "sampled",
    [
        {"g": FixedEffect(features=["age"], down_sampling=0.5)},
        {"u": RandomEffect("user", active_upper_bound=3)},
        {"u": RandomEffect("user", features_to_samples_ratio=0.5)},
    ],
)
def test_sampling_is_warmed_up_where_it_is_asked_for(monkeypatch, sampled):
    fixed, random = planned(monkeypatch, **({"g": FIXED, "u": PLAIN} | sampled))
    assert (fixed.down_sampling < 1.0) == ("g" in sampled)
    assert (random.active_upper_bound is not None) == ("u" in sampled)


def test_bounds_hold_for_a_column_that_is_there(monkeypatch):
    asked = RandomEffect("user", features=["age"], bounds=[Bound(name="age", lower=0.0)])
    (found,) = planned(monkeypatch, u=asked)
    assert found.bounds[0].name == "x"


def test_equal_coordinates_are_trained_once(monkeypatch):
    other = RandomEffect("item", features=["age", "city"])
    assert len(planned(monkeypatch, g=FIXED, u=PLAIN, i=other, more=RandomEffect("city"))) == 2


@pytest.mark.parametrize("options", [{}, {"l1": 0.1, "variance": "simple"}])
def test_nothing_is_left_to_compile_for_the_run(options):
    coordinates = {"g": FIXED, "u": PLAIN.model_copy(update=options)}
    warm_up(ModelOptions(label="click", coordinates=coordinates))
    before = sorted(cache_directory().rglob("*.nbc"))
    counts = [len(k.signatures) for k in (solve_constrained_entities, entity_variances)]
    rng = np.random.default_rng(0)
    frame = {
        "age": rng.normal(size=60),
        "user": np.arange(60) % 7,
        "click": rng.integers(0, 2, 60),
    }
    MixedModel(label="click", coordinates=coordinates, sweeps=2).fit(pa.table(frame))
    assert sorted(cache_directory().rglob("*.nbc")) == before
    assert [len(k.signatures) for k in (solve_constrained_entities, entity_variances)] == counts


def test_a_second_process_compiles_from_the_other_end(monkeypatch):
    class Helper:
        def __init__(self, command, **streams):
            calls.append(command)

        def kill(self):
            calls.append("kill")

        def wait(self):
            calls.append("wait")

    calls = []
    monkeypatch.setattr("gdmix.warmup.subprocess.Popen", Helper)
    monkeypatch.setattr("gdmix.warmup.available_threads", lambda: 2)
    monkeypatch.setattr("gdmix.warmup.is_compiled", lambda: True)
    options = ModelOptions(label="click", coordinates={"g": FIXED, "u": PLAIN})
    with second_hand(options):
        assert calls == []
    monkeypatch.setattr("gdmix.warmup.is_compiled", lambda: False)
    with second_hand(options):
        assert len(calls) == 1
    command, *ending = calls
    assert ending == ["kill", "wait"]
    # what it is told is what it reads
    seen = []
    monkeypatch.setattr("gdmix.warmup.descend", lambda engine, plan, *rows: seen.append(plan))
    monkeypatch.setattr(groups, "SOLVERS", groups.SOLVERS)
    compile_backwards(command[-1])
    assert [type(one) for one in seen[0].coordinates.values()] == [RandomEffect, FixedEffect]
    assert len(groups.SOLVERS) == 1


def test_the_last_solver_alone_solves_all(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pa.table(
        {"age": rng.normal(size=60), "user": np.arange(60) % 7, "click": rng.integers(0, 2, 60)}
    )
    options = {"label": "click", "coordinates": {"u": PLAIN}}
    both = MixedModel(**options).fit(frame).model_.parts["u"].table
    monkeypatch.setattr(groups, "SOLVERS", groups.SOLVERS[-1:])
    last = MixedModel(**options).fit(frame).model_.parts["u"].table
    np.testing.assert_allclose(last.coefficients, both.coefficients, atol=1e-8)
    assert (last.outcome.status == 0).all()
