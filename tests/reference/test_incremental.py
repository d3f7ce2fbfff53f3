"""Training on a day's rows under yesterday's posterior, against training on all rows at once."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect

DAYS = 3


@pytest.fixture(scope="module")
def ratings(shared_data):
    """Return MovieLens-100K in the order of time, with genres."""
    folder = shared_data("ml-100k")
    users, movies, stars, seconds = np.loadtxt(folder / "u.data", dtype=np.int64).T
    flags = {}
    for line in (folder / "u.item").read_text(encoding="latin-1").splitlines():
        cells = line.split("|")
        flags[int(cells[0])] = [f"g{i}" for i, flag in enumerate(cells[5:]) if flag == "1"]
    order = np.argsort(seconds, kind="stable")
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "user": users[order],
            "movie": movies[order],
            "genres": [flags[movie] for movie in movies[order]],
            "stars": stars[order].astype(float),
            "liked": (stars[order] >= 4).astype(np.int64),
            "day": rng.integers(0, DAYS, len(order)),
            "weight": rng.uniform(0.5, 2.0, len(order)),
            "offset": rng.normal(size=len(order)),
        }
    )


def of_day(rows, day):
    return rows.filter(pa.array(rows["day"].to_numpy() == day))


@pytest.mark.parametrize("variance", ["simple", "full"])
def test_intercepts_under_squared_loss_are_exact(ratings, variance):
    """The posterior of a mean is Gaussian: day by day is all at once."""
    model = MixedModel(
        label="stars",
        task="linear",
        weight="weight",
        offset="offset",
        coordinates={"user": RandomEffect("user", l2=2.0, variance=variance, tolerance=1e-12)},
    )
    known = model.fit(of_day(ratings, 0))
    for day in range(1, DAYS):
        today = MixedModel(**{**model.get_params(), "incremental": True})
        known = today.fit(of_day(ratings, day), initial=known)
    found = known.model_.parts["user"].table
    whole = MixedModel(**model.get_params()).fit(ratings).model_.parts["user"].table
    assert found.ids.equals(whole.ids)
    np.testing.assert_allclose(found.coefficients, whole.coefficients, rtol=1e-10)
    np.testing.assert_allclose(found.variances, whole.variances, rtol=1e-10)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_orthogonal_features_under_squared_loss_are_exact(ratings, weight):
    """One movie a row and no intercept: the Hessian is a diagonal.

    A prior of weight w counts as w times the rows that it came from, its penalty included.
    """
    movies = [{"column": "movie", "kind": "categorical"}]
    options = {"features": movies, "intercept": False, "l2": 3.0, "tolerance": 1e-12}
    columns = {"label": "stars", "task": "linear", "weight": "weight"}
    fixed = FixedEffect(**options, prior_weight=weight)
    known = MixedModel(coordinates={"movie": fixed}, **columns).fit(of_day(ratings, 0))
    part, index = known.model_.parts["movie"], known.model_.index_of("movie")
    first, second = (totals(of_day(ratings, day), index) for day in (0, 1))
    np.testing.assert_allclose(part.coefficients, first[1] / (first[0] + 3.0), rtol=1e-9)
    part = replace(part, variances=1.0 / (first[0] + 3.0))
    known.model_ = replace(known.model_, parts={"movie": part})

    model = MixedModel(coordinates={"movie": fixed}, incremental=True, **columns)
    model.fit(of_day(ratings, 1), initial=known)
    found, index = model.model_.parts["movie"].coefficients, model.model_.index_of("movie")
    assert len(found) > len(part.coefficients)
    first, second = (totals(of_day(ratings, day), index) for day in (0, 1))
    old = first[0] > 0.0
    ridge = np.where(old, weight * (first[0] + 3.0), 3.0)
    expected = (second[1] + weight * first[1]) / (second[0] + ridge)
    expected[second[0] == 0.0] = (first[1] / (first[0] + 3.0))[second[0] == 0.0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def totals(rows, index):
    """Return the sums of weights, and of weighted stars, by movie."""
    movies = {movie: at for at, movie in enumerate(index.terms.to_pylist())}
    at = np.array([movies.get(str(movie), len(movies)) for movie in rows["movie"].to_pylist()])
    weight, stars = rows["weight"].to_numpy(), rows["stars"].to_numpy()
    return tuple(np.bincount(at, w, len(movies) + 1)[:-1] for w in (weight, weight * stars))


def test_close_to_training_on_all_rows(ratings):
    """On later ratings: nearly as good as all rows at once, far better than either part alone."""
    yesterday, today, later = (
        ratings.slice(*cut) for cut in ((0, 60000), (60000, 25000), (85000,))
    )
    both = pa.concat_tables([yesterday, today])

    def model(**options):
        coordinates = {
            "global": FixedEffect(features=["genres"]),
            "user": RandomEffect("user", features=["genres"], l2=2.0, variance="simple"),
            "movie": RandomEffect("movie", l2=2.0, variance="simple"),
        }
        return MixedModel(label="liked", coordinates=coordinates, sweeps=3, **options)

    def loss(fitted):
        return fitted.evaluate(later, "logistic_loss")["logistic_loss"]

    old, alone, whole = (model().fit(rows) for rows in (yesterday, today, both))
    new = model(incremental=True, locked="global").fit(today, initial=old)
    warm = model().fit(today, initial=old)
    best, found = loss(whole), loss(new)
    worse = {name: loss(one) - best for name, one in (("old", old), ("alone", alone))}
    assert found - best < 0.15 * min(worse.values())
    # a warm start alone forgets: today's rows decide wherever there are any
    assert loss(warm) - best > 0.5 * worse["alone"]
