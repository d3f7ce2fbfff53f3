"""What must hold for any entity, whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from gdmix.metrics import Lists, Sample, parse
from tests.ragged import Entity, entity, objective, problem, solve

shapes = st.tuples(st.integers(0, 10_000), st.integers(2, 20), st.integers(0, 6))
batches = st.lists(shapes, min_size=2, max_size=8).map(lambda many: [entity(*s) for s in many])
TIGHT = problem(tolerance=1e-13)


@given(batches, st.data())
def test_splitting_a_run_anywhere_changes_no_bit(entities, data):
    cuts = data.draw(st.lists(st.integers(0, len(entities)), max_size=4).map(sorted))
    whole, split = solve(entities, problem()), solve(entities, problem(), cuts=cuts)
    assert np.array_equal(whole.flat, split.flat)
    assert np.array_equal(np.concatenate(whole.margins), np.concatenate(split.margins))
    for a, b in zip(whole.outcome, split.outcome, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("shapes", [[(4, 4), (11, 0)], [(4, 20)] * 8 + [(40, 1)], [(60, 2)] * 3])
def test_long_and_wide_neighbours_are_solved_as_alone(shapes):
    entities = [entity(seed, *shape) for seed, shape in enumerate(shapes)]
    together, alone = solve(entities, TIGHT), [solve([e], TIGHT) for e in entities]
    assert np.array_equal(together.flat, np.concatenate([one.flat for one in alone]))


@given(shapes, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(shape, random):
    e = entity(*shape)
    order = list(range(len(e.label)))
    random.shuffle(order)
    permuted = Entity(*(column[order] for column in e))
    a, b = solve([e], TIGHT).flat, solve([permuted], TIGHT).flat
    assert_allclose(a, b, atol=1e-10)


@given(shapes)
def test_weight_two_is_two_copies(shape):
    e = entity(*shape)
    heavy = e._replace(weight=2.0 * e.weight)
    copies = Entity(*(np.concatenate([column, column]) for column in e))
    a, b = solve([heavy], TIGHT), solve([copies], TIGHT)
    assert_allclose(a.flat, b.flat, atol=1e-10)
    assert_allclose(a.outcome.objective, b.outcome.objective, rtol=1e-12)


@given(shapes)
def test_rows_without_weight_do_not_matter(shape):
    e, other = entity(*shape), entity(shape[0] + 1, *shape[1:])
    padded = Entity(*(np.concatenate(pair) for pair in zip(e, other, strict=True)))
    padded.weight[len(e.label) :] = 0.0
    assert_allclose(solve([e], TIGHT).flat, solve([padded], TIGHT).flat, atol=1e-10)


@given(st.integers(0, 10_000), st.floats(-3.0, 3.0))
def test_a_free_intercept_takes_up_a_shift_of_the_offset(seed, shift):
    e = entity(seed, rows=30, width=3)
    e.label[:2] = 0.0, 1.0
    asked = problem(intercept_l2=0.0, tolerance=1e-13, bound=1e3)
    a, b = solve([e], asked), solve([e._replace(offset=e.offset + shift)], asked)
    assert_allclose(a.flat[1:], b.flat[1:], atol=1e-9)
    assert_allclose(a.flat[0], b.flat[0] + shift, atol=1e-9)


@given(shapes, st.integers(0, 100))
def test_the_optimum_does_not_depend_on_the_start(shape, seed):
    e = entity(*shape)
    start = [3.0 * np.random.default_rng(seed).normal(size=1 + e.matrix.shape[1])]
    assert_allclose(solve([e], TIGHT).flat, solve([e], TIGHT, start=start).flat, atol=1e-9)


@given(shapes, st.integers(0, 100))
def test_a_solve_never_raises_the_objective(shape, seed):
    e = entity(*shape)
    start = 3.0 * np.random.default_rng(seed).normal(size=1 + e.matrix.shape[1])
    before = objective(e, start, problem())[0]
    for limit in (1, 2, 5):
        found = solve([e], problem(limit=limit), start=[start])
        assert found.outcome.objective[0] <= before * (1.0 + 1e-14)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30),
    st.integers(0, 1000),
)
def test_auc_of_the_negated_score_is_the_rest_to_one(score, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, len(score)).astype(float)
    label[:2] = 0.0, 1.0
    weight = rng.random(len(score)) + 0.1
    score = np.array(score)
    area, rest = (parse("auc").values(Lists(Sample(label, s, weight)))[0] for s in (score, -score))
    assert_allclose(area + rest, 1.0, rtol=1e-12)
