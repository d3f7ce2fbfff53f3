import numpy as np
import pytest

from gdmix.glm.lbfgs import LBFGS
from gdmix.glm.minimize import Point, minimize
from tests.regression import logistic


def _passes(memory, scale=1.0):
    objective, size = logistic(0, columns=20, scale=scale)
    found = minimize(objective, np.zeros(size), LBFGS(memory), tolerance=1e-9, max_iterations=1000)
    assert found.status.ok
    return found.evaluations


def test_scales_of_columns_hardly_matter():
    # the penalty is not scaled along, so the problems differ a little
    assert _passes(30, np.logspace(-1, 3, 20)) < 2 * _passes(30)


@pytest.mark.parametrize("memory", [1, 3, 10])
def test_a_short_memory_is_enough(memory):
    assert _passes(memory) < 100


def test_the_whole_hessian_saves_passes_where_it_may_be_formed():
    objective, size = logistic(0, rows=400, columns=40, l2=1e-6, scale=np.logspace(-2, 2, 40))
    # columns that are nearly alike, which no diagonal mends
    objective.rows.x[:, 1:20] += 30.0 * objective.rows.x[:, 20:21]
    asked = {"tolerance": 1e-9, "max_iterations": 5000}
    whole, never = (
        minimize(objective, np.zeros(size), LBFGS(whole=most), **asked) for most in (size, 0)
    )
    assert whole.status.ok
    assert whole.evaluations < 0.5 * never.evaluations
    assert whole.value <= never.value * (1.0 + 1e-12)


@pytest.mark.parametrize(("room", "pairs"), [(0, 10), (16 * 200 * 20, 20), (1 << 30, 30)])
def test_pairs_keep_to_their_room(room, pairs):
    class Flat:
        def curvature(self, b):
            return self

        def diagonal(self):
            return np.zeros(200)

    point = Point(np.zeros(200), 0.0, np.zeros(200))
    iteration = LBFGS(memory=30, room=room).start(Flat(), point)
    assert iteration._pairs.memory == pairs


def test_a_direction_that_leads_nowhere_is_no_move():
    class Kink:
        """|b|, whose gradient promises what a step from the kink cannot keep."""

        def value_and_gradient(self, b):
            return float(abs(b[0])), np.where(b >= 0.0, 1.0, -1.0)

        def curvature(self, b):
            return self

        def diagonal(self):
            return np.ones(1)

    found = minimize(Kink(), np.zeros(1), LBFGS(), tolerance=1e-9, max_iterations=10)
    assert found.coefficients[0] == pytest.approx(0.0, abs=1e-10)
    assert not found.status.ok or found.iterations <= 10
