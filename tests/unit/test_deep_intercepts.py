"""Where intercepts begin, against means and logarithms."""

import dataclasses

import numpy as np
import pytest
import torch

from gdmix.deep.beginning import beginning
from gdmix.deep.intercepts import best_constants, set_intercepts
from gdmix.deep.options import Network, Training
from gdmix.deep.target import Target
from gdmix.deep.training import fit
from tests.deep import options, rows_of

RNG = np.random.default_rng(0)
ROWS = rows_of(200)
WEIGHT = RNG.uniform(0.5, 2.0, 200)


def constants(target, label, **given):
    rows = dataclasses.replace(ROWS, label=label, weight=WEIGHT, **given)
    return best_constants(target, rows).numpy()


def test_they_are_what_is_known_of_a_constant():
    counts = RNG.poisson(3.0, 200).astype(float)
    mean = np.average(counts, weights=WEIGHT)
    assert constants(Target("linear"), counts) == pytest.approx(mean, rel=1e-3)
    assert constants(Target("poisson"), counts) == pytest.approx(np.log(mean), rel=1e-3)
    share = np.average(ROWS.label, weights=WEIGHT)
    odds = np.log(share / (1 - share))
    assert constants(Target(), ROWS.label) == pytest.approx(odds, rel=1e-2)


def test_offsets_are_there_already():
    offset = np.full(200, 1.5)
    found = constants(Target("linear"), ROWS.label, offset=offset)
    assert found == pytest.approx(constants(Target("linear"), ROWS.label) - 1.5, abs=1e-3)


def test_classes_labels_and_heads_have_their_own():
    classes = RNG.integers(0, 3, 200).astype(float)
    shares = np.bincount(classes.astype(int), WEIGHT) / WEIGHT.sum()
    found = constants(Target("multiclass", outputs=3), classes)[0]
    assert np.exp(found) / np.exp(found).sum() == pytest.approx(shares, abs=1e-3)
    several = RNG.integers(0, 2, (200, 2)).astype(float)
    shares = np.average(several, axis=0, weights=WEIGHT)
    found = constants(Target("multilabel", outputs=2), several)[0]
    assert found == pytest.approx(np.log(shares / (1 - shares)), abs=2e-2)
    task = (np.arange(200) % 2).astype(np.int32)
    found = constants(Target("linear", heads=2), ROWS.label, task=task)[:, 0]
    means = [np.average(ROWS.label[task == i], weights=WEIGHT[task == i]) for i in (0, 1)]
    assert found == pytest.approx(means, abs=1e-3)


@pytest.mark.parametrize("kind", ["logistic", "smoothed_hinge"])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class_push_only_so_far(kind, label):
    (found,) = constants(Target(kind), np.full(200, label))[0]
    assert 0.5 < abs(found) < 10.0
    assert (found > 0.0) == (label == 1.0)


def trained(target, rows, **given):
    training = Training(steps=1, batch=200, optimizer="sgd", learning_rate=1e-12)
    return fit(Network(**options()), training, target, rows, **given)


def test_a_new_network_begins_there_and_another_where_it_was():
    rows = dataclasses.replace(ROWS, label=ROWS.label + 1000.0)
    first = trained(Target("linear"), rows)
    assert float(first.state["heads.0.bias"]) == pytest.approx(rows.label.mean(), rel=1e-3)
    again = trained(Target("linear"), ROWS, start=first)
    assert torch.equal(again.state["heads.0.bias"], first.state["heads.0.bias"])
    ranked = dataclasses.replace(ROWS, group=np.arange(200, dtype=np.int32) // 4)
    state = trained(Target(loss="listwise"), ranked).state
    assert float(state["heads.0.bias"]) == pytest.approx(0.0, abs=1e-12)


def test_what_no_constant_fits_stays_at_zero():
    """The square of such a label is infinite; the loss says so at the first update."""
    rows = dataclasses.replace(ROWS, label=np.full(200, 1e300))
    network, _ = beginning(
        Network(**{**options(), "document_texts": ()}), Target("linear"), rows, None
    )
    set_intercepts(network, Target("linear"), rows)
    assert network.heads[0].bias.tolist() == [0.0]
