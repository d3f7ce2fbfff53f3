"""Fixed effects on real data: conditions of optimality in dense NumPy, and others' solvers."""

import glum
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import lsq_linear
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import ElasticNet, LogisticRegression, PoissonRegressor, Ridge

from gdmix.coordinates import Box
from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.normalization import Normalization
from gdmix.glm.penalties import Penalty
from tests.fixed import HEART, MG, design, fit, steepness

EXACT = {"tolerance": 1e-9, "max_iterations": 5000}
LOSSES = (Logistic(), Squared(), Poisson(), SmoothedHinge())
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
PENALTIES = {
    "none": {"l2": 0.0},
    "ridge": {"l2": 2.0},
    "lasso": {"l2": 0.0, "l1": 5.0},
    "elastic-net": {"elastic_net": {"weight": 8.0, "alpha": 0.5}},
    "box": {"l2": 0.5},
    "lasso-box": {"l2": 0.0, "l1": 2.0},
}


@pytest.fixture(scope="module")
def heart(shared_data):
    x, y = load_svmlight_file(str(shared_data("photon-ml") / HEART))
    return x.toarray(), (y > 0).astype(float)


@pytest.fixture(scope="module")
def mg(shared_data):
    x, y = load_svmlight_file(str(shared_data("photon-ml") / MG))
    return x.toarray(), y


def _task(heart, loss):
    """Return standardized features, and counts of heart's vessels for Poisson's loss."""
    x, y = heart
    if isinstance(loss, Poisson):
        x, y = np.delete(x, 11, axis=1), x[:, 11]
    return (x - x.mean(0)) / x.std(0), y


def _normalization(kind, x):
    if kind == "none":
        return None
    factor = 1.0 / np.abs(x).max(0) if kind == "max_magnitude" else 1.0 / x.std(0)
    return Normalization(factor, x.mean(0) if kind == "standardization" else np.zeros(x.shape[1]))


def _penalty(kind, size):
    options = PENALTIES[kind]
    l1, l2 = options.get("l1", 0.0), options.get("l2", 4.0)
    l1 = 4.0 if kind == "elastic-net" else l1
    precision = np.full(size, l2)
    precision[0] = 0.0
    penalty = Penalty.ridge(precision)._replace(l1=np.full(size, l1))
    penalty.l1[0] = 0.0
    return penalty


@losses
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    "normalization", ["none", "standard_deviation", "max_magnitude", "standardization"]
)
def test_the_end_is_an_optimum(heart, loss, penalty, normalization):
    x, y = _task(heart, loss)
    x = x * np.logspace(-1.0, 1.0, x.shape[1]) + 0.5
    own, size = _normalization(normalization, x), x.shape[1] + 1
    expected, setting = _penalty(penalty, size), {}
    if "box" in penalty:
        lower, upper = np.full(size, -0.05), np.full(size, 0.2)
        lower[0], upper[0] = -np.inf, np.inf
        setting["box"] = Box(lower, upper)
        scale = np.ones(size) if own is None else np.r_[1.0, own.factor]
        expected = expected._replace(lower=lower / scale, upper=upper / scale)
    methods = ["newton", "owlqn"]
    if expected.smooth:
        methods = ["newton", "lbfgs", "tron"]
    values = []
    for method in methods:
        options = {"optimizer": method, **PENALTIES[penalty], **EXACT}
        found = fit(x, y, loss, options, normalization=own, **setting)
        b = found.part.coefficients
        c, z = b, x
        if own is not None:
            c, z = own.normalized(b, 1), (x - own.shift) * own.factor
        values.append(found.objective)
        assert next(iter(found.summary.statuses)).ok, method
        assert steepness(loss, design(z), y, c, expected) < 1e-7, method
        assert found.penalty == pytest.approx(expected.value(c), rel=1e-9, abs=1e-12)
        if "box" in penalty:
            assert np.all((b >= lower) & (b <= upper))
    assert values == pytest.approx([values[0]] * len(values), rel=1e-10)


@pytest.mark.parametrize("optimizer", ["auto", "owlqn"])
def test_lasso_equals_scikit_learns_and_glums(heart, optimizer):
    x, y = _task(heart, Logistic())
    options = {"l2": 0.0, "l1": 10.0, "optimizer": optimizer, **EXACT}
    ours = fit(x, y, Logistic(), options).part.coefficients
    saga = LogisticRegression(C=0.1, l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=100_000)
    saga.fit(x, y)
    np.testing.assert_allclose(ours, np.r_[saga.intercept_, saga.coef_[0]], atol=1e-6)
    rival = glum.GeneralizedLinearRegressor(
        family="binomial", alpha=10.0 / len(y), l1_ratio=1.0, gradient_tol=1e-9, max_iter=1000
    ).fit(x, y)
    np.testing.assert_allclose(ours, np.r_[rival.intercept_, rival.coef_], atol=1e-6)
    assert np.array_equal(ours[1:] == 0.0, saga.coef_[0] == 0.0)


@pytest.mark.parametrize("optimizer", ["auto", "owlqn"])
def test_elastic_net_equals_scikit_learns(mg, optimizer):
    x, y = mg
    n = len(y)
    net = {"weight": 0.02 * n, "alpha": 0.3}
    theirs = ElasticNet(0.02, l1_ratio=0.3, tol=1e-14, max_iter=100_000).fit(x, y)
    found = fit(x, y, Squared(), {"elastic_net": net, "optimizer": optimizer, **EXACT})
    expected = np.r_[theirs.intercept_, theirs.coef_]
    np.testing.assert_allclose(found.part.coefficients, expected, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgs", "tron"])
def test_ridge_equals_scikit_learns(mg, optimizer):
    x, y = mg
    theirs = Ridge(3.0, solver="cholesky").fit(x, y)
    found = fit(x, y, Squared(), {"l2": 3.0, "optimizer": optimizer, **EXACT})
    expected = np.r_[theirs.intercept_, theirs.coef_]
    np.testing.assert_allclose(found.part.coefficients, expected, atol=1e-8)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgs", "tron"])
def test_poisson_equals_scikit_learns(heart, optimizer):
    x, y = _task(heart, Poisson())
    theirs = PoissonRegressor(alpha=2.0 / len(y), tol=1e-12, solver="newton-cholesky").fit(x, y)
    found = fit(x, y, Poisson(), {"l2": 2.0, "optimizer": optimizer, **EXACT})
    expected = np.r_[theirs.intercept_, theirs.coef_]
    np.testing.assert_allclose(found.part.coefficients, expected, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgsb"])
def test_bounded_least_squares_equals_scipys(mg, optimizer):
    x, y = mg
    size = x.shape[1] + 1
    lower, upper = np.full(size, -0.1), np.full(size, 0.15)
    lower[0], upper[0] = -10.0, 10.0
    theirs = lsq_linear(design(x), y, (lower, upper), method="bvls", tol=1e-14).x
    found = fit(
        x, y, Squared(), {"l2": 0.0, "optimizer": optimizer, **EXACT}, box=Box(lower, upper)
    )
    np.testing.assert_allclose(found.part.coefficients, theirs, atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "family"),
    [(Logistic(), sm.families.Binomial()), (Poisson(), sm.families.Poisson())],
    ids=["Logistic", "Poisson"],
)
def test_variances_equal_statsmodels(heart, loss, family):
    x, y = _task(heart, loss)
    theirs = sm.GLM(y, design(x), family=family).fit(tol=1e-12, maxiter=200)
    found = fit(x, y, loss, {"l2": 0.0, "variance": "full", **EXACT})
    np.testing.assert_allclose(found.part.variances, theirs.bse**2, rtol=1e-6)


@losses
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("penalized", [False, True])
def test_variances_under_a_ridge_of_normalized_features(heart, loss, centre, penalized):
    x, y = _task(heart, loss)
    x = x * np.logspace(-3.0, 3.0, x.shape[1]) + 1.0
    own = Normalization(1.0 / x.std(0), x.mean(0) * centre)
    options = {"l2": 2.0, "penalize_intercept": penalized, **EXACT}
    found = {
        kind: fit(x, y, loss, {**options, "variance": kind}, normalization=own).part
        for kind in ("simple", "full")
    }
    # from raw coefficients to those of normalized features, where the ridge holds
    units = np.diag(np.r_[1.0, 1.0 / own.factor])
    units[0, 1:] = own.shift
    z = design(x)
    curve = np.array(
        [loss.d2(s, t) for s, t in zip(z @ found["full"].coefficients, y, strict=True)]
    )
    ridge = np.diag(np.r_[2.0 * penalized, np.full(x.shape[1], 2.0)])
    h = (z.T * curve) @ z + units.T @ ridge @ units
    np.testing.assert_allclose(found["simple"].variances, 1.0 / np.diag(h), rtol=1e-8)
    inverse = np.linalg.inv(units)
    expected = np.diag(inverse @ np.linalg.inv(inverse.T @ h @ inverse) @ inverse.T)
    np.testing.assert_allclose(found["full"].variances, expected, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["newton", "owlqn"])
@pytest.mark.parametrize("name", ["a1a", "a9a"])
def test_the_lasso_of_the_census_to_the_last_digits(shared_data, optimizer, name):
    path = shared_data("libsvm") / name
    if name == "a9a":
        path = (shared_data("photon-ml") / HEART).with_name("a9a")
    x, y = load_svmlight_file(str(path), n_features=123)
    x, y = x.toarray(), (y > 0).astype(float)
    options = {"l2": 0.0, "l1": 1.0, "optimizer": optimizer, "tolerance": 1e-8}
    found = fit(x, y, Logistic(), {**options, "max_iterations": 400})
    penalty = Penalty.ridge(np.zeros(124))._replace(l1=np.r_[0.0, np.ones(123)])
    c = found.part.coefficients
    assert next(iter(found.summary.statuses)).ok
    assert steepness(Logistic(), design(x), y, c, penalty) < 2e-8
