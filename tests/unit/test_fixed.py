from itertools import pairwise

import numpy as np
import pytest

from gdmix.coordinates import Bound, Box, ElasticNet, FixedEffect
from gdmix.coordinates.fixed import NEWTON_LIMIT
from gdmix.errors import ConfigError
from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.normalization import Normalization
from gdmix.glm.status import Status
from gdmix.glm.variance import LARGEST_DENSE, full_variances, simple_variances
from gdmix.models.linear import LinearModel
from tests.fixed import fit

EXACT = {"tolerance": 1e-11, "max_iterations": 2000}
LOSSES = (Logistic(), Squared(), Poisson(), SmoothedHinge())
optimizers = pytest.mark.parametrize("optimizer", ["lbfgs", "tron", "newton", "owlqn", "lbfgsb"])
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def _rows(seed=0, rows=120, width=5):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, width))
    return x, (rng.random(rows) < 1.0 / (1.0 + np.exp(-x[:, 0]))).astype(float)


def _status(found):
    (status,) = found.summary.statuses
    return status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "tron", "l1": 1.0}, "found 'tron' with l1; expected auto, owlqn or newton"),
        ({"optimizer": "lbfgsb", "l1": 1.0}, "found 'lbfgsb' with l1"),
        (
            {"optimizer": "lbfgs", "elastic_net": ElasticNet(weight=1.0, alpha=0.5)},
            "found 'lbfgs' with elastic_net with an L1 part",
        ),
        (
            {"optimizer": "tron", "bounds": [Bound(name="x", lower=0.0)]},
            "found 'tron' with bounds; expected auto, lbfgsb, owlqn or newton",
        ),
        ({"optimizer": "sgd"}, "found 'sgd'; expected 'auto'"),
    ],
)
def test_an_optimizer_that_does_not_fit_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        FixedEffect(features=["x"], **options)
    assert f"optimizer: {message}" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "tron", "elastic_net": ElasticNet(weight=1.0, alpha=0.0)},
        {"optimizer": "owlqn", "l1": 1.0, "bounds": [Bound(name="x", lower=0.0)]},
    ],
)
def test_an_optimizer_that_fits_is_not(options):
    assert FixedEffect(features=["x"], **options).optimizer == options["optimizer"]


@pytest.mark.parametrize("option", [{"variance": "full"}, {"optimizer": "newton"}])
def test_too_many_coefficients_for_a_dense_hessian(option):
    x = np.zeros((2, LARGEST_DENSE))
    with pytest.raises(ConfigError, match=f"{LARGEST_DENSE + 1} coefficients.*{LARGEST_DENSE}"):
        fit(x, np.array([0.0, 1.0]), Logistic(), option)


@pytest.mark.parametrize("options", [{}, {"l1": 0.5}])
def test_auto_is_exact_beyond_newtons_limit(options):
    x, y = _rows(rows=100, width=NEWTON_LIMIT + 10)
    auto, newton = (
        fit(x, y, Logistic(), {**options, "optimizer": name, **EXACT})
        for name in ("auto", "newton")
    )
    assert auto.summary.iterations > newton.summary.iterations
    np.testing.assert_allclose(auto.part.coefficients, newton.part.coefficients, atol=1e-8)


@optimizers
@losses
def test_scales_and_constant_columns(loss, optimizer):
    x, y = _rows()
    x = np.hstack([x * [1e-6, 1e5, 1.0, 1e-3, 1e3], np.full((120, 1), 3.0), np.zeros((120, 1))])
    scale = 1.0 / np.where(x.std(0) > 0.0, x.std(0), 1.0)
    own = Normalization(scale, x.mean(0))
    found = fit(x, y, loss, {"optimizer": optimizer, **EXACT}, normalization=own)
    assert _status(found).ok
    plain = fit((x - own.shift) * scale, y, loss, {"optimizer": "newton", **EXACT})
    assert found.objective == pytest.approx(plain.objective, rel=1e-10)
    np.testing.assert_allclose(
        own.normalized(found.part.coefficients, 1), plain.part.coefficients, atol=1e-6
    )
    assert found.part.coefficients[-1] == 0.0


@optimizers
@losses
def test_separable_rows_end_with_an_honest_status(loss, optimizer):
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    found = fit(x, (x[:, 0] > 0.0).astype(float), loss, {"l2": 0.0, "optimizer": optimizer})
    assert np.isfinite(found.part.coefficients).all()
    assert np.isfinite(found.objective)
    assert isinstance(_status(found), Status)
    assert _status(found) is not Status.NOT_FINITE
    if _status(found).ok:
        assert found.summary.gradient <= 1e-6


@optimizers
@losses
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class(loss, optimizer, label):
    x, _ = _rows()
    found = fit(x, np.full(120, label), loss, {"optimizer": optimizer, "variance": "full"})
    assert np.isfinite(found.part.coefficients).all()
    assert np.isfinite(found.objective)
    assert not np.isnan(found.part.variances).any()
    assert np.all(found.part.variances > 0.0)


def test_a_prior_takes_the_place_of_the_ridge():
    x, y = _rows()
    mean = np.array([0.5, 1.0, -1.0, np.nan, 0.0, 2.0])
    variance = np.array([1e-9, 1e-9, 0.5, 1.0, np.inf, np.nan])
    prior = LinearModel("all", 1, mean, variance)
    options = {"l2": 3.0, "prior_weight": 2.0, **EXACT}
    b = fit(x, y, Squared(), options, prior=prior).part.coefficients
    precision = np.array([2e9, 2e9, 4.0, 3.0, 3.0, 3.0])
    z = np.hstack([np.ones((120, 1)), x])
    kept = np.where(precision != 3.0, mean, 0.0)
    expected = np.linalg.solve(z.T @ z + np.diag(precision), z.T @ y + precision * kept)
    np.testing.assert_allclose(b, expected, atol=1e-7)
    # a prior is for raw coefficients, whatever the units of the solution
    own = Normalization(np.full(5, 1e-2), np.full(5, 3.0))
    scaled = fit(x, y, Squared(), {**options, "l2": 3.0 * 1e-4}, prior=prior, normalization=own)
    np.testing.assert_allclose(scaled.part.coefficients, expected, atol=1e-7)


def test_a_prior_leaves_l1_and_bounds():
    x, y = _rows()
    prior = LinearModel("all", 1, np.full(6, 0.3), np.full(6, 1.0))
    box = Box(np.full(6, -np.inf), np.array([np.inf, 0.1, np.inf, np.inf, np.inf, np.inf]))
    for optimizer in ("newton", "owlqn"):
        options = {"l1": 25.0, "optimizer": optimizer, **EXACT}
        b = fit(x, y, Squared(), options, prior=prior, box=box).part.coefficients
        assert np.any(b[1:] == 0.0)
        assert np.all(b[1] <= 0.1)


def test_a_start_outside_the_bounds_is_moved_inside():
    x, y = _rows()
    box = Box(np.full(6, -0.2), np.full(6, 0.2))
    start = LinearModel("all", 1, np.full(6, 5.0))
    cold, warm = (
        fit(x, y, Logistic(), EXACT, box=box, start=begin).part.coefficients
        for begin in (None, start)
    )
    np.testing.assert_allclose(cold, warm, atol=1e-9)
    assert np.abs(cold).max() == 0.2


def test_a_bounded_intercept_is_that_of_raw_features():
    x, y = _rows()
    own = Normalization(1.0 / x.std(0), x.mean(0) + 2.0)
    box = Box(np.r_[0.1, np.full(5, -np.inf)], np.r_[0.2, np.full(5, np.inf)])
    found = fit(x, y, Squared(), EXACT, box=box, normalization=own)
    assert 0.1 <= found.part.coefficients[0] <= 0.2
    assert _status(found).ok


def test_the_trace_is_whole():
    x, y = _rows()
    for optimizer in ("lbfgs", "tron", "newton", "owlqn", "lbfgsb"):
        found = fit(x, y, Logistic(), {"optimizer": optimizer, **EXACT})
        trace = found.summary.trace
        assert [record.iteration for record in trace] == list(range(len(trace)))
        assert trace[-1].value == found.objective
        assert all(a.evaluations < b.evaluations for a, b in pairwise(trace))


def test_variances_of_what_nothing_is_told_are_infinite():
    np.testing.assert_array_equal(
        simple_variances(np.array([4.0, 0.0, 1e300])), [0.25, np.inf, 1e-300]
    )
    h = np.array([[2.0, 2.0, 0.0, 0.0], [2.0, 2.0, 0.0, 0.0], [0.0, 0.0, 1e-20, 0.0], [0.0] * 4])
    np.testing.assert_allclose(full_variances(h), [np.inf, np.inf, 1e20, np.inf])
