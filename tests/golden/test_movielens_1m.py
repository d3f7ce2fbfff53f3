"""A million ratings: the conditional modes of a maximum-likelihood fit of users and movies."""

import gzip
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gdmix import MixedModel, RandomEffect


@pytest.mark.slow
def test_modes_equal_those_of_maximum_likelihood(shared_data):
    """At weight sigma^2 / sd^2 the penalized least squares are the conditional modes.

    The intercept is given as the offset, and is shown to be the best one: descent by turns moves
    it so little at a time, against the movies' own, that 200 sweeps leave it 0.05 away.
    """
    golden = json.loads((shared_data("mixed-models") / "fits" / "ml1m_ml_numpy.json").read_text())
    with gzip.open(shared_data("ml-1m") / "ratings_no_timestamp.dat.gz", "rb") as stream:
        text = stream.read().replace(b"::", b" ")
    user, movie, rating = np.array(text.split(), np.int64).reshape(-1, 3).T
    assert len(user) == golden["n"]
    intercept = np.full(len(user), golden["fixef"]["(Intercept)"])
    table = {"user": user, "movie": movie, "y": rating.astype(float), "intercept": intercept}
    deviation = {item["group"]: item["sdcor"] for item in golden["varcomp"]}
    model = MixedModel(
        task="linear",
        label="y",
        offset="intercept",
        coordinates={
            group: RandomEffect(group, l2=(golden["sigma"] / deviation[group]) ** 2)
            for group in golden["groups"]
        },
        sweeps=200,
        sweep_tolerance=1e-13,
    ).fit(table)

    for group, size in golden["groups"].items():
        part = model.model_.parts[group]
        expected = golden["conditional_modes"][group]
        order = np.argsort(np.array(expected["levels"], np.int64))
        assert len(part.table.ids) == size
        assert_array_equal(part.table.ids, np.array(expected["levels"], np.int64)[order])
        assert_allclose(part.split()[0], np.array(expected["(Intercept)"])[order], atol=1e-4)
    # the loss has no slope in the intercept
    residual = rating - model.predict(table)["score"].to_numpy()
    assert abs(residual.mean()) < 1e-6
