from itertools import pairwise

import numpy as np
import pytest

from gdmix.glm.minimize import Point, minimize
from gdmix.glm.tron import TRON
from tests.regression import best, logistic


def test_the_promised_decrease_is_that_of_the_quadratic_model():
    objective, size = logistic(1)
    start = np.full(size, 0.3)
    point = Point(start, *objective.value_and_gradient(start))
    step = TRON().start(objective, point).step(point)
    move = step.point.coefficients - start
    model = -point.gradient @ move - 0.5 * move @ objective.curvature(start).multiply(move)
    assert step.expected == pytest.approx(model, rel=1e-10)


@pytest.mark.parametrize("inner", [1, 2, 5])
def test_few_inner_steps_still_reach_the_optimum(inner):
    objective, size = logistic(2)
    found = minimize(
        objective, np.zeros(size), TRON(max_inner=inner), tolerance=1e-9, max_iterations=1000
    )
    assert found.status.ok
    assert found.value <= best(objective, size) * (1.0 + 1e-12)


def test_a_far_start_shrinks_the_region_and_comes_back():
    objective, size = logistic(3, l2=1e-4)
    found = minimize(objective, np.full(size, 100.0), TRON(), tolerance=1e-9, max_iterations=500)
    assert found.status.ok
    assert found.value <= best(objective, size) * (1.0 + 1e-10)
    values = [record.value for record in found.trace]
    assert all(b <= a * (1.0 + 1e-14) for a, b in pairwise(values))


def test_no_curvature_at_all_is_a_gradient_step():
    class Linear:
        def value_and_gradient(self, b):
            return float(b.sum()), np.ones(2)

        def curvature(self, b):
            return self

        def diagonal(self):
            return np.zeros(2)

        def multiply(self, vector):
            return np.zeros(2)

    point = Point(np.zeros(2), 0.0, np.ones(2))
    step = TRON().start(Linear(), point).step(point)
    assert step.moved
    assert step.point.coefficients.tolist() == [-1.0, -1.0]
    assert step.expected == 2.0
