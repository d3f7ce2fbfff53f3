"""Metrics against scikit-learn, sums written out, and what must not change them."""

import itertools
import math
import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import (
    average_precision_score,
    dcg_score,
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
    ndcg_score,
    roc_auc_score,
)

from gdmix.data.dataset import Dataset, EntityColumn
from gdmix.errors import ConfigError
from gdmix.glm.losses import Poisson, SmoothedHinge, Squared
from gdmix.metrics import METRICS, Evaluation, Lists, Sample, kernels, lists, parse
from gdmix.tasks import TASKS

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
NAMES = [*(name for name in METRICS if METRICS[name].cut != "must")]
NAMES += ["precision@3", "recall@2", "ndcg@4", "mrr@2"]


def columns_of(rows):
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def sample_of(name, label, score, weight):
    """Return a sample; where a metric is of several classes the score is that of the second."""
    if "multiclass" in parse(name).metric.tasks:
        score = np.column_stack([np.zeros(len(score)), score])
    return Sample(label, score, weight)


def value(name, label, score, weight=None):
    weight = np.ones(len(label)) if weight is None else weight
    return parse(name).values(Lists(sample_of(name, label, score, weight)))[0]


def reference_auc(label, score, weight):
    if len(set(label[weight > 0.0])) < 2:
        return np.nan
    return roc_auc_score(label, score, sample_weight=weight)


@given(rows)
def test_auc_is_that_of_scikit_learn(rows):
    label, score, weight, _ = columns_of(rows)
    expected = reference_auc(label, score, weight)
    assert_allclose(value("auc", label, score, weight), expected, rtol=1e-12)


@given(rows)
def test_aupr_is_the_average_precision_of_scikit_learn(rows):
    label, score, weight, _ = columns_of(rows)
    expected = np.nan
    if (label * weight).any():
        expected = average_precision_score(label, score, sample_weight=weight)
    assert_allclose(value("aupr", label, score, weight), expected, rtol=1e-12)


grades = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 2.0, 5.5]), st.integers(-2, 2).map(float)),
    min_size=2,
    max_size=30,
)


@given(grades, st.integers(1, 35))
def test_ndcg_is_that_of_scikit_learn(rows, k):
    label, score = columns_of(rows)
    if not label.any():
        assert np.isnan(value("ndcg", label, score))
        return
    assert_allclose(value("ndcg", label, score), ndcg_score([label], [score]), rtol=1e-12)
    assert_allclose(value(f"ndcg@{k}", label, score), ndcg_score([label], [score], k=k), rtol=1e-12)


def test_ndcg_written_out():
    label, score = np.array([3.0, 2.0, 0.0, 1.0]), np.array([0.5, 0.9, 0.5, 0.1])
    # 2 comes first, then 3 and 0 share places 2 and 3, then 1
    gain = 2.0 + 1.5 / math.log2(3) + 1.5 / 2 + 1.0 / math.log2(5)
    best = 3.0 + 2.0 / math.log2(3) + 1.0 / 2
    assert value("ndcg", label, score) == pytest.approx(gain / best, rel=1e-14)
    at2 = (2.0 + 1.5 / math.log2(3)) / (3.0 + 2.0 / math.log2(3))
    assert value("ndcg@2", label, score) == pytest.approx(at2, rel=1e-14)
    assert dcg_score([label], [score]) == pytest.approx(gain)


def over_tie_orders(label, score, of):
    """Return the mean of a figure over all orders of rows that fall by score."""
    found = [
        of(label[list(order)])
        for order in itertools.permutations(range(len(label)))
        if all(score[a] >= score[b] for a, b in itertools.pairwise(order))
    ]
    return np.mean(found)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6
    ),
    st.integers(1, 7),
)
def test_places_within_a_tie_are_expected_values(rows, k):
    label, score = columns_of(rows)
    found = over_tie_orders(label, score, lambda ranked: ranked[:k].sum() / k)
    assert_allclose(value(f"precision@{k}", label, score), found, rtol=1e-12)
    if not label.any():
        assert all(np.isnan(value(name, label, score)) for name in (f"recall@{k}", "mrr"))
        return
    found = over_tie_orders(label, score, lambda ranked: ranked[:k].sum() / ranked.sum())
    assert_allclose(value(f"recall@{k}", label, score), found, rtol=1e-12)

    def reciprocal(ranked, most=99):
        place = int(np.argmax(ranked)) + 1
        return 1.0 / place if place <= most else 0.0

    found = over_tie_orders(label, score, reciprocal)
    assert_allclose(value("mrr", label, score), found, rtol=1e-12)
    found = over_tie_orders(label, score, lambda ranked: reciprocal(ranked, k))
    assert_allclose(value(f"mrr@{k}", label, score), found, rtol=1e-12, atol=1e-15)


def test_pointwise_metrics_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    score, weight = rng.normal(size=200), rng.random(200)
    label = rng.integers(0, 2, 200).astype(float)
    w = {"sample_weight": weight}
    p = 1.0 / (1.0 + np.exp(-score))
    assert value("logistic_loss", label, score, weight) == pytest.approx(log_loss(label, p, **w))
    for name, reference in (("mse", mean_squared_error), ("mae", mean_absolute_error)):
        expected = reference(label, score, **w)
        assert value(name, label, score, weight) == pytest.approx(expected)
    expected = mean_squared_error(label, score, **w)
    assert value("rmse", label, score, weight) == pytest.approx(math.sqrt(expected))
    assert value("squared_loss", label, score, weight) == pytest.approx(expected / 2)
    counts = rng.poisson(2.0, 200).astype(float)
    deviance = mean_poisson_deviance(counts, np.exp(score), **w)
    saturated = np.average(counts - counts * np.log(np.maximum(counts, 1.0)), weights=weight)
    found = value("poisson_loss", counts, score, weight)
    assert found == pytest.approx(deviance / 2 + saturated)


@given(rows)
def test_losses_are_the_means_of_those_that_are_trained(rows):
    label, score, weight, _ = columns_of(rows)
    losses = {"poisson_loss": Poisson(), "smoothed_hinge_loss": SmoothedHinge()}
    for name, loss in {**losses, "squared_loss": Squared()}.items():
        terms = [loss.value(s, y) for s, y in zip(score, label, strict=True)]
        expected = np.average(terms, weights=weight) if weight.any() else np.nan
        assert_allclose(value(name, label, score, weight), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_logistic_loss_of_an_extreme_margin_is_finite(margin):
    one = np.ones(1)
    assert value("logistic_loss", one, margin * one) == max(-margin, 0.0)


def test_what_overflows_is_infinite_unless_it_has_no_weight():
    label, score = np.zeros(2), np.array([1000.0, 0.0])
    assert value("poisson_loss", label, score) == math.inf
    assert value("poisson_loss", label, score, np.array([0.0, 2.0])) == 1.0
    rmse = TASKS["poisson"].evaluators(["rmse"])[0]
    assert rmse.values(Lists(Sample(label, score, np.ones(2))))[0] == math.inf


@pytest.mark.parametrize("name", NAMES)
@given(rows=rows, seed=st.integers(0, 99))
def test_order_of_rows_changes_nothing(name, rows, seed):
    label, score, weight, _ = columns_of(rows)
    order = np.random.default_rng(seed).permutation(len(label))
    found = value(name, label[order], score[order], weight[order])
    assert_allclose(found, value(name, label, score, weight), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name", ["auc", "aupr", "rmse", "mae", "poisson_loss", "logistic_loss", "log_loss", "f1_macro"]
)
@given(rows=rows)
def test_a_weight_of_two_is_two_copies(name, rows):
    label, score, _, copies = columns_of(rows)
    twice = [np.repeat(column, copies) for column in (label, score)]
    found = value(name, label, score, copies.astype(float))
    assert_allclose(found, value(name, *twice), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@given(rows=rows)
def test_a_row_without_weight_is_as_none(name, rows):
    label, score, weight, _ = columns_of(rows)
    some = weight > 0.0
    expected = value(name, label[some], score[some], weight[some])
    assert_allclose(value(name, label, score, weight), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@given(rows=rows)
def test_groups_are_measured_each_alone(name, rows):
    label, score, weight, group = columns_of(rows)
    lists = Lists(sample_of(name, label, score, weight), group.astype(np.int32), 5)
    found = parse(name).values(lists)
    expected = []
    for g in range(5):
        mine = group == g
        expected.append(value(name, label[mine], score[mine], weight[mine]))
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_small_group_after_a_heavy_one_keeps_its_digits():
    label, score = np.array([0.0, 1, 0, 1, 0, 1]), np.array([1.0, 2, 1, 2, 2, 1])
    weight, group = np.array([1e15, 1e15, 0.1, 0.1, 0.2, 0.3]), np.array([0, 0, 1, 1, 1, 1])
    expected = reference_auc(label[2:], score[2:], weight[2:])
    found = parse("auc").values(Lists(Sample(label, score, weight), group, 2))[1]
    assert found == pytest.approx(expected, rel=1e-12)


def test_many_rows():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 20_000).astype(float)
    score = np.round(rng.normal(size=20_000) + label, 2)
    weight = rng.random(20_000) * 1e6
    w = {"sample_weight": weight}
    assert value("auc", label, score, weight) == pytest.approx(
        roc_auc_score(label, score, **w), rel=1e-12
    )
    assert value("aupr", label, score, weight) == pytest.approx(
        average_precision_score(label, score, **w), rel=1e-12
    )
    assert value("ndcg", label, score) == pytest.approx(ndcg_score([label], [score]), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows(name):
    none = np.zeros(0)
    assert np.isnan(value(name, none, none))


def test_kernels_are_what_they_are_in_plain_python(monkeypatch):
    rng = np.random.default_rng(3)
    label, score = rng.integers(0, 2, 60).astype(float), rng.integers(0, 9, 60).astype(float)
    sample = Sample(label, score, rng.integers(0, 3, 60).astype(float))
    group = rng.integers(0, 6, 60).astype(np.int32)
    names = ["auc", "aupr", "precision@3", "recall@3", "mrr", "mrr@2", "ndcg", "ndcg@3"]
    compiled = [parse(name).values(Lists(sample, group, 6)) for name in names]
    for module in (kernels, lists):
        for name, function in vars(module).copy().items():
            if hasattr(function, "py_func"):
                monkeypatch.setattr(module, name, function.py_func)
    for name, expected in zip(names, compiled, strict=True):
        assert_allclose(parse(name).values(Lists(sample, group, 6)), expected, rtol=1e-13)


def dataset(label, weight, groups):
    entities = {}
    for name, ids in groups.items():
        coded = pa.array(ids).dictionary_encode()
        entities[name] = EntityColumn(coded.dictionary, coded.indices.to_numpy())
    return Dataset(len(label), label, weight, np.zeros(len(label)), entities=entities)


def test_a_grouped_metric_is_the_plain_mean_of_groups_that_have_it():
    label = np.array([1.0, 0, 1, 1, 0, 1])
    score = np.array([2.0, 1, 1, 5, 6, 7])
    rows = dataset(label, np.arange(1.0, 7.0), {"q": ["a", "a", "b", "b", "c", "c"]})
    evaluation = Evaluation([parse("auc:q"), parse("auc"), parse("ndcg@1:q")], rows, score)
    assert evaluation.values()["auc:q"] == 1.0
    assert evaluation.values()["auc"] == pytest.approx(reference_auc(label, score, rows.weight))
    assert evaluation.group_tables()["q"].to_pydict() == {
        "group": ["a", "b", "c"],
        "rows": [2, 2, 2],
        "weight": [3.0, 7.0, 11.0],
        "auc": [1.0, None, 1.0],
        "ndcg@1": [1.0, 1.0, 1.0],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_class = dataset(np.ones(2), np.ones(2), {"q": [1, 2]})
        assert math.isnan(parse("auc:q").value(one_class, np.zeros(2)))


def test_evaluators_compare_and_say_what_they_are():
    up, down = parse("precision@5:query_id"), parse("rmse")
    assert (up.name, up.short_name) == ("precision@5:query_id", "precision@5")
    assert (up.title, down.title) == ("precision@5 per query_id", "RMSE")
    assert up.better(0.5, 0.4)
    assert down.better(0.4, 0.5)
    assert not up.better(0.5, 0.5)
    assert up.better(0.0, math.nan)
    assert not up.better(math.nan, 0.0)
    assert not up.better(math.nan, math.nan)
    assert parse("auc:a:b@c").column == "a:b@c"


def test_errors_of_poisson_are_those_of_expected_counts():
    rmse = TASKS["poisson"].evaluators(["rmse"])[0]
    sample = Sample(np.array([1.0, 3.0]), np.log([2.0, 3.0]), np.ones(2))
    assert rmse.values(Lists(sample))[0] == pytest.approx(math.sqrt(0.5))


def test_every_task_has_its_metrics_and_an_own_loss():
    for task in TASKS.values():
        assert task.evaluators()
        known = {name for name, metric in METRICS.items() if task.name in metric.tasks}
        assert any(name.endswith("loss") for name in known)


@pytest.mark.parametrize(
    ("name", "task", "words"),
    [
        ("acu:user_id", "logistic", "metrics: no metric 'acu'; did you mean 'auc'?"),
        ("rmse", "logistic", "'rmse' is no metric of task 'logistic'; expected auc, aupr"),
        ("precision:q", "logistic", "'precision' lacks the places to count; expected precision@10"),
        ("precision@0:q", "logistic", "found '0' in 'precision@0'; expected a whole number from 1"),
        ("ndcg@:q", "linear", "found '' in 'ndcg@'; expected a whole number"),
        ("ndcg@1.5", "linear", "found '1.5' in 'ndcg@1.5'"),
        ("auc@3", "logistic", "'auc@3' counts no places; expected 'auc'"),
        ("auc:", "logistic", "no column after ':' in 'auc:'; expected auc:COLUMN"),
        ("", "logistic", "no metric ''"),
    ],
)
def test_wrong_names(name, task, words):
    with pytest.raises(ConfigError) as caught:
        TASKS[task].evaluators([name])
    assert words in str(caught.value)
