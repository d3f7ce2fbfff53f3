"""Figures of several classes and labels, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from gdmix.metrics import classes


@pytest.fixture(params=range(3))
def sample(request):
    rng = np.random.default_rng(request.param)
    score = rng.normal(size=(80, 5))
    label = rng.integers(0, 5, 80).astype(float)
    if request.param == 2:
        # a class that is never answered, another that is never right
        score[:, 1], label[label == 3] = -9.0, 0.0
    return label, score, rng.random(80) * rng.integers(0, 3, 80)


def test_one_class_of_several(sample):
    label, score, weight = sample
    answer = score.argmax(1)
    table = classes.confusion(*sample)
    expected = reference.confusion_matrix(label, answer, labels=range(5), sample_weight=weight)
    np.testing.assert_allclose(table, expected)
    counts = classes.counts_of_classes(table)
    rest = {"sample_weight": weight, "labels": range(5), "zero_division": np.nan}
    for function, other in (
        (classes.precision, reference.precision_score),
        (classes.recall, reference.recall_score),
    ):
        np.testing.assert_allclose(function(counts), other(label, answer, average=None, **rest))
        macro = other(label, answer, average="macro", **rest)
        assert classes.macro(function(counts)) == pytest.approx(macro)
        micro = other(label, answer, average="micro", **rest)
        assert function(counts.summed())[0] == pytest.approx(micro)
    both = reference.f1_score(label, answer, average=None, **rest)
    np.testing.assert_allclose(classes.f1(counts), both)
    expected = reference.accuracy_score(label, answer, sample_weight=weight)
    assert classes.accuracy(*sample) == pytest.approx(expected)
    shares = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    expected = reference.log_loss(label, shares, sample_weight=weight, labels=range(5))
    assert classes.classes_log_loss(*sample) == pytest.approx(expected)


def test_several_labels():
    rng = np.random.default_rng(5)
    score, label = rng.normal(size=(70, 3)), rng.integers(0, 2, (70, 3)).astype(float)
    label[:20] = score[:20] > 0
    weight, answer = rng.random(70), score > 0
    counts = classes.counts_of_labels(label, score, weight)
    for function, other in (
        (classes.precision, reference.precision_score),
        (classes.recall, reference.recall_score),
        (classes.f1, reference.f1_score),
    ):
        expected = other(label, answer, average=None, sample_weight=weight)
        np.testing.assert_allclose(function(counts), expected)
        expected = other(label, answer, average="micro", sample_weight=weight)
        assert function(counts.summed())[0] == pytest.approx(expected)
    expected = reference.accuracy_score(label, answer, sample_weight=weight)
    assert classes.accuracy(label, score, weight) == pytest.approx(expected)
    shares = 1 / (1 + np.exp(-score))
    expected = np.mean(
        [reference.log_loss(label[:, k], shares[:, k], sample_weight=weight) for k in range(3)]
    )
    assert classes.labels_log_loss(label, score, weight) == pytest.approx(expected)


def test_huge_scores_and_no_rows():
    score = np.array([[1e6, -1e6, 0.0]])
    assert classes.classes_log_loss(np.array([1.0]), score, np.ones(1)) == pytest.approx(2e6)
    assert classes.labels_log_loss(np.array([[0.0, 0, 0]]), score, np.ones(1)) == pytest.approx(
        (1e6 + np.log(2)) / 3
    )
    none = np.zeros(0), np.zeros((0, 3)), np.zeros(0)
    assert np.isnan(classes.accuracy(*none))
    assert np.isnan(
        classes.macro(classes.precision(classes.counts_of_classes(classes.confusion(*none))))
    )
