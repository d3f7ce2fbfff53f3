"""Photon-ML's own test data: scikit-learn's coefficients, and its figures on held-out rows."""

import fastavro
import numpy as np
import pytest
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.metrics import roc_auc_score

from gdmix.glm.losses import Logistic, Poisson, Squared
from tests.fixed import HEART, design, fit

EXACT = {"l2": 2.0, "tolerance": 1e-10}


@pytest.fixture(scope="module")
def records(shared_data):
    folder = (shared_data("photon-ml") / HEART).parent

    def read(name, label="label"):
        with (folder / f"{name}.avro").open("rb") as stream:
            rows = list(fastavro.reader(stream))
        names = sorted({(f["name"], f["term"]) for row in rows for f in row["features"]})
        at = {name: column for column, name in enumerate(names)}
        x = np.zeros((len(rows), len(names)))
        for i, row in enumerate(rows):
            for f in row["features"]:
                x[i, at[f["name"], f["term"]]] = f["value"]
        return x, np.array([float(row[label]) for row in rows])

    return read


def test_heart(records):
    (x, y), (x2, y2) = records("heart"), records("heart_validation")
    centre, scale = x.mean(0), x.std(0)
    x, x2, y, y2 = (x - centre) / scale, (x2 - centre) / scale, 1.0 * (y > 0), 1.0 * (y2 > 0)
    ours = fit(x, y, Logistic(), EXACT).part.coefficients
    theirs = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-12).fit(x, y)
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_[0]], atol=1e-6)
    expected = roc_auc_score(y2, theirs.decision_function(x2))
    assert roc_auc_score(y2, design(x2) @ ours) == pytest.approx(expected, abs=1e-6)
    assert expected > 0.8


def test_mackey_glass(records):
    (x, y), (x2, y2) = records("linear_regression_train"), records("linear_regression_val")
    ours = fit(x, y, Squared(), EXACT).part.coefficients
    theirs = Ridge(2.0, solver="cholesky").fit(x, y)
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_], atol=1e-8)
    found = np.sqrt(np.mean((y2 - design(x2) @ ours) ** 2))
    expected = np.sqrt(np.mean((y2 - theirs.predict(x2)) ** 2))
    assert found == pytest.approx(expected, abs=1e-6)
    assert found < np.std(y2)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgs", "tron"])
def test_counts(records, optimizer):
    x, y = records("poisson_test", "response")
    x = x / np.maximum(x.std(0), 1e-9)
    found = fit(x, y, Poisson(), {**EXACT, "optimizer": optimizer, "max_iterations": 1000})
    assert next(iter(found.summary.statuses)).ok
    theirs = PoissonRegressor(alpha=2.0 / len(y), tol=1e-10, solver="newton-cholesky")
    theirs.set_params(max_iter=1000).fit(x, y)
    expected = np.r_[theirs.intercept_, theirs.coef_]
    np.testing.assert_allclose(found.part.coefficients, expected, atol=1e-5)


@pytest.mark.slow
def test_a9a_lasso_has_the_zeros_of_a_proximal_gradient(shared_data):
    path = (shared_data("photon-ml") / HEART).with_name("a9a")
    x, y = load_svmlight_file(str(path), n_features=123)
    options = {"l1": 10.0, "l2": 10.0, "optimizer": "owlqn", "tolerance": 1e-9}
    y = 1.0 * (y > 0)
    ours = fit(x.toarray(), y, Logistic(), options).part.coefficients
    theirs = _proximal(design(x.toarray()), y, 10.0, 10.0)
    # the reference is slow along the intercept: 4e-5 are left after its steps
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.array_equal(ours == 0.0, theirs == 0.0)
    assert 20 < np.sum(ours == 0.0) < 123


def _proximal(x, y, l1, l2):
    """Accelerated proximal gradient with restarts (O'Donoghue and Candes, 2015)."""
    gram = x.T @ x
    length = 1.0 / (0.25 * np.linalg.eigvalsh(gram)[-1] + l2)
    at_features = np.r_[0.0, np.ones(x.shape[1] - 1)]
    c = ahead = np.zeros(x.shape[1])
    t = 1.0
    for _ in range(1500):
        slope = x.T @ (1.0 / (1.0 + np.exp(-(x @ ahead))) - y) + l2 * at_features * ahead
        z = ahead - length * slope
        new = np.sign(z) * np.maximum(np.abs(z) - length * l1 * at_features, 0.0)
        t = 1.0 if (ahead - new) @ (new - c) > 0.0 else t
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        ahead, c, t = new + (t - 1.0) / following * (new - c), new, following
    return c
