"""Layouts of an earlier model moved and merged, against dictionaries."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.engine import EntityTable
from gdmix.glm.alignment import merge_layouts
from gdmix.glm.groups import Outcome
from gdmix.models.carrying import moved_entities, moved_linear, with_kept
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel

WIDTH = 6

# entity id -> feature -> coefficient
models = st.dictionaries(
    st.integers(0, 8), st.dictionaries(st.integers(0, WIDTH - 1), st.floats(-5.0, 5.0)), max_size=6
)


def layout(model, intercept, *, variances=True):
    """Return a table; an entity's intercept is its id, its samples and outcome follow from it."""
    ids = sorted(model)
    numbers = []
    for entity in ids:
        numbers += [float(entity)] * intercept + [model[entity][f] for f in sorted(model[entity])]
    spread = np.array([abs(number) + 1.0 for number in numbers]) if variances else None
    outcome = Outcome(*(np.array(ids, dtype) for dtype in ("i1", "i4", "f8", "f8", "f8")))
    return EntityTable(
        pa.array(ids, pa.int64()),
        np.array(ids, np.int64) + 100,
        np.cumsum([0] + [len(model[entity]) for entity in ids]),
        np.array([f for entity in ids for f in sorted(model[entity])], np.int32),
        np.array(numbers, np.float64),
        outcome,
        spread,
    )


def same(found, expected):
    assert found.ids.equals(expected.ids)
    for name in ("samples", "feature_ptr", "features", "coefficients", "variances"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            assert mine.dtype == theirs.dtype, name
            np.testing.assert_array_equal(mine, theirs, name)
    for mine, theirs in zip(found.outcome, expected.outcome, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("intercept", [0, 1])
@given(new=models, old=models)
def test_what_is_kept_is_that_of_dictionaries(intercept, new, old):
    found, kept = with_kept(layout(new, intercept), layout(old, intercept), intercept)
    merged = {entity: old.get(entity, {}) | new.get(entity, {}) for entity in {*new, *old}}
    same(found, layout(merged, intercept))
    # every coefficient of the old model is kept or learnt anew
    again = sum(len(old[entity].keys() & new[entity].keys()) for entity in old.keys() & new.keys())
    again += intercept * len(old.keys() & new.keys())
    assert len(set(kept.tolist())) == len(kept) == len(layout(old, intercept).coefficients) - again


@pytest.mark.parametrize("intercept", [0, 1])
def test_variances_of_one_side_alone(intercept):
    new, old = {1: {0: 2.0}, 3: {1: 4.0}}, {1: {1: 5.0}, 2: {0: 6.0}}
    bare = with_kept(layout(new, intercept, variances=False), layout(old, intercept), intercept)
    assert bare[0].variances is None
    table, _ = with_kept(layout(new, intercept), layout(old, intercept, variances=False), intercept)
    nan = [np.nan]
    one, two, three = [2.0] * intercept, nan * intercept, [4.0] * intercept
    expected = [*one, 3.0, *nan, *two, *nan, *three, 5.0]
    np.testing.assert_array_equal(table.variances, expected)


@pytest.mark.parametrize("intercept", [0, 1])
@given(model=models, seed=st.integers(0, 1000))
def test_moved_entities_are_those_of_dictionaries(intercept, model, seed):
    rng = np.random.default_rng(seed)
    position = rng.permutation(WIDTH + 2)[:WIDTH].astype(np.int32)
    position[rng.random(WIDTH) < 0.3] = -1
    part = EntityModel("old", "user", intercept, layout(model, intercept))
    moved = moved_entities(part, "new", position)
    assert (moved.shard, moved.entity, moved.intercept) == ("new", "user", intercept)
    expected = {
        entity: {int(position[f]): value for f, value in mine.items() if position[f] >= 0}
        for entity, mine in model.items()
    }
    same(moved.table, layout(expected, intercept))


@pytest.mark.parametrize("intercept", [0, 1])
def test_moved_linear(intercept):
    head = [7.0] * intercept
    part = LinearModel("old", intercept, np.array([*head, 1.0, 2.0, 3.0]), np.ones(3 + intercept))
    moved = moved_linear(part, "new", np.array([3, -1, 0], np.int32), 4)
    assert moved.coefficients.tolist() == [*head, 3.0, 0.0, 0.0, 1.0]
    unknown = [np.nan, np.nan]
    np.testing.assert_array_equal(moved.variances, [1.0] * intercept + [1.0, *unknown, 1.0])
    bare = LinearModel("old", intercept, part.coefficients)
    assert moved_linear(bare, "new", np.zeros(3, np.int32), 4).variances is None


def test_merging_as_plain_python():
    pointers, features, source = np.zeros(3, np.int64), np.empty(4, np.int32), np.empty(6, np.int64)
    merge_layouts.py_func(
        np.array([0, -1], np.int32),
        np.array([0, 1], np.int32),
        np.array([0, 2]),
        np.array([1, 4], np.int32),
        np.array([0, 1, 2]),
        np.array([2, 0], np.int32),
        1,
        pointers,
        features,
        source,
    )
    assert pointers.tolist() == [0, 3, 4]
    assert features.tolist() == [1, 2, 4, 0]
    # first: intercept 0, features 1, 2; second: intercepts 0 and 2, features 1 and 3
    assert source.tolist() == [0, 1, -2, 2, -3, -4]
