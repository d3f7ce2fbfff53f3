"""MovieLens-100K by GDMix's recipe: published figures, and SciPy's optimum of every coordinate."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from gdmix import FixedEffect, MixedModel, RandomEffect, datasets
from gdmix.data.reading import read
from gdmix.data.source import open_source

BOUND = 10.0


@pytest.fixture(scope="module")
def prepared(shared_data, tmp_path_factory):
    source = shared_data("ml-100k")

    def get(seed):
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        found = datasets.get("movielens-100k", source=source, output=folder, seed=seed)
        return str(found.train), str(found.validation)

    return get


def recipe(penalize_intercept, sweeps):
    options = {"penalize_intercept": penalize_intercept, "intercept_bound": BOUND}
    features = ["age", "gender", "occupation"]
    return MixedModel(
        label="response",
        uid="uid",
        sweeps=sweeps,
        sweep_tolerance=0.0,
        coordinates={
            "global": FixedEffect(features=[*features, "genres", "year"]),
            "per-user": RandomEffect("user_id", features=["genres", "year"], **options),
            "per-movie": RandomEffect("movie_id", features=features, **options),
        },
    )


@pytest.mark.parametrize(
    ("penalize_intercept", "after_one_sweep", "after_three"),
    [(False, [0.6251, 0.7069, 0.7578], 0.7677), (True, [0.6251, 0.7068, 0.7591], 0.7685)],
)
def test_validation_auc(prepared, penalize_intercept, after_one_sweep, after_three):
    """Means over seeds 0 and 1, against an independent dense Newton implementation."""
    found = []
    for seed in (0, 1):
        model = recipe(penalize_intercept, 3).fit(*prepared(seed))
        found.append([update["metrics"]["auc"] for update in model.history_])
    means = np.mean(found, axis=0)
    assert means[:3] == pytest.approx(after_one_sweep, abs=1e-3)
    assert means[8] == pytest.approx(after_three, abs=1e-3)


def objective(w, x, y, offset, l2, free):
    margin = offset + x @ w
    slope = 1 / (1 + np.exp(-np.clip(margin, -700, 700))) - y
    weights = np.full(len(w), l2)
    weights[0] = 0.0 if free else l2
    value = np.logaddexp(0, margin).sum() - y @ margin + 0.5 * (weights * w) @ w
    return value, x.T @ slope + weights * w


def best(x, y, offset, l2, free, start):
    """SciPy's best from two starts, the intercept inside its bound when it is free."""
    bounds = [(-BOUND, BOUND) if free else (None, None)] + [(None, None)] * (x.shape[1] - 1)
    options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 50}
    return min(
        minimize(
            objective,
            begin,
            (x, y, offset, l2, free),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options=options,
        ).fun
        for begin in (np.zeros(x.shape[1]), np.clip(start, -BOUND, BOUND) if free else start)
    )


@pytest.mark.slow
def test_every_coordinate_is_at_scipys_optimum(prepared):
    train, _ = prepared(0)
    model = recipe(False, 1).fit(train)
    rows, _ = read(open_source(train), model.options.layout(), model.model_.indexes)
    offset = np.zeros(rows.rows)
    scores = model.predict(train)

    def design(shard):
        csr = rows.shards[shard]
        matrix = sp.csr_matrix((csr.values, csr.indices, csr.indptr), (rows.rows, csr.width))
        return sp.hstack([np.ones((rows.rows, 1)), matrix]).tocsr()

    part = model.model_.parts["global"]
    x = design("global")
    ours = objective(part.coefficients, x, rows.label, offset, 1.0, True)[0]
    bounds_do_not_bind = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-9}
    theirs = minimize(
        objective,
        part.coefficients,
        (x, rows.label, offset, 1.0, True),
        jac=True,
        method="L-BFGS-B",
        options=bounds_do_not_bind,
    ).fun
    assert ours <= theirs * (1 + 1e-8)

    offset = offset + scores["score_global"].to_numpy()
    worst = 0.0
    for name, entity in (("per-user", "user_id"), ("per-movie", "movie_id")):
        part = model.model_.parts[name]
        x, codes = design(part.shard), rows.entities[entity].codes
        for e in np.random.default_rng(1).choice(len(part.table.ids), 120, replace=False):
            mine = np.flatnonzero(codes == e)
            intercept, features, values = part.coefficients_of(e)
            dense = x[mine][:, np.concatenate([[0], 1 + features])].toarray()
            label, own = rows.label[mine], offset[mine]
            w = np.concatenate([[intercept], values])
            ours = objective(w, dense, label, own, 1.0, True)[0]
            theirs = best(dense, label, own, 1.0, True, w)
            assert ours == pytest.approx(part.table.outcome.objective[e], rel=1e-10)
            worst = max(worst, (ours - theirs) / max(theirs, 1e-12))
        offset = offset + scores[f"score_{name}"].to_numpy()
    assert worst <= 1e-8
