"""Entities with many more rows than coefficients: Hessians of some rows, the same optimum."""

import numpy as np
import pytest

from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from gdmix.glm.secant import share_of_rows
from gdmix.glm.status import Status
from gdmix.jit import kernel
from tests.ragged import LOSSES, entity, newton, objective, problem, solve, sparse

WIDTH, ROWS = 40, 2500


@kernel
def share(rows, size):
    """Kernels without an entry from Python are called by one that has it."""
    return share_of_rows(rows, size)


def long(seed, *, sparsely=False):
    """Return an entity that is long enough; rows with most features, or with all of them."""
    e = entity(seed, ROWS, WIDTH, scale=0.3)
    if sparsely:
        e.matrix[np.random.default_rng(seed).random(e.matrix.shape) < 0.1] = 0.0
    return e


def test_long_entities_alone_do_with_some_rows():
    block = sparse(np.ones((ROWS, WIDTH)), np.zeros(ROWS))
    assert share(block, np.int64(WIDTH + 1)) > 1
    few = sparse(np.ones((2 * WIDTH, WIDTH)), np.zeros(2 * WIDTH))
    assert share(few, np.int64(WIDTH + 1)) == 1


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize(("intercept", "intercept_l2"), [(0, 1.0), (1, 1.0), (1, 0.0)])
@pytest.mark.parametrize("start", [0.0, 0.3, -3.0])
def test_it_is_the_optimum_of_all_rows(loss, sparsely, intercept, intercept_l2, start):
    e = long(3, sparsely=sparsely)
    asked = problem(1.0, intercept, intercept_l2)
    found = solve([e], asked, loss, start=[np.full(intercept + WIDTH, start)])
    assert found.outcome.status[0] == Status.CONVERGED
    least, where = newton(e, asked, loss)
    assert objective(e, found.flat, asked, loss)[0] <= least * (1.0 + 1e-12)
    np.testing.assert_allclose(found.flat, where, atol=1e-7)


@pytest.mark.parametrize("loss", [Logistic(), Squared(), Poisson(), SmoothedHinge()])
def test_every_loss_ends_where_its_gradient_is_zero(loss):
    e = long(4)
    found = solve([e], problem(0.5, tolerance=1e-9), loss)
    assert found.outcome.status[0] == Status.CONVERGED
    design = np.hstack([np.ones((ROWS, 1)), e.matrix])
    margin = design @ found.flat + e.offset
    slopes = [loss.d1(s, y) for s, y in zip(margin, e.label, strict=True)]
    at_zero = [loss.d1(s, y) for s, y in zip(e.offset, e.label, strict=True)]
    gradient = design.T @ (e.weight * slopes) + 0.5 * found.flat
    assert np.linalg.norm(gradient) <= 2e-9 * np.linalg.norm(design.T @ (e.weight * at_zero))


@pytest.mark.parametrize("start", [0.0, 2.0])
def test_an_optimum_beyond_the_bound_is_held_there(start):
    e = long(5)._replace(offset=np.full(ROWS, 4.0))
    asked = problem(intercept_l2=0.0, bound=2.0)
    found = solve([e], asked, start=[np.full(1 + WIDTH, start)])
    assert found.outcome.status[0] == Status.BOUNDED
    assert found.flat[0] == -2.0
    least = newton(e, asked, fixed_intercept=-2.0)[0]
    assert objective(e, found.flat, asked)[0] <= least * (1.0 + 1e-10)


def test_rows_that_are_sorted_cost_iterations_alone():
    """The rows that are taken may be unlike the rest: sorted by label and size, in runs."""
    e = long(6)
    order = np.lexsort([np.abs(e.matrix[:, 0]), np.arange(ROWS) // 64 % 8, e.label])
    mixed = type(e)(*(column[order] for column in e))
    mixed.matrix[np.arange(ROWS) // 64 % 5 > 0, 3] = 0.0
    asked = problem(1.0)
    found = solve([mixed], asked)
    assert found.outcome.status[0] == Status.CONVERGED
    assert objective(mixed, found.flat, asked)[0] <= newton(mixed, asked)[0] * (1.0 + 1e-12)


def test_neighbours_and_cuts_change_no_bit():
    entities = [long(7), entity(8, 30, 4), long(9)]
    together, alone = solve(entities, problem()), solve(entities[2:], problem())
    assert np.array_equal(together.coefficients[2], alone.flat)
    assert np.array_equal(solve(entities, problem(), cuts=[1]).flat, together.flat)
