"""The network as a whole: what meets what, and what comes out, by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gdmix.deep.bags import Bag, BagOfVectors
from gdmix.deep.batch import Batch
from gdmix.deep.examples import Examples
from gdmix.deep.interaction import Interaction, Projection
from gdmix.deep.network import DeepNetwork
from gdmix.deep.options import Network
from gdmix.deep.shape import Shape, shape_of
from gdmix.deep.target import Target
from gdmix.errors import ConfigError
from tests.networks import TEXTS, batch, csr, dense_of, encoder, everything, examples, made

ALL = ("inner", "cosine", "hadamard", "difference", "concat")
SPARSE = csr([{0: 1.0, 2: -3.0}, {}, {1: 0.5, 2: 0.5, 0: 2.0}, {2: 4.0}, {}], 3)


def as_bag(rows: Any) -> Bag:
    return Bag(
        torch.from_numpy(rows.indices.astype(np.int64)),
        torch.from_numpy(rows.indptr[:-1]),
        torch.from_numpy(rows.values.astype(np.float32)),
    )


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_a_bag_is_a_product_with_the_rows(combine: Any) -> None:
    torch.manual_seed(0)
    bag = BagOfVectors(3, 4, combine)
    expected = dense_of(SPARSE) @ bag.weight.detach().numpy()
    if combine == "mean":
        expected /= np.maximum(np.abs(dense_of(SPARSE)).sum(axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(bag(as_bag(SPARSE)).detach(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_similarities_are_loops_over_pairs(name: Any) -> None:
    torch.manual_seed(0)
    users, documents = torch.randn(4, 2, 3), torch.randn(4, 5, 3)
    users[0, 1] = 0.0  # as of an empty text
    meet = Interaction((name,), 2, 5, 3)
    found = meet(users, documents)
    assert found.shape == (4, meet.size)
    expected = [similar(name, users[row].numpy(), documents[row].numpy()) for row in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def similar(name: str, users: NDArray[np.float32], documents: NDArray[np.float32]) -> list[float]:
    if name == "concat":
        return [*documents.ravel(), *users.ravel()]
    numbers: list[float] = []
    for document in documents:
        for user in users:
            if name == "inner":
                numbers.append(float(user @ document))
            elif name == "cosine":
                length = math.sqrt(float(user @ user) * float(document @ document))
                numbers.append(float(user @ document) / length if length else 0.0)
            else:
                numbers += list(user * document if name == "hadamard" else user - document)
    return numbers


def test_cosines_of_empty_texts_have_slopes() -> None:
    users = torch.zeros(1, 1, 3, requires_grad=True)
    Interaction(("cosine",), 1, 1, 3)(users, torch.zeros(1, 1, 3)).sum().backward()
    assert torch.isfinite(users.grad).all()


def test_one_side_goes_on_by_itself() -> None:
    vectors = torch.randn(4, 2, 3)
    meet = Interaction(ALL, 0, 2, 3)
    assert meet.size == 6
    torch.testing.assert_close(meet(None, vectors), vectors.flatten(1))
    torch.testing.assert_close(Interaction(ALL, 2, 0, 3)(vectors, None), vectors.flatten(1))


def test_a_projection_is_tanh_of_a_linear_map() -> None:
    projection, parts = Projection(2, 3), [torch.randn(4, 3), torch.randn(4, 3)]
    weight, bias = projection.linear.weight, projection.linear.bias
    expected = torch.tanh(torch.cat(parts, dim=1) @ weight.T + bias)
    torch.testing.assert_close(projection(parts), expected)


OPTIONS = [
    everything(),
    everything(similarity=ALL, project_users=True, project_documents=True),
    everything(query=None, similarity=ALL),
    everything(query=None, user_texts=(), user_ids=()),
    everything(document_texts=(), document_ids=()),
    everything(query=None, user_texts=(), document_texts=()),
    everything(across="concat", within="mean", rescale=False, hidden=()),
    Network(dense=["numbers"], standardize=False),
    Network(embedded=["tags"], embedding_size=3),
    everything(encoder=encoder(kind="gru", bidirectional=True)),
]


@pytest.mark.parametrize("place", range(len(OPTIONS)))
def test_a_row_is_scored_alike_in_any_company(place: int) -> None:
    network, trained, rows = made(OPTIONS[place], Target(heads=2))
    whole = batch(rows, trained.tokens)
    scores, inner = network(whole), network.represent(whole)
    assert scores.shape == (len(TEXTS), 1)
    assert inner.shape == (len(TEXTS), network.size)
    chosen = [5, 2, 2, 6]
    some = batch(rows, trained.tokens, chosen, more=4)
    torch.testing.assert_close(network(some), scores[chosen])
    torch.testing.assert_close(network.represent(some), inner[chosen])


@pytest.mark.parametrize("place", range(len(OPTIONS)))
def test_every_weight_has_a_gradient(place: int) -> None:
    # processes that share a training wait for one another's gradient of each weight
    network, trained, rows = made(OPTIONS[place], Target(kind="multiclass", outputs=3, heads=2))
    scores = network.train()(batch(rows, trained.tokens))
    assert scores.shape == (len(TEXTS), 3)
    (scores * torch.randn_like(scores)).sum().backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None]
    assert without == []
    zero = [name for name, weight in network.named_parameters() if not weight.grad.any()]
    assert zero == []


def test_scores_are_the_head_of_the_representation_and_the_tower() -> None:
    network, trained, rows = made(everything(), Target(heads=2))
    given = batch(rows, trained.tokens)
    inner = network.represent(given).detach().numpy()
    tower = dense_of(rows.wide) @ network.wide.weight.detach().numpy()
    heads = [
        inner @ head.weight.detach().numpy().T + head.bias.detach().numpy()
        for head in network.heads
    ]
    expected = np.where(np.arange(len(TEXTS))[:, None] % 2 == 0, *heads) + tower
    np.testing.assert_allclose(network(given).detach(), expected, rtol=1e-5, atol=1e-6)


def test_rows_without_a_task_have_the_first_head() -> None:
    network, trained, rows = made(everything(), Target(heads=2))
    given = batch(rows, trained.tokens)
    first = given._replace(head=torch.zeros(len(TEXTS), dtype=torch.int64))
    torch.testing.assert_close(network(given._replace(head=None)), network(first))


def test_dense_numbers_by_hand() -> None:
    network, trained, rows = made(Network(dense=["numbers"]))
    dense = rows.dense.astype(np.float64)
    expected = (dense - np.nanmean(dense, axis=0)) / np.nanstd(dense, axis=0)
    expected[np.isnan(expected)] = 0.0
    factor = network.dense.factor.detach().numpy()
    expected = np.tanh(expected * factor + network.dense.bias.detach().numpy())
    inner = network.represent(batch(rows, trained.tokens)).detach()
    np.testing.assert_allclose(inner, expected, rtol=1e-5, atol=1e-5)


def test_statistics_weigh_rows_as_copies() -> None:
    rows = examples()
    weight = np.array([2.0, 1.0, 0.0, 1.0, 3.0, 1.0, 1.0])
    copies = np.repeat(rows.dense, weight.astype(int), axis=0)
    shape = shape_of(Network(dense=["numbers"]), Target(), changed(rows, weight=weight))
    np.testing.assert_allclose(shape.mean, np.nanmean(copies, axis=0), rtol=1e-6)
    np.testing.assert_allclose(shape.deviation, np.nanstd(copies, axis=0), rtol=1e-6)


def test_constants_and_absent_columns_have_deviation_one() -> None:
    dense = np.full((7, 2), 0.1, np.float32)
    dense[:, 1] = np.nan
    shape = shape_of(Network(dense=["numbers"]), Target(), changed(examples(), dense=dense))
    assert shape.deviation == (1.0, 1.0)
    assert shape.mean == pytest.approx((0.1, 0.0))


def changed(rows: Examples, **values: Any) -> Examples:
    from dataclasses import replace

    return replace(rows, **values)


def test_the_tower_alone_is_a_linear_model_that_begins_at_zero() -> None:
    shape = Shape(Network(dense=["none"]), wide=3, outputs=2)
    network = DeepNetwork(shape)
    given = Batch({}, as_bag(SPARSE), torch.zeros(5, 0), {})
    assert torch.equal(network(given), torch.zeros(5, 2))
    assert network.represent(given).shape == (5, 0)
    assert [tuple(weight.shape) for weight in network.parameters()] == [(2, 0), (2,), (3, 2)]


def test_a_seed_draws_the_same_weights() -> None:
    (first, _, _), (again, _, _), (other, _, _) = (made(everything(), seed=s) for s in (1, 1, 2))
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first.wide.weight, other.wide.weight)


def test_gradients_are_those_of_finite_differences() -> None:
    network, trained, rows = made(everything(similarity=ALL))
    network = network.double()
    given = batch(rows, trained.tokens)
    given = given._replace(
        dense=given.dense.double(),
        wide=given.wide._replace(values=given.wide.values.double()),
        fields={k: v._replace(values=v.values.double()) for k, v in given.fields.items()},
    )
    names = ["sides.texts.embedding.weight", "dense.factor", "embedded.columns.0.weight"]
    weights = dict(network.named_parameters())

    def scores(*values: Any) -> Any:
        state = dict(zip(names, values, strict=True))
        return torch.func.functional_call(network, state, (given,))

    checked = tuple(weights[name].detach().requires_grad_() for name in names)
    # filters and their maxima have kinks; none is near
    assert torch.autograd.gradcheck(scores, checked, eps=1e-7, atol=1e-5, fast_mode=True)


def test_both_directions_share_an_even_number_of_units() -> None:
    with pytest.raises(ConfigError, match="units: found 7"):
        encoder(kind="lstm", units=7, bidirectional=True)
