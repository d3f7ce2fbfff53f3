import numpy as np

from tests.regression import ridge


def test_a_ridge():
    b = np.array([3.0, -1.0, 2.0])
    penalty = ridge(3, 2.0)
    assert penalty.precision.tolist() == [0.0, 2.0, 2.0]
    assert penalty.value(b) == 5.0
    assert penalty.smooth
    assert ridge(0, 2.0, intercept=0).value(np.zeros(0)) == 0.0


def test_a_prior_with_lasso_and_bounds():
    b = np.array([3.0, -1.0, 2.0])
    penalty = ridge(3, 2.0, intercept=0)._replace(mean=np.ones(3), l1=np.array([1.0, 0.5, 0.0]))
    assert penalty.value(b) == 4.0 + 4.0 + 1.0 + 3.0 + 0.5
    assert not penalty.smooth
    assert not penalty.bounded
    assert penalty._replace(lower=np.full(3, -5.0)).bounded
    value, gradient = penalty.smooth_value_and_gradient(b)
    assert value == 9.0
    assert gradient.tolist() == [4.0, -4.0, 2.0]
    assert penalty.take(np.array([2, 0])).l1.tolist() == [0.0, 1.0]
