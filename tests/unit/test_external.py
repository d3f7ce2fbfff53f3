"""Scores of a model outside as the fixed effect."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize

from gdmix import ExternalEffect, MixedModel, RandomEffect, load
from gdmix.errors import ConfigError, DataError

RNG = np.random.default_rng(3)
ROWS = {
    "y": RNG.integers(0, 2, 200).astype(float),
    "u": np.arange(200) % 11,
    "x": RNG.normal(size=200),
    "s": RNG.normal(size=200),
    "w": RNG.random(200),
}
USER = RandomEffect("u", features=["x"])


def fitted(**coordinates):
    return MixedModel(label="y", weight="w", coordinates=coordinates, sweeps=3).fit(ROWS)


def test_given_scores_are_an_offset():
    given = fitted(deep=ExternalEffect("s"), user=USER)
    plain = MixedModel(label="y", weight="w", offset="s", coordinates={"user": USER}, sweeps=3).fit(
        ROWS
    )
    np.testing.assert_allclose(
        given.model_.parts["user"].table.coefficients,
        plain.model_.parts["user"].table.coefficients,
        atol=1e-7,
    )
    scores = given.predict(ROWS)
    np.testing.assert_array_equal(scores["score_deep"].to_numpy(), ROWS["s"])
    np.testing.assert_allclose(scores["score"], plain.predict(ROWS)["score"], atol=1e-7)
    objectives = [update["objective"] for update in given.history_]
    assert objectives == sorted(objectives, reverse=True)


def test_a_scale_that_is_given():
    scores = fitted(deep=ExternalEffect("s", scale=-0.5), user=USER).predict(ROWS)
    np.testing.assert_allclose(scores["score_deep"], -0.5 * ROWS["s"])


@pytest.mark.parametrize("intercept", [False, True])
def test_a_scale_that_is_learnt_is_scipys(intercept):
    model = fitted(deep=ExternalEffect("s", learn_scale=True, intercept=intercept))
    found = model.model_.parts["deep"].coefficients

    def loss(b):
        margin = b[-1] * ROWS["s"] + (b[0] if intercept else 0.0)
        return float(ROWS["w"] @ (np.logaddexp(0.0, margin) - ROWS["y"] * margin))

    best = minimize(loss, np.zeros(1 + intercept), tol=1e-12)
    np.testing.assert_allclose(found, best.x, atol=1e-5)


def test_no_score_is_a_score_of_zero(tmp_path):
    scores = pa.array(ROWS["s"], mask=np.arange(200) % 5 == 0)
    rows = pa.table(ROWS).set_column(3, "s", scores)
    model = MixedModel(label="y", coordinates={"deep": ExternalEffect("s"), "u": USER}).fit(rows)
    found = model.predict(rows)["score_deep"].to_numpy()
    assert (found[::5] == 0.0).all()
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again.options_.coordinates["deep"], ExternalEffect)
    assert again.predict(rows).equals(model.predict(rows))


def test_scores_that_are_not_finite():
    rows = ROWS | {"s": np.where(np.arange(200) == 7, np.nan, ROWS["s"])}
    with pytest.raises(DataError, match=r"row 8, column 's': found nan; expected a finite number"):
        MixedModel(label="y", coordinates={"deep": ExternalEffect("s")}).fit(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "s", "features": ["x"]}, "features: an external effect has none but its score"),
        ({"score": "s", "scale": 2.0, "learn_scale": True}, "scale: found beside `learn_scale"),
        ({"score": "s", "l1": 1.0}, "l1: nothing is learnt; set `learn_scale: true`"),
        ({"score": "s", "intercept": True}, "intercept: nothing is learnt"),
        ({"score": "s", "entity": "u"}, "score: unknown option"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ConfigError, match=message):
        MixedModel(label="y", coordinates={"deep": options})


def test_a_model_begins_from_one_with_given_scores():
    first = fitted(deep=ExternalEffect("s"), user=USER)
    again = MixedModel(
        label="y",
        weight="w",
        coordinates={"deep": ExternalEffect("s"), "user": USER},
        locked=["deep"],
    )
    assert again.fit(ROWS, initial=first).predict(ROWS)["score_deep"].to_numpy() == pytest.approx(
        ROWS["s"]
    )
