"""Optimizers and schedules against steps written out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gdmix.deep.lamb import Lamb
from gdmix.deep.optimizers import add_penalties, optimizer_of, parameter_groups, set_rate
from gdmix.deep.options import Training
from gdmix.deep.schedules import rate_at

GRADIENTS = [np.array([[0.3, -0.2], [0.0, 1.0]]), np.array([[-0.1, 0.4], [0.5, 0.2]])]
START = np.array([[1.0, -2.0], [0.5, 0.0]])


def test_schedules_by_hand():
    def rates(schedule, steps=6, warmup=2):
        return [rate_at(step, steps, warmup, schedule) for step in range(steps)]

    assert rates("linear") == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert rates("constant") == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    wave = [0.5 * (1 + math.cos(math.pi * share)) for share in (0.0, 0.25, 0.5, 0.75)]
    assert rates("cosine") == pytest.approx([0.5, 1.0, *wave])
    assert rates("linear", warmup=0)[0] == 1.0
    # a warm-up longer than the training never reaches the top
    assert rates("cosine", steps=3, warmup=6) == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    for schedule in ("linear", "cosine"):
        assert rate_at(6, 6, 2, schedule) == pytest.approx(0.0)
        assert rate_at(9, 6, 2, schedule) == pytest.approx(0.0)


def stepped(optimizer, weight, rates=(0.1, 0.05)):
    """Take a step with each gradient, and return where the weight is."""
    for gradient, rate in zip(GRADIENTS, rates, strict=True):
        weight.grad = torch.tensor(gradient).reshape(weight.shape)
        set_rate(optimizer, rate)
        optimizer.step()
    return weight.detach().numpy().reshape(START.shape)


class Holder(nn.Module):
    """A matrix, or the same numbers as a vector."""

    def __init__(self, shape=(2, 2)):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(START).reshape(shape))


def adam_steps(decay=0.0, rates=(0.1, 0.05)):
    """Kingma & Ba (2015), with the decay of Loshchilov & Hutter (2019)."""
    weight, mean, square = START.copy(), np.zeros((2, 2)), np.zeros((2, 2))
    for t, (gradient, rate) in enumerate(zip(GRADIENTS, rates, strict=True), start=1):
        weight -= rate * decay * weight
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        step = (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        weight -= rate * step
    return weight


def lamb_steps(decay, adapt, rates=(0.1, 0.05)):
    weight, mean, square = START.copy(), np.zeros((2, 2)), np.zeros((2, 2))
    for t, (gradient, rate) in enumerate(zip(GRADIENTS, rates, strict=True), start=1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        r = (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-6)
        u = r + decay * weight
        ratio = np.sqrt((weight**2).sum()) / np.sqrt((u**2).sum()) if adapt else 1.0
        weight = weight - rate * ratio * u
    return weight


def made(name, network, **options):
    training = Training(optimizer=name, weight_decay=0.3, **options)
    return optimizer_of(training, parameter_groups(network, training.weight_decay))


@pytest.mark.parametrize("shape", [(2, 2), (4,)])
def test_adam_and_adamw_by_hand(shape):
    network = Holder(shape)
    decay = 0.3 if len(shape) == 2 else 0.0
    assert stepped(made("adamw", network), network.weight) == pytest.approx(adam_steps(decay))
    network = Holder(shape)
    assert stepped(made("adam", network), network.weight) == pytest.approx(adam_steps())


@pytest.mark.parametrize("shape", [(2, 2), (4,)])
def test_adamw_of_bert_by_hand(shape):
    """Devlin et al. (2019): moments as they are, and decay beside them."""
    network = Holder(shape)
    decay = 0.3 if len(shape) == 2 else 0.0
    weight, mean, square = START.copy(), np.zeros((2, 2)), np.zeros((2, 2))
    for gradient, rate in zip(GRADIENTS, (0.1, 0.05), strict=True):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weight = weight - rate * (mean / (np.sqrt(square) + 1e-6) + decay * weight)
    optimizer = made("adamw", network, bias_correction=False)
    assert stepped(optimizer, network.weight) == pytest.approx(weight, abs=1e-12)


def test_sgd_with_momentum_by_hand():
    network = Holder()
    speed, weight = np.zeros((2, 2)), START.copy()
    for gradient, rate in zip(GRADIENTS, (0.1, 0.05), strict=True):
        speed = 0.9 * speed + gradient
        weight -= rate * speed
    assert stepped(made("sgd", network, momentum=0.9), network.weight) == pytest.approx(weight)


@pytest.mark.parametrize("shape", [(2, 2), (4,)])
def test_lamb_by_hand(shape):
    network = Holder(shape)
    is_matrix = len(shape) == 2
    expected = lamb_steps(0.3 if is_matrix else 0.0, is_matrix)
    assert stepped(made("lamb", network), network.weight) == pytest.approx(expected, abs=1e-12)


def test_lamb_moves_a_layer_of_zeros():
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = Lamb([{"params": [weight]}], 0.1)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    assert weight.detach().numpy() == pytest.approx(np.full((2, 2), -0.1), rel=1e-5)
    weight.grad = None
    optimizer.step()
    assert weight.detach().numpy() == pytest.approx(np.full((2, 2), -0.1), rel=1e-5)
    with pytest.raises(TypeError, match="no closure"):
        optimizer.step(lambda: 0.0)


def test_lamb_goes_on_from_its_state():
    one, other = Holder(), Holder()
    expected = stepped(made("lamb", one), one.weight)
    first = made("lamb", other)
    other.weight.grad = torch.tensor(GRADIENTS[0])
    set_rate(first, 0.1)
    first.step()
    second = made("lamb", other)
    second.load_state_dict(first.state_dict())
    other.weight.grad = torch.tensor(GRADIENTS[1])
    set_rate(second, 0.05)
    second.step()
    assert np.array_equal(other.weight.detach().numpy(), expected)


def test_what_decays_and_what_goes_slower():
    network = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2), nn.Linear(2, 1))
    network[2].weight.requires_grad_(False)
    groups = parameter_groups(network, 0.1, slow=[network[3]], factor=0.5)
    found = {
        (group["factor"], group["adapt"]): (group["weight_decay"], len(group["params"]))
        for group in groups
    }
    assert found == {
        (1.0, True): (0.1, 1),  # the first layer's matrix; the third layer's is frozen
        (1.0, False): (0.0, 4),  # its bias, the norm's two, the third layer's bias
        (0.5, True): (0.1, 1),
        (0.5, False): (0.0, 1),
    }
    optimizer = optimizer_of(Training(), groups)
    set_rate(optimizer, 0.2)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [0.1, 0.2]


def test_penalties_are_the_slope_of_what_they_say():
    network = nn.Linear(3, 2).double()
    groups = parameter_groups(network, 0.0)
    (network(torch.ones(1, 3, dtype=torch.float64)).sum() * 0.0).backward()
    add_penalties(groups, 0.2, 0.5)
    found = network.weight.grad.clone()
    assert torch.count_nonzero(network.bias.grad) == 0
    network.zero_grad()
    (0.2 * network.weight.abs().sum() + 0.25 * (network.weight**2).sum()).backward()
    assert torch.allclose(found, network.weight.grad)
