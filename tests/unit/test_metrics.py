import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    roc_auc_score,
)

from gdmix.metrics import METRICS, auc, grouped_auc

# few distinct scores: many ties
rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0]),
        st.integers(-3, 3).map(lambda k: k / 2.0),
        st.sampled_from([0.0, 0.25, 1.0, 3.0]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=40,
)


def _columns(rows):
    label, score, weight, group = (np.array(column) for column in zip(*rows, strict=True))
    return label, score, weight, group


def _reference(label, score, weight):
    if len({y for y, w in zip(label, weight, strict=True) if w > 0.0}) < 2:
        return np.nan
    return roc_auc_score(label, score, sample_weight=weight)


@given(rows)
def test_auc_is_that_of_scikit_learn(rows):
    label, score, weight, _ = _columns(rows)
    np.testing.assert_allclose(
        auc(label, score, weight), _reference(label, score, weight), rtol=1e-12
    )


@given(rows)
def test_grouped_auc_is_that_of_each_group(rows):
    label, score, weight, group = _columns(rows)
    expected = [
        _reference(label[group == g], score[group == g], weight[group == g]) for g in range(5)
    ]
    found = grouped_auc(label, score, weight, group, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_auc_of_many_rows():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 20_000).astype(float)
    score = np.round(rng.normal(size=20_000) + label, 2)
    weight = rng.random(20_000) * 1e6
    assert auc(label, score, weight) == pytest.approx(
        roc_auc_score(label, score, sample_weight=weight), rel=1e-12
    )


def test_a_small_group_after_a_heavy_one_keeps_its_digits():
    label, score = np.array([0.0, 1, 0, 1, 0, 1]), np.array([1.0, 2, 1, 2, 2, 1])
    weight, group = np.array([1e15, 1e15, 0.1, 0.1, 0.2, 0.3]), np.array([0, 0, 1, 1, 1, 1])
    expected = _reference(label[2:], score[2:], weight[2:])
    assert grouped_auc(label, score, weight, group, 2)[1] == pytest.approx(expected, rel=1e-12)


def test_no_rows():
    none = np.zeros(0)
    assert np.isnan(auc(none, none, none))
    assert all(np.isnan(metric.function(none, none, none)) for metric in METRICS.values())


@given(rows)
def test_pointwise_metrics_are_those_of_scikit_learn(rows):
    label, score, weight, _ = _columns(rows)
    if not weight.any():
        return
    found = {name: metric.function(label, score, weight) for name, metric in METRICS.items()}
    p = 1.0 / (1.0 + np.exp(-score))
    w = {"sample_weight": weight}
    assert found["logistic_loss"] == pytest.approx(log_loss(label, p, labels=[0, 1], **w))
    assert found["mse"] == pytest.approx(mean_squared_error(label, score, **w))
    assert found["rmse"] == pytest.approx(np.sqrt(mean_squared_error(label, score, **w)))
    assert found["mae"] == pytest.approx(mean_absolute_error(label, score, **w))


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_logistic_loss_of_an_extreme_margin_is_finite(margin):
    one = np.ones(1)
    assert METRICS["logistic_loss"].function(one, margin * one, one) == max(-margin, 0.0)
