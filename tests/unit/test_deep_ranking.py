"""Losses of groups, against loops over pairs, scikit-learn and laws of their own."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from gdmix.deep import segments
from gdmix.deep.losses import loss_of
from gdmix.deep.target import Target
from tests.losses import GROUPS, tensor, total


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(rng, rows=40, grades=4):
    sizes = [1, 7, 0, rows - 20, 12]
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    return (
        rng.normal(size=rows),
        rng.integers(0, grades, rows).astype(float),
        rng.random(rows) + 0.5,
        pointers,
    )


# -- groups, against loops ----------------------------------------------------------------------


def loops(name, score, label, weight, first=None):
    """Return the loss and weight of one group, pair by pair."""
    kept = weight > 0
    score, label, weight = score[kept], label[kept], weight[kept]
    rows = range(len(score))
    better = [(i, j) for i in rows for j in rows if label[i] > label[j]]
    lost = {(i, j): np.log1p(np.exp(score[j] - score[i])) for i, j in better}
    gain = 2.0**label - 1
    mean = (weight * gain).sum() / gain.sum() if gain.sum() else 0.0
    place_value = [1 / np.log2(2 + p) if first is None or p < first else 0.0 for p in rows]
    ideal = float(np.sort(gain)[::-1] @ place_value)
    if name == "pairwise":
        if not better:
            return 0.0, 0.0
        return (
            np.mean([weight[i] * lost[i, j] for i, j in better]),
            np.mean([weight[i] for i, _ in better]),
        )
    if name == "listwise":
        if not label.sum():
            return 0.0, 0.0
        share = label / label.sum()
        chance = np.exp(score) / np.exp(score).sum()
        return -(weight * share) @ np.log(chance), weight @ share
    if name == "lambdarank":
        if not better or not ideal:
            return 0.0, 0.0
        ranked = np.argsort(-score)
        swapped, before = 0.0, gain[ranked] @ place_value
        for i, j in better:
            other = ranked.copy()
            a, b = np.flatnonzero(ranked == i)[0], np.flatnonzero(ranked == j)[0]
            other[[a, b]] = ranked[[b, a]]
            change = abs(gain[other] @ place_value - before) / ideal
            swapped += weight[i] * change * lost[i, j]
        return swapped, mean
    if not gain.sum():
        return 0.0, 0.0
    place = [
        1 + sum(1 / (1 + np.exp(-(score[j] - score[i]) / 0.1)) for j in rows if j != i)
        for i in rows
    ]
    reached = sum(gain[i] / np.log2(1 + place[i]) for i in rows)
    return mean * (1 - reached / ideal), mean


@pytest.mark.parametrize(
    ("name", "first"), [*[(name, None) for name in GROUPS], ("lambdarank", 1), ("lambdarank", 3)]
)
@pytest.mark.parametrize("seed", range(3))
def test_groups_against_loops(name, seed, first):
    rng = np.random.default_rng(seed)
    score, label, weight, pointers = draw(rng)
    weight[rng.random(40) < 0.2] = 0.0
    offset = rng.normal(size=40)
    parts = [
        loops(name, (score + offset)[a:b], label[a:b], weight[a:b], first)
        for a, b in pairwise(pointers)
    ]
    target = Target(loss=name, first=first)
    found = total(target, score, label, weight, offset, pointers)
    assert found.loss.item() == pytest.approx(sum(part[0] for part in parts), rel=1e-10)
    assert found.weight.item() == pytest.approx(sum(part[1] for part in parts), rel=1e-10)
    pointers = torch.as_tensor(pointers)
    weight = loss_of(target).weigh(tensor(label), tensor(weight), pointers)
    assert weight.item() == pytest.approx(found.weight.item(), rel=1e-12)


def test_a_hand_computed_pair():
    # labels 1, 0 with scores 0, 1: the better row lies behind
    for name, expected in {
        "pairwise": np.log1p(np.e),
        "listwise": np.log(1 + np.e),
        # gain 1; places 2 and 1 are worth 1 / log2(3) and 1
        "lambdarank": (1 - 1 / np.log2(3)) * np.log1p(np.e),
        "approx_ndcg": 1 - 1 / np.log2(2 + 1 / (1 + np.exp(-10))),
    }.items():
        found = total(Target(loss=name), [0.0, 1.0], [1.0, 0.0], pointers=[0, 2])
        assert found.loss.item() == pytest.approx(expected, rel=1e-12)
        assert found.weight.item() == 1.0


@pytest.mark.parametrize("name", GROUPS)
def test_slopes_of_groups_by_finite_differences(name):
    rng = np.random.default_rng(5)
    score, label, weight, pointers = draw(rng)
    weight[[2, 9]] = 0.0
    loss, pointers = loss_of(Target(loss=name)), torch.as_tensor(pointers)
    rest = tensor(label), tensor(weight), tensor(rng.normal(size=40)), pointers
    score = tensor(score)[:, None].requires_grad_()
    assert torch.autograd.gradcheck(lambda score: loss(score, *rest).loss, (score,))


# -- laws ---------------------------------------------------------------------------------------


def slopes(target, score, label, weight, pointers):
    score = tensor(score)[:, None].requires_grad_()
    loss = loss_of(target)
    found = loss(score, tensor(label), tensor(weight), tensor(score.detach() * 0)[:, 0], pointers)
    found.loss.backward()
    return found, score.grad[:, 0].numpy()


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from(GROUPS))
def test_the_order_of_rows_in_a_group_does_not_matter(seed, tied, name):
    rng = np.random.default_rng(seed)
    score, label, weight, pointers = draw(rng)
    # with many ties in scores as well
    score = np.round(score) if tied else score
    order = np.concatenate([rng.permutation(np.arange(a, b)) for a, b in pairwise(pointers)])
    pointers = torch.as_tensor(pointers)
    target = Target(loss=name, first=4)
    one, slope = slopes(target, score, label, weight, pointers)
    other, turned = slopes(target, score[order], label[order], weight[order], pointers)
    assert other.loss.item() == pytest.approx(one.loss.item(), rel=1e-10)
    assert other.weight.item() == pytest.approx(one.weight.item(), rel=1e-10)
    np.testing.assert_allclose(turned, slope[order], atol=1e-10)


@pytest.mark.parametrize("name", GROUPS)
def test_a_weight_of_two_is_two_copies_of_the_group(name):
    score, label, _, pointers = draw(np.random.default_rng(7))
    twice = [np.concatenate([part, part]) for part in (score, label)]
    both = np.concatenate([pointers, pointers[1:] + 40])
    copied = total(Target(loss=name), *twice, pointers=both)
    weighted = total(Target(loss=name), score, label, np.full(40, 2.0), pointers=pointers)
    assert weighted.loss.item() == pytest.approx(copied.loss.item(), rel=1e-12)
    assert weighted.weight.item() == pytest.approx(copied.weight.item(), rel=1e-12)


@pytest.mark.parametrize("name", GROUPS)
def test_a_row_without_weight_is_not_there(name):
    score, label, weight, pointers = draw(np.random.default_rng(8))
    weight[10], label[10], score[10] = 0.0, 3.0, 50.0
    gone = np.arange(40) != 10
    less = pointers - (pointers > 10)
    one = total(Target(loss=name), score, label, weight, pointers=pointers)
    other = total(Target(loss=name), score[gone], label[gone], weight[gone], pointers=less)
    assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-12)
    assert one.weight.item() == pytest.approx(other.weight.item(), rel=1e-12)


@pytest.mark.parametrize("name", GROUPS)
def test_batches_add_up(name):
    score, label, weight, pointers = draw(np.random.default_rng(9))
    cut = pointers[2]
    whole = total(Target(loss=name), score, label, weight, pointers=pointers)
    parts = [
        total(Target(loss=name), score[a:b], label[a:b], weight[a:b], pointers=p)
        for a, b, p in [(0, cut, pointers[:3]), (cut, 40, pointers[2:] - cut)]
    ]
    assert whole.loss.item() == pytest.approx(sum(part.loss.item() for part in parts))
    assert whole.weight.item() == pytest.approx(sum(part.weight.item() for part in parts))


@pytest.mark.parametrize("name", GROUPS)
def test_a_number_added_to_a_groups_scores_changes_nothing(name):
    score, label, weight, pointers = draw(np.random.default_rng(10))
    added = np.repeat([3.0, -7.0, 0.0, 11.0, 0.5], np.diff(pointers))
    one = total(Target(loss=name), score, label, weight, pointers=pointers)
    other = total(Target(loss=name), score, label, weight, added, pointers)
    assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-9)


# -- corners ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pairwise", "lambdarank"])
@pytest.mark.parametrize("label", [0.0, 2.0])
def test_equal_labels_say_nothing(name, label):
    found, slope = slopes(
        Target(loss=name), np.arange(4.0), np.full(4, label), np.ones(4), torch.tensor([0, 4])
    )
    assert found.loss.item() == found.weight.item() == 0.0
    assert not slope.any()


@pytest.mark.parametrize("name", GROUPS)
def test_groups_without_gain_or_rows(name):
    found, slope = slopes(
        Target(loss=name), np.arange(3.0), np.zeros(3), np.ones(3), torch.tensor([0, 0, 1, 3, 3])
    )
    assert found.loss.item() == found.weight.item() == 0.0
    assert not slope.any()
    for pointers in ([0], [0, 0]):
        empty, _ = slopes(
            Target(loss=name), np.zeros(0), np.zeros(0), np.zeros(0), torch.tensor(pointers)
        )
        assert empty.loss.item() == empty.weight.item() == 0.0
    unweighted, slope = slopes(
        Target(loss=name), np.arange(2.0), np.arange(2.0), np.zeros(2), torch.tensor([0, 2])
    )
    assert unweighted.loss.item() == unweighted.weight.item() == 0.0
    assert not slope.any()


@pytest.mark.parametrize("name", GROUPS)
def test_groups_of_one_row(name):
    found, slope = slopes(
        Target(loss=name), [5.0, -5.0], np.ones(2), np.ones(2), torch.tensor([0, 1, 2])
    )
    assert found.loss.item() == pytest.approx(0.0, abs=1e-12)
    assert np.abs(slope).max() < 1e-12


def test_equal_scores_are_no_rest():
    for name in GROUPS:
        _, slope = slopes(
            Target(loss=name),
            np.zeros(4),
            np.array([0.0, 2, 0, 1]),
            np.ones(4),
            torch.tensor([0, 4]),
        )
        # the best row is pushed up most, the worst ones down, alike
        assert slope[1] < slope[3] < slope[0] == pytest.approx(slope[2], abs=1e-12)


@pytest.mark.parametrize("name", GROUPS)
def test_pairs_come_some_at_a_time(name, monkeypatch):
    score, label, weight, pointers = draw(np.random.default_rng(11))
    whole = slopes(Target(loss=name), score, label, weight, torch.as_tensor(pointers))
    monkeypatch.setattr(segments, "_PAIRS", 5)
    pieces = slopes(Target(loss=name), score, label, weight, torch.as_tensor(pointers))
    assert pieces[0].loss.item() == pytest.approx(whole[0].loss.item(), rel=1e-12)
    np.testing.assert_allclose(pieces[1], whole[1], rtol=1e-10, atol=1e-14)


def test_approximate_places_of_distant_scores_are_places():
    rng = np.random.default_rng(13)
    score, label = rng.permutation(30) * 10.0, rng.integers(0, 4, 30)
    found = total(Target(loss="approx_ndcg"), score, label, pointers=[0, 30])
    expected = ndcg_score([2.0**label - 1], [score])
    assert 1 - found.loss.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", GROUPS)
def test_evaluation_needs_no_slopes(name):
    score, label, weight, pointers = draw(np.random.default_rng(14))
    with torch.inference_mode():
        found = total(Target(loss=name), score, label, weight, pointers=pointers)
    trained = total(Target(loss=name), score, label, weight, pointers=pointers)
    assert found.loss.item() == trained.loss.item()


@pytest.mark.parametrize("name", GROUPS)
def test_steps_downhill_put_rows_in_order(name):
    rng = np.random.default_rng(15)
    label = np.concatenate([rng.permutation([3.0, 2, 1, 0]) for _ in range(6)])
    pointers, score = torch.arange(0, 25, 4), torch.zeros(24, 1, requires_grad=True)
    loss, optimizer = loss_of(Target(loss=name)), torch.optim.Adam([score], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss(score, tensor(label), torch.ones(24), torch.zeros(24), pointers).loss.backward()
        optimizer.step()
    for begin in range(0, 24, 4):
        part = score.detach().numpy()[begin : begin + 4, 0]
        assert np.argmax(part) == np.argmax(label[begin : begin + 4])
        if name != "listwise":
            assert (np.argsort(part) == np.argsort(label[begin : begin + 4])).all()
