"""Small coefficients become zero, and all that is told is of what is left."""

import numpy as np
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.coordinates import Setting
from gdmix.coordinates.sparsity import drop_small
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.engines.local import LocalEngine
from gdmix.glm.normalization import Normalization
from gdmix.glm.penalties import Penalty
from tests.made_up import table

FEATURES = ["age", "city", "tags"]


def model(threshold, intercept=True, **options):
    shared = {"intercept": intercept, "tolerance": 1e-12, "sparsity_threshold": threshold}
    coordinates = {
        "global": FixedEffect(features=FEATURES, **shared),
        "user": RandomEffect("user_id", features=FEATURES, **shared),
    }
    return MixedModel(label="click", coordinates=coordinates, sweeps=2, **options)


def test_bounds_and_intercepts_are_left_alone():
    penalty = Penalty.ridge(np.ones(6))
    penalty.lower[3], penalty.upper[4] = 0.05, -0.05
    coefficients = np.array([0.01, 0.2, -0.1, 0.05, -0.05, 0.1])
    assert drop_small(coefficients, 0.1, penalty, np.array([0]))
    assert coefficients.tolist() == [0.01, 0.2, 0.0, 0.05, -0.05, 0.0]
    assert not drop_small(coefficients, 0.01, penalty, np.array([0]))


@pytest.mark.parametrize("intercept", [True, False])
def test_no_small_coefficient_is_left(intercept):
    data, threshold = table(300), 0.2
    fitted, plain = model(threshold, intercept).fit(data), model(0.0, intercept).fit(data)
    for name in ("global", "user"):
        part = fitted.model_.parts[name]
        if name == "global":
            features = part.coefficients[part.intercept :]
            assert (features == 0.0).any()
            features = features[features != 0.0]
        else:
            features = part.split()[1]
            kept, every = len(features), len(plain.model_.parts[name].split()[1])
            assert 0 < kept < every
            assert part.table.samples.sum() == data.num_rows
        assert (np.abs(features) > threshold).all()
    found, before = (m.predict(data)["score"].to_numpy() for m in (fitted, plain))
    assert np.abs(found - before).max() > 1e-3


def test_the_objective_is_that_of_the_model_as_it_is_saved():
    data = table(300)
    fitted = model(0.2).fit(data)
    found = fitted.predict(data)
    score, label = found["score"].to_numpy(), data["click"].to_numpy()
    loss = np.logaddexp(0.0, np.where(label == 1, -score, score)).sum()
    coefficients = fitted.model_.parts["global"].coefficients
    penalty = 0.5 * (coefficients[1:] ** 2).sum()
    penalty += 0.5 * (fitted.model_.parts["user"].table.coefficients ** 2).sum()
    assert fitted.history_[-1]["objective"] == pytest.approx(loss + penalty, rel=1e-12)


def test_variances_stay_beside_their_coefficients():
    data = table(300)
    tables = {}
    for threshold in (0.0, 0.2):
        coordinate = RandomEffect(
            "user_id", features=FEATURES, variance="simple", sparsity_threshold=threshold
        )
        fitted = MixedModel(label="click", coordinates={"user": coordinate}).fit(data)
        tables[threshold] = fitted.model_.parts["user"].table
    every, kept = tables[0.0], tables[0.2]
    intercepts = every.feature_ptr[:-1] + np.arange(len(every.ids))
    stays = np.abs(every.coefficients) > 0.2
    stays[intercepts] = True
    assert kept.coefficients == pytest.approx(every.coefficients[stays], abs=1e-12)
    assert kept.variances == pytest.approx(every.variances[stays], abs=1e-12)
    assert len(kept.variances) == len(kept.coefficients) < len(every.coefficients)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("l1", [0.0, 0.5])
@pytest.mark.parametrize("normalized", [True, False])
def test_penalties_are_those_of_the_solver(intercept, l1, normalized, monkeypatch):
    coordinate = RandomEffect(
        "user_id",
        features=FEATURES,
        l1=l1,
        intercept=intercept,
        tolerance=1e-11,
        sparsity_threshold=1e-3,
    )
    options = MixedModel(label="click", coordinates={"user": coordinate}).options
    rows, indexes = read(FrameSource(table(300)), options.layout())
    rng = np.random.default_rng(0)
    width = len(indexes["user"])
    shift = rng.normal(size=width) if intercept else np.zeros(width)
    normalization = Normalization(rng.uniform(0.5, 2.0, width), shift) if normalized else None
    setting = Setting("user", options.kind.loss, normalization=normalization)
    # nothing is dropped, yet the penalties are computed anew
    monkeypatch.setattr("gdmix.coordinates.entities.drop_small", lambda *_: True)
    anew = coordinate.fit(LocalEngine(1), rows, setting, rows.offset)
    monkeypatch.undo()
    plain = coordinate.model_copy(update={"sparsity_threshold": 0.0})
    expected = plain.fit(LocalEngine(1), rows, setting, rows.offset)
    found, solver = (fit.part.table.outcome.penalty for fit in (anew, expected))
    assert found == pytest.approx(solver, rel=1e-9)
