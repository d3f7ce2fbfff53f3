from dataclasses import dataclass

import numpy as np

from gdmix.glm.objective import Objective
from tests.regression import ridge


@dataclass
class Quadratic:
    """b' A b / 2 - c' b, as rows would give it."""

    matrix: np.ndarray
    linear: np.ndarray

    def value_and_gradient(self, b):
        return float(0.5 * b @ self.matrix @ b - self.linear @ b), self.matrix @ b - self.linear

    def curvature(self, b):
        return self

    def multiply(self, vector):
        return self.matrix @ vector

    def diagonal(self):
        return np.diag(self.matrix)


def test_the_penalty_is_added_to_value_gradient_and_curvature():
    rng = np.random.default_rng(0)
    root, b, v = rng.normal(size=(5, 5)), rng.normal(size=5), rng.normal(size=5)
    rows = Quadratic(root @ root.T, rng.normal(size=5))
    l2 = np.array([0.5, 2.0, 2.0, 2.0, 2.0])
    whole = Quadratic(rows.matrix + np.diag(l2), rows.linear)
    objective = Objective(rows, ridge(5, 2.0, 0.5))
    value, gradient = objective.value_and_gradient(b)
    assert np.isclose(value, whole.value_and_gradient(b)[0], rtol=1e-14)
    np.testing.assert_allclose(gradient, whole.value_and_gradient(b)[1], rtol=1e-13)
    curvature = objective.curvature(b)
    np.testing.assert_allclose(curvature.multiply(v), whole.multiply(v), rtol=1e-13)
    np.testing.assert_allclose(curvature.diagonal(), whole.diagonal(), rtol=1e-14)
