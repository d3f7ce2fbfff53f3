import numpy as np
import pytest

from gdmix.glm.inverse import inverse_of


def test_inverse_of_columns_of_any_scale():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)) * np.logspace(-6, 6, 6)
    hessian = x.T @ x
    scale = np.sqrt(np.diag(hessian))
    unit = scale[:, None] * (inverse_of(hessian) @ hessian) / scale
    np.testing.assert_allclose(unit, np.eye(6), atol=1e-10)


def test_a_singular_hessian_has_a_positive_definite_inverse():
    x = np.random.default_rng(0).normal(size=(50, 3))
    twice = np.hstack([x, x[:, :1], np.zeros((50, 1))])
    inverse = inverse_of(twice.T @ twice)
    assert np.isfinite(inverse).all()
    assert np.linalg.eigvalsh(inverse).min() > 0.0
    gradient = twice.T @ np.ones(50)
    # what bends is solved for all the same
    np.testing.assert_allclose(twice.T @ twice @ (inverse @ gradient), gradient, atol=1e-4)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_hessian_that_is_not_finite_has_none(wrong):
    assert inverse_of(np.array([[1.0, wrong], [wrong, 1.0]])) is None
