import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.glm.entity_variance import entity_variances
from gdmix.glm.losses import Squared
from tests.piecewise import LOSSES, block_of, design_of, losses_at, random_entity

losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
modes = pytest.mark.parametrize("full", [False, True])


def variances(entities, ridges, shifts, margins, loss, full, intercept):
    block, row_ptr = block_of(entities)
    pointers = np.cumsum([0] + [len(ridge) for ridge in ridges])
    out = np.full(pointers[-1], np.nan)
    entity_variances(
        loss,
        block,
        row_ptr,
        pointers,
        0,
        len(entities),
        intercept,
        np.concatenate(ridges),
        np.concatenate(shifts),
        np.concatenate(margins),
        full,
        out,
    )
    return np.split(out, pointers[1:-1])


def hessian(e, ridge, shift, margin, loss, intercept):
    x = design_of(e, intercept)
    h = (x.T * (e.weight * losses_at(loss, margin, e.label)[2])) @ x + np.diag(ridge)
    if intercept:
        h += ridge[0] * (np.outer(row := np.r_[1.0, shift[1:]], row) - np.diag(np.eye(len(h))[0]))
    return h


def expected(h, full):
    return np.diag(np.linalg.inv(h)) if full else 1.0 / np.diag(h)


@losses
@modes
@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20)), min_size=1, max_size=5),
    st.sampled_from([0, 1]),
    st.booleans(),
)
def test_they_are_those_of_the_dense_hessian(loss, full, seed, shapes, intercept, centred):
    rng = np.random.default_rng(seed)
    entities = [random_entity(rng, loss, *shape) for shape in shapes]
    ridges = [rng.uniform(0.1, 3.0, intercept + w) for _, w in shapes]
    shifts = [rng.normal(size=len(ridge)) * centred * intercept for ridge in ridges]
    margins = [rng.normal(size=n) for n, _ in shapes]
    found = variances(entities, ridges, shifts, margins, loss, full, intercept)
    for e, ridge, shift, margin, got in zip(entities, ridges, shifts, margins, found, strict=True):
        h = hessian(e, ridge, shift, margin, loss, intercept)
        np.testing.assert_allclose(got, expected(h, full), rtol=1e-9)


@modes
@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1e6, 1e150])
def test_features_of_any_scale(full, scale):
    rng = np.random.default_rng(0)
    e = random_entity(rng, Squared(), 30, 3)
    wide = e._replace(matrix=e.matrix * np.array([1.0, scale, 1.0]))
    zeros = [np.zeros(4)]
    plain = variances([e], zeros, zeros, [np.zeros(30)], Squared(), full, 1)[0]
    found = variances([wide], zeros, zeros, [np.zeros(30)], Squared(), full, 1)[0]
    np.testing.assert_allclose(found, plain / np.array([1.0, 1.0, scale, 1.0]) ** 2, rtol=1e-9)


@modes
@pytest.mark.parametrize("ridge", [0.0, 1e-12, 1.0])
def test_more_features_than_rows(full, ridge):
    rng = np.random.default_rng(0)
    e = random_entity(rng, Squared(), 8, 40)
    weights = np.full(41, ridge)
    found = variances([e], [weights], [np.zeros(41)], [np.zeros(8)], Squared(), full, 1)[0]
    assert not np.isnan(found).any()
    if ridge == 1.0 or not full:
        h = hessian(e, weights, np.zeros(41), np.zeros(8), Squared(), 1)
        np.testing.assert_allclose(found, expected(h, full), rtol=1e-9)
    elif ridge:
        assert found.max() > 1e10
    else:
        assert np.isinf(found).all()


@modes
def test_what_nothing_tells_of_has_an_infinite_variance(full):
    rng = np.random.default_rng(0)
    e = random_entity(rng, Squared(), 20, 3)
    e.matrix[:, 1] = 0.0
    found = variances([e], [np.zeros(4)], [np.zeros(4)], [np.zeros(20)], Squared(), full, 1)[0]
    assert np.isinf(found).tolist() == [False, False, True, False]
    keep = [0, 1, 3]
    h = hessian(e, np.zeros(4), np.zeros(4), np.zeros(20), Squared(), 1)[np.ix_(keep, keep)]
    np.testing.assert_allclose(found[keep], expected(h, full), rtol=1e-9)


@modes
def test_margins_that_are_not_finite_give_no_nan(full):
    e = random_entity(np.random.default_rng(0), Squared(), 5, 2)
    margin = [np.array([np.nan, np.inf, 0.0, 1.0, -np.inf])]
    for loss in LOSSES:
        found = variances([e], [np.ones(3)], [np.zeros(3)], margin, loss, full, 1)[0]
        assert not np.isnan(found).any()


def test_they_are_those_of_least_squares_in_the_textbook():
    rng = np.random.default_rng(3)
    e = random_entity(rng, Squared(), 50, 4)._replace(weight=np.ones(50))
    x = design_of(e, 1)
    found = variances([e], [np.zeros(5)], [np.zeros(5)], [np.zeros(50)], Squared(), True, 1)[0]
    np.testing.assert_allclose(found, np.diag(np.linalg.inv(x.T @ x)), rtol=1e-10)
