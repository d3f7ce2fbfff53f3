import numpy as np
import pytest

from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.minimize import minimize
from gdmix.glm.newton import Newton
from gdmix.glm.objective import Objective
from gdmix.glm.status import Status
from gdmix.glm.tron import TRON
from tests.regression import Regression, best, logistic, ridge, ridge_solution

methods = pytest.mark.parametrize(
    "method", [LBFGS(), TRON(), Newton()], ids=["lbfgs", "tron", "newton"]
)


def _minimize(objective, size, method, start=None, tolerance=1e-9, limit=1000):
    start = np.zeros(size) if start is None else start
    return minimize(objective, start, method, tolerance=tolerance, max_iterations=limit)


def _columns(kind):
    """Return 9 columns, the first one of ones, that are hard in the way asked for."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 9))
    if kind == "scales":
        x *= np.logspace(-4, 4, 9)[rng.permutation(9)]
    elif kind == "collinear":
        x[:, 3] = x[:, 2] + 1e-7 * x[:, 3]
        x[:, 5] = x[:, 4]
    elif kind == "constant":
        x[:, 1] = 1000.0 + 1e-3 * x[:, 1]
    x[:, 0] = 1.0
    return x


@methods
@pytest.mark.parametrize("seed", range(3))
def test_the_value_is_as_low_as_scipys(method, seed):
    objective, size = logistic(seed, columns=3 + 5 * seed)
    found = _minimize(objective, size, method)
    assert found.status is Status.CONVERGED
    assert found.gradient <= 1e-9
    assert found.value <= best(objective, size) * (1.0 + 1e-12)


@methods
@pytest.mark.parametrize("kind", ["scales", "collinear", "constant"])
@pytest.mark.parametrize("l2", [1.0, 1e-3])
def test_hard_columns(method, kind, l2):
    x = _columns(kind)
    rng = np.random.default_rng(6)
    y = (rng.random(300) < 1.0 / (1.0 + np.exp(-x[:, 2:] @ (1.0 / np.std(x[:, 2:], 0))))).astype(
        float
    )
    objective = Objective(Regression(x, y, np.ones(300)), ridge(x.shape[1], l2))
    found = _minimize(objective, 9, method, tolerance=1e-12, limit=5000)
    # margins around 1e4 are rounded by 1e-12: no gradient of 1e-12 can be had from them
    assert found.status is Status.CONVERGED or (kind, found.status.name) == (
        "constant",
        "NO_PROGRESS",
    )
    assert found.evaluations < 1000
    assert found.value <= best(objective, 9) * (1.0 + 1e-10)


@methods
def test_a_start_at_the_optimum_stays_there(method):
    objective, size = logistic(1)
    there = _minimize(objective, size, method, tolerance=1e-10).coefficients
    again = _minimize(objective, size, method, start=there, tolerance=1e-9)
    assert again.iterations == 0
    assert again.status is Status.CONVERGED
    assert np.array_equal(again.coefficients, there)


@methods
def test_the_start_does_not_change_the_stopping_rule(method):
    objective, size = logistic(1)
    cold = _minimize(objective, size, method)
    warm = _minimize(objective, size, method, start=np.full(size, 0.1))
    assert warm.gradient <= 1e-9
    assert warm.value == pytest.approx(cold.value, rel=1e-13)


@methods
def test_no_gradient_no_iterations(method):
    x = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])
    objective = Objective(
        Regression(x, np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)), ridge(x.shape[1], 1.0)
    )
    found = _minimize(objective, 2, method)
    assert (found.status, found.iterations, found.gradient) == (Status.CONVERGED, 0, 0.0)


@methods
@pytest.mark.parametrize("rows", [0, 5])
def test_without_weight_only_the_penalty_counts(method, rows):
    objective = Objective(
        Regression(np.ones((rows, 3)), np.ones(rows), np.zeros(rows)), ridge(3, 2.0)
    )
    assert _minimize(objective, 3, method).status is Status.CONVERGED
    found = _minimize(objective, 3, method, start=np.array([0.5, 3.0, -2.0]))
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.coefficients, [0.5, 0.0, 0.0], atol=1e-13)


@methods
@pytest.mark.parametrize("l2", [0.0, 1e-6])
def test_separable_rows(method, l2):
    x = np.column_stack([np.ones(40), np.linspace(-1.0, 1.0, 40)])
    objective = Objective(
        Regression(x, (x[:, 1] > 0.0).astype(float), np.ones(40)), ridge(x.shape[1], l2)
    )
    found = _minimize(objective, 2, method, tolerance=1e-7)
    assert np.all(np.isfinite(found.coefficients))
    assert found.status is Status.CONVERGED
    if l2:
        exact = _minimize(objective, 2, method, tolerance=1e-13)
        assert exact.value <= best(objective, 2) * (1.0 + 1e-10)


@methods
def test_the_limit_is_kept_and_told(method):
    objective, size = logistic(2, scale=np.logspace(-2, 2, 8))
    found = _minimize(objective, size, method, tolerance=1e-12, limit=2)
    assert (found.status, found.iterations) == (Status.ITERATION_LIMIT, 2)
    assert [record.iteration for record in found.trace] == [0, 1, 2]
    values = [record.value for record in found.trace]
    assert values == sorted(values, reverse=True)
    assert found.value == values[-1]


@methods
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of the dense reference rows
def test_input_that_is_not_finite(method, bad):
    objective, size = logistic(3)
    objective.rows.x[7, 2] = bad
    for start in (np.zeros(size), np.ones(size)):
        found = _minimize(objective, size, method, start=start)
        assert found.status is Status.NOT_FINITE
        assert np.array_equal(found.coefficients, start)


@methods
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # of the dense reference rows
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_values_that_overflow_never_give_nan(method):
    objective, size = logistic(3)
    objective.rows.x[7, 2] = 1e200
    found = _minimize(objective, size, method)
    assert np.all(np.isfinite(found.coefficients))


@methods
@pytest.mark.parametrize("intercept_l2", [0.0, 2.0])
def test_squared_loss_gives_closed_form_ridge(method, intercept_l2):
    rng = np.random.default_rng(4)
    x = np.hstack([np.ones((60, 1)), rng.normal(size=(60, 10))])
    rows = Regression(x, 5.0 + rng.normal(size=60), rng.uniform(0.5, 2.0, 60), squared=True)
    penalty = ridge(11, 2.0, intercept_l2)
    found = _minimize(Objective(rows, penalty), 11, method, tolerance=1e-12)
    np.testing.assert_allclose(found.coefficients, ridge_solution(rows, penalty), rtol=1e-10)


@methods
def test_a_tolerance_below_rounding_stops_as_converged(method):
    objective, size = logistic(5)
    found = _minimize(objective, size, method, tolerance=1e-300, limit=500)
    assert found.status is Status.CONVERGED
    assert found.iterations < 100
    assert found.gradient < 1e-9


@methods
def test_evaluations_count_the_passes(method):
    objective, size = logistic(6)
    found = _minimize(objective, size, method)
    # the Hessian's diagonal is counted by neither
    assert found.evaluations in (objective.rows.passes, objective.rows.passes + found.iterations)
