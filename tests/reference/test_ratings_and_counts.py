"""Whole models of real ratings and counts, against solves in one piece."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.linear_model import PoissonRegressor

from gdmix import Feature, FixedEffect, MixedModel, RandomEffect


def one_hot(codes, count):
    rows = np.arange(len(codes))
    return sp.csr_matrix((np.ones(len(codes)), (rows, codes)), (len(codes), count))


def test_ratings_of_jokes_equal_a_ridge_in_one_piece(shared_data):
    """Jester: a global mean, one-hot jokes, a bias for each of 1,000 users."""
    ratings = pq.read_table(shared_data("jester-1") / "ratings.parquet")
    ratings = ratings.filter(pc.less_equal(ratings["user_id"], 1000))
    model = MixedModel(
        task="linear",
        label="rating",
        coordinates={
            "jokes": FixedEffect(
                features=[Feature("joke_id", kind="categorical")], l2=5.0, tolerance=1e-12
            ),
            "per-user": RandomEffect("user_id", l2=2.0, tolerance=1e-12),
        },
        sweeps=100,
        sweep_tolerance=1e-15,
    ).fit(ratings)
    user, joke = (ratings[name].to_numpy() - 1 for name in ("user_id", "joke_id"))
    x = sp.hstack([np.ones((len(user), 1)), one_hot(joke, 100), one_hot(user, 1000)]).tocsc()
    ridge = sp.diags(np.concatenate([[0.0], np.full(100, 5.0), np.full(1000, 2.0)]))
    best = sp.linalg.spsolve((x.T @ x + ridge).tocsc(), x.T @ ratings["rating"].to_numpy())
    fixed, users = model.model_.parts["jokes"], model.model_.parts["per-user"]
    terms = model.model_.index_of("jokes").terms.to_pylist()
    assert fixed.coefficients[0] == pytest.approx(best[0], abs=1e-7)
    np.testing.assert_allclose(
        fixed.coefficients[1:], best[1:101][[int(term) - 1 for term in terms]], atol=1e-7
    )
    np.testing.assert_allclose(users.split()[0], best[101:], atol=1e-7)


@pytest.fixture(scope="module")
def listening(shared_data):
    with gzip.open(shared_data("lastfm-2k") / "user_artists.dat.gz", "rt") as stream:
        user, artist, count = np.loadtxt(stream, skiprows=1, dtype=np.int64).T
    return {"user": user, "artist": artist, "y": count}


def test_counts_of_the_best_known_artists_equal_scikit_learns(listening):
    _, code = np.unique(listening["artist"], return_inverse=True)
    top = np.argsort(-np.bincount(code))[:40]
    mine = np.isin(code, top)
    artist, y = listening["artist"][mine], np.minimum(listening["y"][mine], 5000).astype(float)
    table = pa.table({"artist": artist, "y": y})
    ours = MixedModel(
        task="poisson",
        label="y",
        coordinates={
            "global": FixedEffect(
                features=[Feature("artist", kind="categorical")], l2=50.0, tolerance=1e-12
            )
        },
    ).fit(table)
    x = one_hot(np.searchsorted(np.unique(artist), artist), 40).toarray()
    theirs = PoissonRegressor(alpha=50.0 / len(y), tol=1e-12, max_iter=10_000)
    theirs.set_params(solver="newton-cholesky").fit(x, y)
    part = ours.model_.parts["global"]
    terms = np.array(ours.model_.index_of("global").terms.to_pylist(), dtype=np.int64)
    expected = theirs.coef_[np.searchsorted(np.unique(artist), terms)]
    assert part.coefficients[0] == pytest.approx(theirs.intercept_, abs=1e-8)
    np.testing.assert_allclose(part.coefficients[1:], expected, atol=1e-8)


def test_raw_counts_up_to_a_third_of_a_million_are_fitted(listening):
    """Every status is honest, every number finite; ten users are at SciPy's optimum."""
    table = pa.table(listening)
    model = MixedModel(
        task="poisson",
        label="y",
        coordinates={
            "global": FixedEffect(),
            "per-artist": RandomEffect("artist", l2=1.0),
            "per-user": RandomEffect("user", l2=1.0, tolerance=1e-10),
        },
        sweeps=2,
    ).fit(table)
    for update in model.history_:
        assert list(update["status"]) == ["converged"]
        assert np.isfinite(update["objective"])
    assert np.all(np.diff([update["objective"] for update in model.history_]) <= 0.0)
    scores = model.predict(table)
    users = model.model_.parts["per-user"]
    others = np.asarray(scores["score"]) - np.asarray(scores["score_per-user"])
    for position in range(10):
        mine = listening["user"] == users.table.ids[position].as_py()
        o, y = others[mine], listening["y"][mine]

        def objective(b, o=o, y=y):
            mean = np.exp(o + b[0])
            value = mean.sum() - y @ (o + b[0]) + 0.5 * b[0] ** 2
            return value, np.array([mean.sum() - y.sum() + b[0]])

        found = minimize(objective, np.zeros(1), jac=True, method="BFGS", options={"gtol": 1e-6})
        assert users.split()[0][position] == pytest.approx(found.x[0], abs=1e-6)
