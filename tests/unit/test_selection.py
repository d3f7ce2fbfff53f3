"""Feature selection against NumPy's correlations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.selection import best_features, correlations, drop_features, keep_best
from tests.ragged import sparse


def pointers(counts):
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def scores(matrices, labels, weights, intercept=1, run=correlations):
    """Return each entity's scores; `matrices` are dense, zeros are left out."""
    row_ptr = pointers([len(matrix) for matrix in matrices])
    feature_ptr = pointers([matrix.shape[1] for matrix in matrices])
    blocks = [sparse(*entity) for entity in zip(matrices, labels, weights, strict=True)]
    indptr = pointers(np.concatenate([np.diff(block.indptr) for block in blocks]))
    rest = [np.concatenate([block[k] for block in blocks]) for k in range(1, 5)]
    found = run(row_ptr, indptr, *rest, feature_ptr, intercept)
    return np.split(found, feature_ptr[1:-1])


def weighted_correlation(x, y, w):
    covariance = np.cov(x, y, aweights=w)
    return abs(covariance[0, 1]) / math.sqrt(covariance[0, 0] * covariance[1, 1])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 1e6]))
def test_correlations_are_those_of_numpy(seed, offset):
    rng = np.random.default_rng(seed)
    matrices = [rng.normal(size=(rows, 4)) for rows in rng.integers(5, 30, 3)]
    matrices = [np.where(rng.random(m.shape) < 0.6, m, 0.0) for m in matrices]
    labels = [m[:, 0] + rng.normal(size=len(m)) + offset for m in matrices]
    weights = [rng.uniform(0.1, 2.0, len(m)) for m in matrices]
    for run in (correlations, correlations.py_func):
        found = scores(matrices, labels, weights, run=run)
        for mine, x, y, w in zip(found, matrices, labels, weights, strict=True):
            for column in range(4):
                if np.ptp(x[:, column]):
                    expected = weighted_correlation(x[:, column], y, w)
                    assert mine[column] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("intercept", [0, 1])
def test_constants_have_no_correlation_but_may_stand_in_for_an_intercept(intercept):
    x = np.array([[1.0, 3.0, 1.0], [0.0, 3.0, 1.0], [2.0, 3.0, 1.0]]) * [1.0, 0.1, 1.0]
    y = np.array([0.0, 0.0, 1.0])
    found = scores([x], [y], [np.array([0.3, 1.7, 0.9])], intercept)[0]
    assert found[1:].tolist() == ([0.0, 0.0] if intercept else [1.0, 0.0])
    assert 0.0 < found[0] < 1.0
    alike = scores([x], [np.ones(3)], [np.ones(3)], intercept)[0]
    assert alike.tolist() == ([0.0, 0.0, 0.0] if intercept else [0.0, 1.0, 0.0])


def test_a_constant_of_many_rows_is_constant():
    """Sums of weights taken in another order differ by rounding."""
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=10_001), rng.uniform(0.1, 2.0, 10_001)
    for value in (0.1, 1.0, 3e7):
        x = np.full((10_001, 1), value)
        assert scores([x], [y], [weight], 1)[0].tolist() == [0.0]
        assert scores([x], [y], [weight], 0)[0].tolist() == [1.0]
    assert scores([y[:, None]], [np.full(10_001, 0.1)], [weight])[0].tolist() == [0.0]


def test_rows_of_no_weight_tell_nothing():
    x = np.random.default_rng(0).normal(size=(6, 3))
    y = np.arange(6.0)
    weight = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    assert scores([x], [y], [weight])[0] == pytest.approx(scores([x[:4]], [y[:4]], [weight[:4]])[0])
    assert scores([x], [y], [np.zeros(6)])[0].tolist() == [0.0] * 3


def test_a_feature_is_present_in_few_rows_of_a_large_constant_label():
    """Catastrophic cancellation would give anything here."""
    y = np.array([1e7, 1e7 + 0.1, 1e7 + 0.2])
    found = scores([np.array([[0.0], [0.1], [0.2]])], [y], [np.ones(3)])[0]
    assert found[0] == pytest.approx(1.0, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.lists(st.floats(0, 1), max_size=9)), min_size=1, max_size=5
    ),
    st.sampled_from([0.1, 0.5, 1 / 3, 1.0, 3.0]),
)
def test_the_best_stay(entities, ratio):
    row_ptr = pointers([rows for rows, _ in entities])
    feature_ptr = pointers([len(mine) for _, mine in entities])
    flat = np.array([score for _, mine in entities for score in mine])
    keep = best_features(row_ptr, feature_ptr, flat, ratio)
    for (rows, mine), first in zip(entities, feature_ptr, strict=False):
        kept = keep[first : first + len(mine)]
        assert kept.sum() == min(len(mine), math.ceil(ratio * rows - 1e-9))
        out = [score for score, stays in zip(mine, kept, strict=True) if not stays]
        least = min((score for score, stays in zip(mine, kept, strict=True) if stays), default=0)
        assert all(score <= least + 1e-9 for score in out)


def test_of_equals_the_first_stay():
    for run in (keep_best, keep_best.py_func):
        keep = np.ones(5, np.bool_)
        run(pointers([5]), np.array([7, 7, 3, 7, 7]), np.array([3]), keep)
        assert keep.tolist() == [True, True, True, False, False]


def test_a_ratio_in_decimals_is_meant_as_it_is_written():
    """0.1 * 30 is 3.0000000000000004 in binary: 3 features, not 4."""
    row_ptr, feature_ptr = pointers([30]), pointers([9])
    assert best_features(row_ptr, feature_ptr, np.linspace(0, 1, 9), 0.1).sum() == 3


@given(st.integers(0, 2**32 - 1))
def test_dropped_features_leave_the_rest_in_place(seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(0, 5, 3)
    matrices = [rng.normal(size=(rng.integers(1, 6), width)).round(2) for width in widths]
    row_ptr, feature_ptr = pointers([len(m) for m in matrices]), pointers(widths)
    keep = rng.random(feature_ptr[-1]) < 0.6
    blocks = [sparse(m, np.zeros(len(m))) for m in matrices]
    for run in (drop_features, drop_features.py_func):
        indptr = pointers(np.concatenate([np.diff(block.indptr) for block in blocks]))
        indices, values = (np.concatenate([b[k] for b in blocks]) for k in (1, 2))
        rows, kept_ptr = run(row_ptr, indptr, indices, values, feature_ptr, keep)
        for entity, matrix in enumerate(matrices):
            mine = keep[slice(*feature_ptr[entity : entity + 2])]
            assert kept_ptr[entity + 1] - kept_ptr[entity] == mine.sum()
            expected = matrix[:, mine]
            found = np.zeros(expected.shape)
            for row in range(len(matrix)):
                inside = slice(*rows[row_ptr[entity] + row : row_ptr[entity] + row + 2])
                found[row, indices[inside]] = values[inside]
            assert np.array_equal(found, expected)
