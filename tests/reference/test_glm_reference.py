"""Optima on real data (a1a: 1,605 rows of the census) against SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression

from gdmix.glm.groups import Outcome, Problem, solve_entities
from gdmix.glm.kernels import Block
from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.losses import Logistic
from gdmix.glm.minimize import minimize
from gdmix.glm.newton import Newton
from gdmix.glm.objective import Objective
from gdmix.glm.tron import TRON
from tests.regression import Regression, best, ridge

methods = pytest.mark.parametrize(
    "method", [LBFGS(), TRON(), Newton()], ids=["lbfgs", "tron", "newton"]
)
penalties = pytest.mark.parametrize("l2", [0.01, 1.0, 100.0])


@pytest.fixture(scope="module")
def census(shared_data):
    x, y = load_svmlight_file(str(shared_data("libsvm") / "a1a"), n_features=123)
    return x.tocsr(), (y > 0).astype(float)


def _objective(census, l2):
    x, y = census
    ones = np.ones((x.shape[0], 1))
    return Objective(
        Regression(hstack([ones, x]).tocsr(), y, np.ones(len(y))), ridge(x.shape[1] + 1, l2)
    )


@methods
@penalties
def test_minimize_reaches_scipys_optimum(census, method, l2):
    objective = _objective(census, l2)
    found = minimize(objective, np.zeros(124), method, tolerance=1e-10, max_iterations=3000)
    assert found.status.ok
    assert found.value <= best(objective, 124) * (1.0 + 1e-12)


@methods
@pytest.mark.parametrize("l2", [1.0, 100.0])
def test_minimize_gives_scikit_learns_coefficients(census, method, l2):
    x, y = census
    theirs = LogisticRegression(C=1.0 / l2, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    theirs.fit(x.toarray(), y)
    ours = minimize(
        _objective(census, l2), np.zeros(124), method, tolerance=1e-12, max_iterations=1000
    )
    expected = np.concatenate([theirs.intercept_, theirs.coef_[0]])
    # an objective exact to 1e-14 of 500 leaves the coefficients uncertain by the root of it
    np.testing.assert_allclose(ours.coefficients, expected, atol=1e-5)


@penalties
def test_one_entity_with_all_rows_is_the_same_regression(census, l2):
    x, y = census
    rows = len(y)
    block = Block(x.indptr.astype(np.int64), x.indices.astype(np.int32), x.data, y, np.ones(rows))
    outcome = Outcome(
        np.zeros(1, np.int8), np.zeros(1, np.int32), np.zeros(1), np.zeros(1), np.zeros(1)
    )
    b = np.zeros(124)
    solve_entities(
        Logistic(),
        block,
        np.zeros(rows),
        np.array([0, rows]),
        np.array([0, 124]),
        0,
        1,
        Problem(1, 50.0, 1e-10, 100),
        ridge(124, l2),
        b,
        np.empty(rows),
        outcome,
    )
    assert outcome.status[0] == 0
    objective = _objective(census, l2)
    assert objective.value_and_gradient(b)[0] <= best(objective, 124) * (1.0 + 1e-12)
