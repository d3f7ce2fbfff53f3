import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.glm.groups import DENSE_LIMIT
from gdmix.glm.losses import Squared
from gdmix.glm.status import Status
from tests.ragged import LOSSES, Entity, entity, newton, objective, problem, solve

losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def check(entities, asked, loss=LOSSES[0], rel=1e-8, start=None):
    """Solve, and compare every entity with the dense reference; return what was found."""
    found = solve(entities, asked, loss, start)
    assert np.all(np.isfinite(found.flat))
    for k, (e, b) in enumerate(zip(entities, found.coefficients, strict=True)):
        assert found.outcome.status[k] == Status.CONVERGED
        value = objective(e, b, asked, loss)[0]
        least, _ = newton(e, asked, loss)
        assert value <= least * (1.0 + rel) + 1e-13
        assert found.outcome.objective[k] == pytest.approx(value, rel=1e-12, abs=1e-13)
        own = e.matrix @ b[asked.intercept :] + asked.intercept * b[:1].sum()
        size = 1.0 + np.abs(e.offset).max(initial=0.0)
        np.testing.assert_allclose(found.margins[k], e.offset + own, rtol=1e-12, atol=1e-12 * size)
    return found


@losses
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000),
            st.integers(1, 15),
            st.integers(0, 8),
            st.sampled_from([1e-2, 1.0, 10.0]),
            st.sampled_from([0.0, 1.0, 5.0]),
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.01, 1.0, 30.0]),
    st.sampled_from([0, 1]),
)
def test_ragged_entities_reach_their_optimum(loss, shapes, l2, intercept):
    check([entity(*shape) for shape in shapes], problem(l2, intercept), loss)


def test_a_well_separated_entity_reaches_a_tight_tolerance():
    """Its whole loss is small beside its margins: their rounding must not hide the progress."""
    check([entity(8, rows=7, width=3, scale=10.0, offset=0.0)], problem(0.01))


@losses
def test_a_free_intercept_inside_its_bound(loss):
    entities = [entity(k, rows=20, width=3) for k in range(10)]
    check(entities, problem(intercept_l2=0.0), loss)


@losses
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("intercept", [0, 1])
def test_no_features(loss, rows, intercept):
    check([entity(k, rows=rows, width=0) for k in range(4)], problem(intercept=intercept), loss)


@losses
@pytest.mark.parametrize("width", [1, 5, 40])
def test_one_row(loss, width):
    check([entity(k, rows=1, width=width) for k in range(4)], problem(), loss)


def test_one_class_with_a_penalized_intercept():
    entities = [entity(k)._replace(label=np.full(12, k % 2.0)) for k in range(4)]
    check(entities, problem())


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("bound", [2.0, 10.0])
@pytest.mark.parametrize("offset", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("start", [None, "outside", "inside"])
def test_one_class_with_a_free_intercept_stops_at_the_bound(label, bound, offset, start):
    entities = [
        entity(k, width=k, offset=offset)._replace(label=np.full(12, label)) for k in range(4)
    ]
    asked = problem(intercept_l2=0.0, bound=bound)
    begin = None
    if start is not None:
        far = 3.0 * bound if start == "outside" else -0.999 * bound
        begin = [np.full(1 + k, far if k % 2 else -far) for k in range(4)]
    found = solve(entities, asked, start=begin)
    for k, (e, b) in enumerate(zip(entities, found.coefficients, strict=True)):
        assert found.outcome.status[k] == Status.BOUNDED
        assert b[0] == (bound if label else -bound)
        value = objective(e, b, asked)[0]
        assert value <= newton(e, asked, fixed_intercept=b[0])[0] * (1.0 + 1e-8)
        assert found.outcome.objective[k] == pytest.approx(value, rel=1e-12)


def test_an_intercept_leaves_its_bound_when_it_should():
    entities = [entity(k, rows=30, width=3) for k in range(6)]
    asked = problem(intercept_l2=0.0, bound=3.0)
    for sign in (-1.0, 1.0):
        check(entities, asked, start=[np.full(4, sign * 3.0)] * 6)
        check(entities, asked, start=[np.full(4, sign * 50.0)] * 6)


def test_an_optimum_beyond_the_bound_is_held_there():
    # the free optimum of the intercept is near -4 to balance the offset
    entities = [entity(k, rows=40)._replace(offset=np.full(40, 4.0)) for k in range(6)]
    asked = problem(intercept_l2=0.0, bound=2.0)
    found = solve(entities, asked)
    for e, b in zip(entities, found.coefficients, strict=True):
        assert b[0] == -2.0
        least = newton(e, asked, fixed_intercept=-2.0)[0]
        assert objective(e, b, asked)[0] <= least * (1.0 + 1e-8)
    assert np.all(found.outcome.status == Status.BOUNDED)


@pytest.mark.parametrize("intercept_l2", [0.0, 1.0])
def test_no_weight_leaves_the_penalty_alone(intercept_l2):
    entities = [entity(k)._replace(weight=np.zeros(12)) for k in range(3)]
    asked = problem(intercept_l2=intercept_l2)
    cold = solve(entities, asked)
    assert np.all(cold.flat == 0.0)
    assert np.all(cold.outcome.status == Status.CONVERGED)
    warm = solve(entities, asked, start=[np.full(5, 0.7)] * 3)
    assert np.all(warm.outcome.status == Status.CONVERGED)
    assert np.all(warm.outcome.iterations <= 2)
    for b in warm.coefficients:
        np.testing.assert_allclose(b[1:], 0.0, atol=1e-13)
        assert b[0] == (0.7 if intercept_l2 == 0.0 else pytest.approx(0.0, abs=1e-13))


@pytest.mark.parametrize("l2", [0.01, 1.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0, 0.0])
def test_huge_offsets(l2, sign):
    entities = []
    for k in range(8):
        e = entity(k)
        offset = np.full(12, 50.0 * sign) if sign else np.where(e.label == k % 2, 50.0, -50.0)
        entities.append(e._replace(offset=offset))
    check(entities, problem(l2))


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1e4, 1e6])
@pytest.mark.parametrize("intercept", [0, 1])
def test_features_of_huge_and_tiny_scale(scale, intercept):
    check([entity(k, scale=scale) for k in range(6)], problem(intercept=intercept))


@pytest.mark.parametrize("l2", [1e-8, 1e-3, 1.0])
def test_features_of_very_different_scale(l2):
    entities = []
    for k in range(6):
        e = entity(k, rows=80, width=5)
        entities.append(e._replace(matrix=e.matrix * np.logspace(-4, 4, 5)))
    # the gradient's norm is that of the largest feature: the smallest needs a tight tolerance
    check(entities, problem(l2, tolerance=1e-13))


@losses
@pytest.mark.parametrize("l2", [1e-4, 1.0])
def test_more_features_than_rows_and_equal_columns(loss, l2):
    entities = [entity(k, rows=5, width=30) for k in range(4)]
    same = entity(9, rows=30, width=6)
    same.matrix[:, 3:] = same.matrix[:, :3]
    check([*entities, same], problem(l2), loss)


def test_without_any_penalty():
    entities = [entity(k, rows=60, width=3) for k in range(5)]
    equal = entity(9, rows=60, width=4)
    equal.matrix[:, 2:] = equal.matrix[:, :2]
    check([*entities, equal], problem(0.0))


@losses
@pytest.mark.parametrize("intercept_l2", [0.0, 1.0])
@pytest.mark.parametrize("start", [False, True])
def test_many_coefficients_go_by_conjugate_gradients(loss, intercept_l2, start):
    width = DENSE_LIMIT + 60
    entities = [entity(k, rows=r, width=width) for k, r in enumerate((5, 80, 400))]
    entities.insert(1, entity(7))
    begin = [np.full(1 + e.matrix.shape[1], 0.1) for e in entities] if start else None
    check(entities, problem(5.0, intercept_l2=intercept_l2), loss, start=begin)


def test_conjugate_gradients_with_the_intercept_at_its_bound():
    e = entity(3, rows=50, width=DENSE_LIMIT + 20)._replace(label=np.ones(50))
    asked = problem(5.0, intercept_l2=0.0)
    found = solve([e], asked)
    assert found.outcome.status[0] == Status.BOUNDED
    assert found.flat[0] == 10.0
    least = newton(e, asked, fixed_intercept=10.0)[0]
    assert objective(e, found.flat, asked)[0] <= least * (1.0 + 1e-8)


def test_the_sizes_around_the_limit_agree():
    rng = np.random.default_rng(0)
    for width in (DENSE_LIMIT - 1, DENSE_LIMIT):
        e = Entity(
            rng.normal(size=(40, width)), rng.integers(0, 2, 40) * 1.0, np.ones(40), np.zeros(40)
        )
        check([e], problem())


@losses
def test_a_start_at_the_optimum_stays_there(loss):
    entities = [entity(k) for k in range(5)]
    there = solve(entities, problem(tolerance=1e-12), loss)
    again = solve(entities, problem(tolerance=1e-8), loss, start=there.coefficients)
    assert np.all(again.outcome.iterations == 0)
    assert np.array_equal(again.flat, there.flat)


def test_the_limit_is_kept_and_told():
    found = solve([entity(0)], problem(0.01, limit=1, tolerance=1e-12))
    assert found.outcome.status[0] == Status.ITERATION_LIMIT
    assert found.outcome.iterations[0] == 1


def test_a_tolerance_below_rounding_stops_as_converged():
    found = solve([entity(k) for k in range(20)], problem(tolerance=1e-300))
    assert np.all(found.outcome.status == Status.CONVERGED)
    assert found.outcome.iterations.max() < 20
    assert found.outcome.gradient.max() < 1e-12


@losses
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("where", ["matrix", "offset", "label", "weight"])
def test_input_that_is_not_finite_never_gives_nan_coefficients(loss, bad, where):
    broken = entity(0)
    getattr(broken, where)[3] = bad
    healthy = [entity(1), entity(2)]
    found = solve([healthy[0], broken, healthy[1]], problem(), loss)
    assert np.all(np.isfinite(found.flat))
    assert found.outcome.status[[0, 2]].tolist() == [Status.CONVERGED, Status.CONVERGED]
    alone = solve(healthy, problem(), loss)
    assert np.array_equal(found.coefficients[2], alone.coefficients[1])
    if not np.isfinite(bad):
        assert found.outcome.status[1] == Status.NOT_FINITE


def test_squared_loss_is_closed_form_ridge_in_one_or_two_steps():
    entities = [entity(k, rows=20, width=5)._replace(weight=np.ones(20)) for k in range(4)]
    found = solve(entities, problem(2.0, intercept_l2=0.0, bound=1e6), Squared())
    for e, b in zip(entities, found.coefficients, strict=True):
        x = np.hstack([np.ones((20, 1)), e.matrix])
        exact = np.linalg.solve(x.T @ x + np.diag([0.0] + [2.0] * 5), x.T @ (e.label - e.offset))
        np.testing.assert_allclose(b, exact, rtol=1e-11, atol=1e-13)
    assert found.outcome.iterations.max() <= 2


def test_no_entities():
    assert len(solve([entity(0)], problem(), cuts=[0]).flat) == 5
