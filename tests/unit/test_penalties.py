import numpy as np
import pytest

from gdmix.glm.penalties import Ridge, ridge_weight


@pytest.mark.parametrize(
    ("ridge", "weights"),
    [
        (Ridge(2.0, 0.0, 1), [0.0, 2.0, 2.0]),
        (Ridge(2.0, 2.0, 1), [2.0, 2.0, 2.0]),
        (Ridge(2.0, 0.5, 0), [2.0, 2.0, 2.0]),
    ],
)
def test_weights_and_value(ridge, weights):
    b = np.array([3.0, -1.0, 2.0])
    assert ridge.weights(3).tolist() == weights
    assert [ridge_weight(ridge, j) for j in range(3)] == weights
    assert ridge.value(b) == 0.5 * np.dot(weights, b * b)


def test_an_intercept_alone_and_nothing_at_all():
    assert Ridge(2.0, 0.0, 1).weights(1).tolist() == [0.0]
    assert Ridge(2.0, 0.0, 0).value(np.zeros(0)) == 0.0
