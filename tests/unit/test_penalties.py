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


def test_a_prior_takes_the_place_of_the_ridge_where_it_is_known():
    penalty = ridge(6, 2.0, intercept=0)._replace(l1=np.full(6, 0.5))
    mean = np.array([1.0, np.nan, 3.0, 4.0, 5.0, np.inf])
    variance = np.array([0.25, 1.0, np.nan, np.inf, 0.0, 1.0])
    found = penalty.with_prior(mean, variance, 3.0)
    assert found.precision[:4].tolist() == [12.0, 2.0, 2.0, 2.0]
    assert found.precision[5] == 2.0
    assert 1e11 < found.precision[4] < np.inf
    assert found.mean.tolist() == [1.0, 0.0, 0.0, 0.0, 5.0, 0.0]
    assert found.l1.tolist() == [0.5] * 6
