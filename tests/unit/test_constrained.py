"""Entities under L1 terms, bounds and centred features: conditions of optimality, and others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from sklearn.linear_model import ElasticNet, LogisticRegression

from gdmix.glm.groups import Problem
from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.status import Status
from tests.piecewise import (
    LOSSES,
    Problems,
    centred,
    least_subgradient,
    plain_penalty,
    random_entity,
    scale_at_zero,
    smooth_part,
    solve,
)
from tests.ragged import Entity

losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)

# a dense model of the rows, more features than rows, and the model without a dense Hessian
SHAPES = {"long": (40, 5), "short": (6, 20), "wide": (60, 300)}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
PENALTIES = {
    "ridge": {"l2": 1.0},
    "lasso": {"l2": 0.0, "l1": 1.5},
    "elastic-net": {"l2": 0.5, "l1": 0.5},
    "box": {"l2": 0.5, "lower": -0.2, "upper": 0.1},
    "lasso-box": {"l2": 0.1, "l1": 0.5, "lower": -0.2, "upper": 0.3},
    "positive": {"l2": 0.1, "l1": 0.2, "lower": 0.0},
}
penalties = pytest.mark.parametrize("kind", PENALTIES.values(), ids=PENALTIES.keys())


def problems(entities, *, intercept=1, bound=50.0, tolerance=1e-9, limit=500, shift=0.0, **kind):
    """Return entities under one kind of penalty, with features centred at `shift`."""
    own, shifts = [], []
    for e in entities:
        size = intercept + e.matrix.shape[1]
        own.append(plain_penalty(size, **kind))
        shifts.append(np.full(size, shift))
        shifts[-1][:intercept] = 0.0
    return Problems(entities, own, shifts, Problem(intercept, bound, tolerance, limit))


def check(asked, found, loss, within=1e-7):
    """Every entity is at an optimum, its record is true, and its margins are its own."""
    intercept, outcome = asked.shared.intercept, found.outcome
    assert outcome.status.tolist() == [Status.CONVERGED] * len(asked.entities)
    for k, (e, penalty, shift) in enumerate(
        zip(asked.entities, asked.penalties, asked.shifts, strict=True)
    ):
        b = found.coefficients[k]
        c = centred(b, shift, intercept)
        # adding the shift and taking it away leaves rounding where there was a zero or a bound
        for edge in (np.zeros_like(c), penalty.lower, penalty.upper):
            near = np.abs(c - edge) <= 1e-12 * (1.0 + np.abs(b))
            c = np.where(near, edge, c)
        assert np.all((c >= penalty.lower) & (c <= penalty.upper))
        value, slope = smooth_part(e, c, penalty, shift, loss, intercept)
        size = np.linalg.norm(least_subgradient(slope, c, penalty))
        assert size <= within * scale_at_zero(e, shift, loss, intercept)
        total = value + penalty.l1 @ np.abs(c)
        assert outcome.objective[k] == pytest.approx(total, rel=1e-10, abs=1e-12)
        assert outcome.penalty[k] == pytest.approx(penalty.value(c), rel=1e-9, abs=1e-12)
        design = np.hstack([np.ones((len(e.label), intercept)), e.matrix])
        np.testing.assert_allclose(found.margins[k], design @ b + e.offset, atol=1e-9)


@losses
@shapes
@penalties
@pytest.mark.parametrize("intercept", [0, 1])
def test_the_end_is_an_optimum(loss, shape, kind, intercept):
    rng = np.random.default_rng(1)
    entities = [random_entity(rng, loss, *shape) for _ in range(3)]
    asked = problems(entities, intercept=intercept, **kind)
    check(asked, solve(asked, loss), loss)


@losses
@shapes
@penalties
def test_centred_features(loss, shape, kind):
    rng = np.random.default_rng(2)
    asked = problems([random_entity(rng, loss, *shape) for _ in range(3)], shift=0.7, **kind)
    check(asked, solve(asked, loss), loss)


@losses
@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 7)), min_size=1, max_size=4),
    st.sampled_from(list(PENALTIES)),
    st.sampled_from([0.0, 0.5]),
)
def test_entities_of_any_shape(loss, seed, sizes, kind, shift):
    rng = np.random.default_rng(seed)
    entities = [random_entity(rng, loss, *size) for size in sizes]
    asked = problems(entities, shift=shift, **PENALTIES[kind])
    found = solve(asked, loss)
    check(asked, found, loss)
    alone = solve(problems(entities[-1:], shift=shift, **PENALTIES[kind]), loss)
    assert np.array_equal(found.coefficients[-1], alone.coefficients[0])


@losses
@shapes
def test_a_bound_holds_for_its_own_coefficient(loss, shape):
    rng = np.random.default_rng(3)
    asked = problems([random_entity(rng, loss, *shape) for _ in range(3)], l2=0.3, l1=0.1)
    for penalty in asked.penalties:
        size = len(penalty.mean)
        penalty.lower[:] = rng.choice([-np.inf, -0.3, 0.0, 0.05], size)
        penalty.upper[:] = np.maximum(penalty.lower, -0.1) + rng.choice([0.15, 0.2, np.inf], size)
        same = rng.random(size) < 0.2
        penalty.upper[same] = np.where(np.isfinite(penalty.lower), penalty.lower, 0.1)[same]
        penalty.mean[:] = rng.normal(size=len(penalty.mean))
    found = solve(asked, loss)
    check(asked, found, loss)
    start = [b + 0.1 * rng.normal(size=len(b)) for b in found.coefficients]
    again = solve(asked, loss, start)
    check(asked, again, loss)
    for a, b in zip(found.coefficients, again.coefficients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 5), (60, 300)], ids=["long", "wide"])
def test_an_elastic_net_is_scikit_learns(shape):
    rng = np.random.default_rng(4)
    e = random_entity(rng, Squared(), *shape)._replace(
        weight=np.ones(shape[0]), offset=np.zeros(shape[0])
    )
    asked = problems([e], l2=0.03 * shape[0], l1=0.07 * shape[0], tolerance=1e-11)
    asked.penalties[0].precision[0] = asked.penalties[0].l1[0] = 0.0
    theirs = ElasticNet(0.1, l1_ratio=0.7, tol=1e-14, max_iter=100_000).fit(e.matrix, e.label)
    ours = solve(asked, Squared()).coefficients[0]
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_], atol=1e-7)
    assert np.array_equal(ours[1:] == 0.0, theirs.coef_ == 0.0)


def test_a_lasso_is_scikit_learns():
    rng = np.random.default_rng(5)
    e = random_entity(rng, Logistic(), 80, 10)._replace(offset=np.zeros(80))
    asked = problems([e], l2=0.0, l1=3.0, tolerance=1e-11)
    asked.penalties[0].l1[0] = 0.0
    theirs = LogisticRegression(C=1.0 / 3.0, l1_ratio=1.0, solver="saga", tol=1e-12)
    theirs.set_params(max_iter=100_000).fit(e.matrix, e.label, sample_weight=e.weight)
    ours = solve(asked, Logistic()).coefficients[0]
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_[0]], atol=1e-6)
    assert np.array_equal(ours[1:] == 0.0, theirs.coef_[0] == 0.0)
    assert 0 < np.sum(ours == 0.0) < 10


def test_bounded_least_squares_are_scipys():
    rng = np.random.default_rng(6)
    e = random_entity(rng, Squared(), 50, 6)
    root = np.sqrt(e.weight)
    theirs = lsq_linear(
        root[:, None] * np.hstack([np.ones((50, 1)), e.matrix]),
        root * (e.label - e.offset),
        (-0.05, 0.1),
        method="bvls",
        tol=1e-14,
    ).x
    asked = problems([e], l2=0.0, lower=-0.05, upper=0.1, tolerance=1e-12)
    np.testing.assert_allclose(solve(asked, Squared()).coefficients[0], theirs, atol=1e-9)


def finite(found):
    """Refuse NaN and infinite numbers anywhere."""
    assert all(np.all(np.isfinite(b)) for b in found.coefficients)
    assert all(np.all(np.isfinite(margin)) for margin in found.margins)
    assert np.all(np.isfinite(found.outcome.objective))


@losses
@shapes
@penalties
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_features_of_any_scale(loss, shape, kind, scale):
    rng = np.random.default_rng(7)
    entities = [random_entity(rng, loss, *shape, scale=scale) for _ in range(3)]
    # at the largest scale penalties hardly count, which makes iterations dear: few are enough
    found = solve(problems(entities, limit=500 if scale < 1.0 else 10, **kind), loss)
    finite(found)
    ended = {Status.CONVERGED}
    if scale > 1.0:
        ended |= {Status.ITERATION_LIMIT, Status.NO_PROGRESS}
    assert set(found.outcome.status.tolist()) <= ended


@losses
@shapes
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class(loss, shape, label):
    rng = np.random.default_rng(8)
    entities = [random_entity(rng, loss, *shape) for _ in range(3)]
    same = [e._replace(label=np.full_like(e.label, label)) for e in entities]
    asked = problems(same, l2=0.1, l1=0.5, bound=10.0)
    for penalty in asked.penalties:
        penalty.precision[0] = penalty.l1[0] = 0.0
    found = solve(asked, loss)
    finite(found)
    assert set(found.outcome.status.tolist()) <= {Status.CONVERGED, Status.BOUNDED}
    if isinstance(loss, Logistic) or (isinstance(loss, Poisson) and label == 0.0):
        assert found.outcome.status.tolist() == [Status.BOUNDED] * 3
        assert [abs(b[0]) for b in found.coefficients] == [10.0] * 3


@losses
@shapes
def test_rows_that_a_feature_separates(loss, shape):
    rng = np.random.default_rng(9)
    entities = [random_entity(rng, loss, *shape) for _ in range(3)]
    apart = [e._replace(label=1.0 * (e.matrix[:, 0] > 0.0)) for e in entities]
    found = solve(problems(apart, l2=0.0, l1=1e-6, limit=10), loss)
    finite(found)
    assert np.all(found.outcome.status >= 0)


@losses
@shapes
def test_constant_columns_zeros_and_rows_of_no_weight(loss, shape):
    rng = np.random.default_rng(10)
    entities = []
    for _ in range(3):
        e = random_entity(rng, loss, *shape)
        e.matrix[:, 0], e.matrix[:, 1] = 3.0, 0.0
        e.weight[::2] = 0.0
        entities.append(e)
    lasso = problems(entities, l2=0.0, l1=0.5)
    check(lasso, solve(lasso, loss), loss)
    kept = [Entity(*(column[1::2] for column in e)) for e in entities]
    for a, b in zip(
        solve(problems(entities, l2=0.3, l1=0.2), loss).coefficients,
        solve(problems(kept, l2=0.3, l1=0.2), loss).coefficients,
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    silent = [e._replace(weight=np.zeros_like(e.weight)) for e in entities]
    found = solve(problems(silent, l2=0.3, l1=0.2), loss)
    finite(found)
    assert not any(b.any() for b in found.coefficients)


@losses
def test_what_is_not_finite_is_reported_by_its_entity(loss):
    rng = np.random.default_rng(11)
    entities = [random_entity(rng, loss, 12, 4) for _ in range(3)]
    entities[1].offset[3] = np.nan
    found = solve(problems(entities, l2=0.3, l1=0.2), loss)
    assert found.outcome.status.tolist() == [
        Status.CONVERGED,
        Status.NOT_FINITE,
        Status.CONVERGED,
    ]
    assert all(np.all(np.isfinite(b)) for b in found.coefficients)


def test_the_limit_is_kept_and_told():
    rng = np.random.default_rng(12)
    entities = [random_entity(rng, Poisson(), 40, 5, scale=3.0) for _ in range(2)]
    found = solve(problems(entities, l2=0.0, l1=0.1, limit=1), Poisson())
    assert found.outcome.status.tolist() == [Status.ITERATION_LIMIT] * 2
    assert found.outcome.iterations.tolist() == [1, 1]
    assert found.outcome.gradient.min() > 1e-9


def test_a_large_enough_lasso_leaves_nothing():
    rng = np.random.default_rng(13)
    entities = [random_entity(rng, SmoothedHinge(), *shape) for shape in SHAPES.values()]
    found = solve(problems(entities, l2=0.0, l1=1e4), SmoothedHinge())
    assert not any(b.any() for b in found.coefficients)
    assert found.outcome.iterations.tolist() == [0, 0, 0]
