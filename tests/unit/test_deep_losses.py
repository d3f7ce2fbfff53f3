"""Losses of the deep effect, against scikit-learn, the linear effects' losses and plain loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from gdmix.deep.losses import loss_of
from gdmix.deep.target import Target
from gdmix.errors import ConfigError
from gdmix.glm.losses import Logistic, Poisson, SmoothedHinge, Squared
from tests.losses import GROUPS, tensor, total

ROWS = {
    "logistic": Logistic(),
    "linear": Squared(),
    "poisson": Poisson(),
    "smoothed_hinge": SmoothedHinge(),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# -- rows one by one ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ROWS)
def test_rows_have_the_losses_of_linear_effects(kind):
    rng = np.random.default_rng(1)
    score, offset = rng.normal(size=200) * 3, rng.normal(size=200)
    label = rng.integers(0, 2 if kind != "poisson" else 5, 200).astype(float)
    if kind == "linear":
        label = rng.normal(size=200)
    weight = rng.random(200)
    found = total(Target(kind), score, label, weight, offset)
    values = [ROWS[kind].value(s, y) for s, y in zip(score + offset, label, strict=True)]
    assert found.loss.item() == pytest.approx(float(weight @ values), rel=1e-12)
    assert found.weight.item() == pytest.approx(weight.sum())


@pytest.mark.parametrize("kind", ROWS)
def test_slopes_of_rows_are_those_of_linear_effects(kind):
    rng = np.random.default_rng(2)
    score = torch.tensor(rng.normal(size=(50, 1)) * 2, requires_grad=True)
    label, weight, offset = rng.integers(0, 2, 50) * 1.0, rng.random(50), rng.normal(size=50)
    loss_of(Target(kind))(score, tensor(label), tensor(weight), tensor(offset)).loss.backward()
    margin = score.detach().numpy()[:, 0] + offset
    slopes = [ROWS[kind].d1(s, y) for s, y in zip(margin, label, strict=True)]
    np.testing.assert_allclose(score.grad[:, 0].numpy(), weight * slopes, rtol=1e-12)


def test_a_small_logistic_loss_keeps_its_digits():
    found = total(Target(), [40.0, -60.0], [1.0, 0.0])
    assert found.loss.item() == pytest.approx(np.exp(-40.0) + np.exp(-60.0), rel=1e-12, abs=0)


def test_classes_have_scikit_learns_log_loss():
    rng = np.random.default_rng(3)
    score, label, weight = rng.normal(size=(60, 5)), rng.integers(0, 5, 60), rng.random(60)
    found = total(Target("multiclass", outputs=5), score, label, weight, rng.normal(size=60))
    shares = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    expected = log_loss(label, shares, sample_weight=weight, labels=range(5))
    assert (found.loss / found.weight).item() == pytest.approx(expected, rel=1e-10)


def test_labels_of_a_row_add_up():
    rng = np.random.default_rng(4)
    score, label = rng.normal(size=(30, 3)), rng.integers(0, 2, (30, 3))
    weight, offset = rng.random(30), rng.normal(size=30)
    found = total(Target("multilabel", outputs=3), score, label, weight, offset)
    shares = 1 / (1 + np.exp(-score - offset[:, None]))
    expected = sum(
        log_loss(label[:, k], shares[:, k], sample_weight=weight, normalize=False) for k in range(3)
    )
    assert found.loss.item() == pytest.approx(expected, rel=1e-10)
    assert found.weight.item() == pytest.approx(weight.sum())


@pytest.mark.parametrize("kind", [*ROWS, "multiclass", "multilabel"])
def test_slopes_of_rows_by_finite_differences(kind):
    rng = np.random.default_rng(6)
    outputs = 3 if kind.startswith("multi") else 1
    shape = (12, 3) if kind == "multilabel" else (12,)
    label = rng.integers(0, 2, shape)
    loss = loss_of(Target(kind, outputs=outputs))
    rest = tensor(label), tensor(rng.random(12)), tensor(rng.normal(size=12))
    score = tensor(rng.normal(size=(12, outputs))).requires_grad_()
    assert torch.autograd.gradcheck(lambda score: loss(score, *rest).loss, (score,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("target", [*[Target(k) for k in ROWS], *[Target(loss=g) for g in GROUPS]])
def test_huge_scores_stay_finite(target, dtype):
    scores = torch.tensor([1e4, -1e4, 1e3, 0.0, -50.0, 1e4], dtype=dtype)[:, None].requires_grad_()
    label = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    ones, zeros = torch.ones(6), torch.zeros(6)
    found = loss_of(target)(scores, label, ones, zeros, torch.tensor([0, 3, 6]))
    assert found.loss.dtype == torch.float32
    found.loss.backward()
    assert torch.isfinite(found.loss)
    assert torch.isfinite(scores.grad).all()


def test_many_classes_with_huge_scores():
    for kind in ("multiclass", "multilabel"):
        score = (torch.eye(3) * 1e6 - 5e5).requires_grad_()
        label = torch.tensor([2.0, 1, 0]) if kind == "multiclass" else torch.eye(3).flip(0)
        found = loss_of(Target(kind, outputs=3))(score, label, torch.ones(3), torch.zeros(3))
        found.loss.backward()
        assert torch.isfinite(found.loss)
        assert torch.isfinite(score.grad).all()


def test_heads_have_weights():
    rng = np.random.default_rng(12)
    score, label, head = rng.normal(size=20), rng.integers(0, 2, 20), rng.integers(0, 2, 20)
    alike = total(Target(heads=2), score, label, head=head)
    weighted = total(Target(heads=2, head_weights=(3.0, 1.0)), score, label, head=head)
    # shares 3/4 and 1/4 of two heads
    by_hand = total(Target(), score, label, np.where(head == 0, 1.5, 0.5))
    assert weighted.loss.item() == pytest.approx(by_hand.loss.item(), rel=1e-12)
    assert weighted.weight.item() == pytest.approx(by_hand.weight.item(), rel=1e-12)
    assert alike.loss.item() == pytest.approx(total(Target(), score, label).loss.item())


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (Target("multiclass", outputs=1), "outputs: found 1 for multiclass; expected 2 or more"),
        (Target("logistic", outputs=2), "outputs: found 2 for logistic; expected 1"),
        (Target("multiclass", "listwise", 3), "loss: found listwise for multiclass"),
        (Target(heads=2, head_weights=(1.0,)), "head_weights: found"),
        (Target(heads=2, head_weights=(1.0, -1.0)), "head_weights: found"),
        (Target(heads=2, head_weights=(0.0, 0.0)), "head_weights: found"),
        (Target(heads=2, head_weights=(float("nan"), 1.0)), "head_weights: found"),
        (Target(heads=2, head_weights=(float("inf"), 1.0)), "head_weights: found"),
        (Target(loss="lambdarank", first=0), "first: found 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(target, word):
    with pytest.raises(ConfigError, match=word):
        loss_of(target)
