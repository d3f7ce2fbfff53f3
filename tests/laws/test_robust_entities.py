"""Whatever an entity's numbers: finite coefficients, and a status that tells how it went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.status import Status
from tests.ragged import Entity, entity, problem, solve

LOSSES = (Logistic(), Squared(), Poisson(), SmoothedHinge())
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)

# solved one by one, by Cholesky's factors and by conjugate gradients, or eight by eight
SHAPES = {"single": (1000, 22), "primal": (40, 4), "dual": (6, 30), "truncated": (140, 280)}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def batch(shape, change=lambda e, k: e, count=9):
    """Return entities of a shape; nine leave a last vector with one."""
    rows, width = shape
    return [change(entity(k, rows=rows, width=width), k) for k in range(count)]


def check(found, *, converged=True):
    """Refuse NaN and infinite numbers anywhere."""
    assert np.all(np.isfinite(found.flat))
    assert np.all(np.isfinite(found.outcome.objective))
    assert all(np.all(np.isfinite(margin)) for margin in found.margins)
    if converged:
        assert found.outcome.status.tolist() == [Status.CONVERGED] * len(found.coefficients)
        assert found.outcome.gradient.max() <= 1e-6


def gradient(e, b, loss, l2):
    """Return an entity's gradient, its terms one by one in plain Python."""
    design = np.hstack([np.ones((len(e.label), 1)), e.matrix])
    margin = design @ b + e.offset
    slope = [loss.d1(s, y) for s, y in zip(margin.tolist(), e.label.tolist(), strict=True)]
    return design.T @ (e.weight * np.array(slope)) + l2 * b


@losses
@shapes
def test_every_way_ends_where_the_gradient_is_zero(loss, shape):
    entities = batch(shape)
    found = solve(entities, problem(0.5), loss)
    check(found)
    for e, b in zip(entities, found.coefficients, strict=True):
        at_zero = np.linalg.norm(gradient(e, np.zeros_like(b), loss, 0.0))
        assert np.linalg.norm(gradient(e, b, loss, 0.5)) <= 1e-9 * at_zero


@losses
@shapes
@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
def test_features_of_any_scale(loss, shape, scale):
    entities = batch(shape, lambda e, k: e._replace(matrix=scale * e.matrix))
    found = solve(entities, problem(1.0, limit=2000), loss)
    check(found, converged=scale <= 1e4)


@losses
@shapes
@pytest.mark.parametrize("l2", [0.0, 1e-9])
def test_separable_entities_without_a_penalty_to_speak_of(loss, shape, l2):
    def separate(e, k):
        return e._replace(label=(e.matrix[:, 0] > 0.0) * 1.0)

    found = solve(batch(shape, separate), problem(l2, limit=50), loss)
    check(found, converged=False)
    ended = {Status.CONVERGED, Status.ITERATION_LIMIT, Status.NO_PROGRESS, Status.BOUNDED}
    assert set(found.outcome.status.tolist()) <= ended


@losses
@shapes
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("intercept_l2", [None, 0.0])
def test_labels_of_one_class(loss, shape, label, intercept_l2):
    same = batch(shape, lambda e, k: e._replace(label=np.full_like(e.label, label)))
    found = solve(same, problem(0.5, intercept_l2=intercept_l2), loss)
    check(found, converged=False)
    assert set(found.outcome.status.tolist()) <= {Status.CONVERGED, Status.BOUNDED}


@losses
@shapes
def test_constant_columns_and_columns_of_zeros(loss, shape):
    def flatten(e, k):
        e.matrix[:, 0] = 3.0
        e.matrix[:, 1] = 0.0
        return e

    check(solve(batch(shape, flatten), problem(0.1), loss))


@shapes
@pytest.mark.parametrize("offset", [-800.0, -50.0, 0.0, 20.0, 800.0])
@pytest.mark.parametrize("count", [0.0, 1.0, 1e6])
def test_counts_and_offsets_that_overflow_the_exponential(shape, offset, count):
    def change(e, k):
        label = np.random.default_rng(k).poisson(count, len(e.label)).astype(float)
        return e._replace(label=label, offset=np.full_like(e.offset, offset))

    found = solve(batch(shape, change), problem(1.0), Poisson())
    assert np.all(np.isfinite(found.flat))
    told = found.outcome.status != Status.CONVERGED
    assert np.all(np.isfinite(found.outcome.objective) | told)
    if offset < 700.0:
        check(found)
    else:
        assert found.outcome.status.tolist() == [Status.NOT_FINITE] * 9


@losses
@shapes
def test_entities_whose_rows_count_nothing(loss, shape):
    silent = batch(shape, lambda e, k: e._replace(weight=np.zeros_like(e.weight)))
    found = solve(silent, problem(), loss)
    check(found)
    assert not found.flat.any()


@losses
def test_entities_without_rows_stay_at_zero(loss):
    nothing = entity(0, rows=0, width=3)
    entities = [nothing, *batch((12, 4)), nothing]
    found = solve(entities, problem(), loss)
    check(found)
    assert not found.coefficients[0].any()
    assert not found.coefficients[-1].any()


@losses
@shapes
def test_weight_two_is_two_copies_on_every_way(loss, shape):
    once = batch(shape, lambda e, k: e._replace(weight=2.0 * e.weight))
    twice = [Entity(*(np.concatenate([column, column]) for column in e)) for e in batch(shape)]
    tight = problem(0.5, tolerance=1e-12)
    a, b = solve(once, tight, loss), solve(twice, tight, loss)
    np.testing.assert_allclose(a.flat, b.flat, atol=1e-8)


@losses
@given(st.lists(st.sampled_from(list(SHAPES)), min_size=1, max_size=12), st.data())
def test_neighbours_change_no_bit_of_an_entity(loss, names, data):
    entities = [entity(k, *SHAPES[name]) for k, name in enumerate(names)]
    k = data.draw(st.integers(0, len(names) - 1))
    together, alone = solve(entities, problem(), loss), solve([entities[k]], problem(), loss)
    assert np.array_equal(together.coefficients[k], alone.flat)
    assert np.array_equal(together.margins[k], alone.margins[0])
    assert together.outcome.iterations[k] == alone.outcome.iterations[0]


@losses
@shapes
def test_a_start_near_the_optimum_takes_few_iterations(loss, shape):
    entities = batch(shape)
    cold = solve(entities, problem(0.5), loss)
    rng = np.random.default_rng(0)
    near = [b + 1e-4 * rng.normal(size=len(b)) for b in cold.coefficients]
    warm = solve(entities, problem(0.5), loss, start=near)
    check(warm)
    np.testing.assert_allclose(warm.flat, cold.flat, atol=1e-7)
    # a hinge's curvature jumps
    assert warm.outcome.iterations.max() <= (8 if isinstance(loss, SmoothedHinge) else 4)
