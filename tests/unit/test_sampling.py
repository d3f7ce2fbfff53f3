"""Which rows train, against sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.sampling import (
    Sampling,
    Thinning,
    active_rows,
    exceeds,
    keep_least,
    nth_least,
    thinned,
)

# few values, so that some are equal
HASHES = st.lists(st.integers(0, 20), max_size=60)


def pointers(counts):
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


@given(HASHES.filter(bool), st.data())
def test_nth_least_is_that_of_sorting(hashes, data):
    n = data.draw(st.integers(0, len(hashes) - 1))
    for run in (nth_least, nth_least.py_func):
        assert run(np.array(hashes, np.uint64), n) == sorted(hashes)[n]


@given(st.lists(HASHES, max_size=6), st.integers(1, 8))
def test_the_exact_cap_keeps_the_least_hashes(entities, most):
    flat = np.array([value for hashes in entities for value in hashes], np.uint64)
    row_ptr = pointers([len(hashes) for hashes in entities])
    for run in (keep_least, keep_least.py_func):
        active = np.ones(len(flat), np.bool_)
        run(row_ptr, most, flat, active)
        for entity, hashes in enumerate(entities):
            kept = np.flatnonzero(active[slice(*row_ptr[entity : entity + 2])])
            # Python's sort is stable: of equal hashes the first rows stay
            expected = sorted(range(len(hashes)), key=hashes.__getitem__)[:most]
            assert kept.tolist() == sorted(expected)


@given(st.lists(HASHES, min_size=1, max_size=6), st.integers(1, 8))
def test_hash_groups_are_those_of_gdmix(entities, most):
    flat = np.array([value for hashes in entities for value in hashes], np.uint64)
    row_ptr = pointers([len(hashes) for hashes in entities])
    sampling = Sampling(upper=most, kind="hash_groups")
    active = active_rows(sampling, row_ptr, np.zeros(len(entities), np.bool_), flat)
    for entity, hashes in enumerate(entities):
        mine = active[slice(*row_ptr[entity : entity + 2])]
        groups = [value % (len(hashes) // most + 1) for value in hashes]
        chosen = {groups[k] for k in np.flatnonzero(mine)}
        assert len(chosen) == bool(hashes)
        assert mine.tolist() == [group in chosen for group in groups]


def test_hash_groups_hold_about_the_bound():
    hashes = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    sampling = Sampling(upper=1000, kind="hash_groups")
    active = active_rows(sampling, pointers([100_000]), np.zeros(1, np.bool_), hashes)
    assert 850 < active.sum() < 1150


def test_the_lower_bound_and_who_is_spared():
    row_ptr = pointers([1, 2, 3, 0, 4])
    spared = np.array([True, False, False, True, False])
    active = active_rows(Sampling(lower=3), row_ptr, spared, None)
    assert active.tolist() == [True] + [False] * 2 + [True] * 7
    hashes = np.arange(10, dtype=np.uint64)
    active = active_rows(Sampling(lower=4, upper=2), row_ptr, np.zeros(5, np.bool_), hashes)
    assert active.tolist() == [False] * 6 + [True, True, False, False]


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), False),
        (Sampling(upper=4), False),
        (Sampling(upper=3), True),
        (Sampling(upper=4, kind="hash_groups"), True),
        (Sampling(upper=5, kind="hash_groups"), False),
    ],
)
def test_hashes_are_asked_for_only_where_they_are_needed(sampling, expected):
    assert exceeds(sampling, pointers([2, 4, 1])) is expected
    assert not exceeds(sampling, pointers([]))


def test_thinning_takes_its_share():
    hashes = np.random.default_rng(1).integers(0, 2**64, 50_000, dtype=np.uint64)
    label = (np.arange(50_000) % 5 == 0).astype(float)
    stays = thinned(Thinning(0.3, False, ""), hashes, label)
    assert abs(stays.mean() - 0.3) < 0.015
    negatives = thinned(Thinning(0.3, True, ""), hashes, label)
    assert negatives[label > 0].all()
    assert np.array_equal(negatives[label == 0], stays[label == 0])
    # a larger share holds the smaller one
    assert not (stays & ~thinned(Thinning(0.4, False, ""), hashes, label)).any()
    assert thinned(Thinning(1.0, False, ""), hashes, label).all()
