import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.glm.normalization import Normalization
from gdmix.glm.penalties import Penalty

NORM = Normalization(np.array([2.0, 0.25, 1e-3]), np.array([1.0, -3.0, 0.5]))


def _penalty(size, seed=0):
    draw = np.random.default_rng(seed).uniform(0.1, 3.0, (5, size))
    return Penalty(draw[0], draw[1], draw[2], -draw[3], draw[4])


@pytest.mark.parametrize("intercept", [0, 1])
def test_a_folded_penalty_has_the_value_of_the_normalized_one(intercept):
    norm = NORM if intercept else NORM._replace(shift=np.zeros(3))
    penalty = _penalty(intercept + 3)
    c = np.array([0.5, -1.0, 2.0, 0.7])[: intercept + 3]
    raw = norm._replace(shift=np.zeros(3)).coefficients(c, intercept)
    folded = norm.fold(penalty, intercept)
    assert folded.value(raw) == pytest.approx(penalty.value(c), rel=1e-13)
    assert folded.lower is penalty.lower
    assert folded.upper is penalty.upper


@pytest.mark.parametrize("intercept", [0, 1])
def test_unfolding_undoes_folding_and_converts_the_box(intercept):
    penalty = _penalty(intercept + 3)
    back = NORM.unfold(NORM.fold(penalty, intercept), intercept)
    for name in ("precision", "mean", "l1"):
        np.testing.assert_allclose(getattr(back, name), getattr(penalty, name), rtol=1e-14)
    scale = np.concatenate([np.ones(intercept), NORM.factor])
    np.testing.assert_allclose(back.lower * scale, penalty.lower, rtol=1e-14)
    np.testing.assert_allclose(back.upper * scale, penalty.upper, rtol=1e-14)


@pytest.mark.parametrize("intercept", [0, 1])
def test_normalized_coefficients_score_normalized_features(intercept):
    rng = np.random.default_rng(0)
    norm = NORM if intercept else NORM._replace(shift=np.zeros(3))
    x, c = rng.normal(size=(5, 3)), rng.normal(size=intercept + 3)
    raw = norm.coefficients(c, intercept)
    scored = (x - norm.shift) * norm.factor @ c[intercept:] + c[:intercept].sum()
    np.testing.assert_allclose(x @ raw[intercept:] + raw[:intercept].sum(), scored, rtol=1e-12)
    np.testing.assert_allclose(norm.normalized(raw, intercept), c, rtol=1e-12)


def test_a_bound_on_an_intercept_holds_for_it_as_it_is_saved():
    """One entity with all rows is a fixed effect."""
    rng = np.random.default_rng(4)
    x = 3.0 + rng.normal(size=200)
    rows = pa.table(
        {
            "id": np.zeros(200, np.int64),
            "x": x,
            "click": (rng.random(200) < 1 / (1 + np.exp(2.0 - x))).astype(np.int64),
        }
    )
    options = {
        "features": ["x"],
        "normalization": "standardization",
        "penalize_intercept": True,
        "bounds": [{"name": "(INTERCEPT)", "lower": -0.5}],
        "tolerance": 1e-10,
    }
    fixed = MixedModel(label="click", coordinates={"all": FixedEffect(**options)}).fit(rows)
    effect = RandomEffect("id", **options)
    random = MixedModel(label="click", coordinates={"all": effect}).fit(rows)
    expected = fixed.model_.parts["all"].coefficients
    assert expected[0] == -0.5
    assert random.model_.parts["all"].table.coefficients == pytest.approx(expected, rel=1e-7)
