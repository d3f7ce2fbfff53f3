"""From tokens to vectors: against plain loops, and whatever a batch is padded to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gdmix.deep.encoders import Cnn, Rnn, Texts
from gdmix.deep.options import TextEncoder
from gdmix.deep.pretrained import read_configuration
from tests.networks import encoder, small_transformer

KINDS: list[dict[str, Any]] = [
    {"kind": "cnn", "windows": (1, 3, 4)},
    {"kind": "lstm"},
    {"kind": "gru", "layers": 2},
    {"kind": "lstm", "bidirectional": True, "layers": 2},
    {"kind": "gru", "bidirectional": True},
    {"kind": "average"},
]
LENGTHS = [4, 1, 6, 3, 2]
VOCABULARY, PAD = 9, 2


def texts_of(options: TextEncoder) -> Texts:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    made = Texts(("a", "b"), options, VOCABULARY, PAD)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


def ids_of(filling: int = PAD, more: int = 0) -> Any:
    generator = torch.Generator().manual_seed(1)
    ids = torch.full((len(LENGTHS), max(LENGTHS) + more), filling)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(3, VOCABULARY, (length,), generator=generator)
    return ids


@pytest.mark.parametrize("changes", KINDS)
def test_padding_never_changes_a_vector(changes: dict[str, Any]) -> None:
    made, lengths = texts_of(encoder(**changes)), torch.tensor(LENGTHS)
    vectors = made("a", ids_of(), lengths)
    assert vectors.shape == (len(LENGTHS), made.size)
    assert vectors.abs().sum(dim=1)[[0, 2, 3]].min() > 0.0
    # not even where it is no padding at all
    torch.testing.assert_close(made("a", ids_of(filling=5, more=7), lengths), vectors)
    for row, length in enumerate(LENGTHS):
        alone = made("a", ids_of()[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], vectors[row])


@pytest.mark.parametrize("changes", KINDS)
def test_padding_gets_no_gradient(changes: dict[str, Any]) -> None:
    made = texts_of(encoder(**changes))
    assert made.embedding is not None
    made("a", ids_of(filling=7), torch.tensor(LENGTHS)).sum().backward()
    padded = made.embedding.weight.grad.clone()
    made.embedding.weight.grad = None
    made("a", ids_of(), torch.tensor(LENGTHS)).sum().backward()
    torch.testing.assert_close(made.embedding.weight.grad, padded)
    assert made.embedding.weight.grad[PAD].abs().max() == 0.0


def test_a_filter_is_a_loop_over_windows() -> None:
    options = encoder(kind="cnn", windows=(2, 4), filters=3, units=5)
    torch.manual_seed(0)
    cnn, vectors = Cnn(options).eval(), torch.randn(len(LENGTHS), 6, 5)
    found = cnn(vectors, torch.tensor(LENGTHS)).detach().numpy()
    for row, length in enumerate(LENGTHS):
        expected = []
        for window, filters in zip((2, 4), cnn.filters, strict=True):
            weight, bias = filters.weight.detach().numpy(), filters.bias.detach().numpy()
            best = np.zeros(3)
            for start in range(length - window + 1):
                seen = vectors[row, start : start + window].numpy()
                answer = np.einsum("fuw,wu->f", weight, seen) + bias
                best = np.maximum(best, answer)
            expected.append(best)
        np.testing.assert_allclose(found[row], np.concatenate(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_are_those_of_packed_sequences(kind: str, bidirectional: bool) -> None:
    options = encoder(kind=kind, bidirectional=bidirectional, layers=2, units=6)
    torch.manual_seed(0)
    rnn, vectors, lengths = Rnn(options).eval(), torch.randn(5, 6, 6), torch.tensor(LENGTHS)
    reference = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](
        6, 6 // (1 + bidirectional), 2, batch_first=True, bidirectional=bidirectional
    )
    names = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")
    with torch.no_grad():
        for place, layer in enumerate(rnn.layers):
            depth, back = divmod(place, 1 + bidirectional)
            for name in names:
                own = getattr(reference, f"{name}{depth}{'_reverse' * back}")
                own.copy_(getattr(layer, f"{name}0"))
        packed = nn.utils.rnn.pack_padded_sequence(
            vectors, lengths, batch_first=True, enforce_sorted=False
        )
        state = reference(packed)[1]
        state = state[0] if kind == "lstm" else state
        last = torch.cat([state[-2], state[-1]], dim=1) if bidirectional else state[-1]
    torch.testing.assert_close(rnn(vectors, lengths), last)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_exported_operators_give_the_layers_states(kind: str) -> None:
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](4, 3, batch_first=True)
    vectors = torch.randn(5, 7, 4)
    weights = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    with torch.no_grad():
        found = getattr(torch.ops.gdmix, kind)(vectors, *weights)
        torch.testing.assert_close(found, layer(vectors)[0])


def test_an_average_is_the_mean_of_its_own_tokens() -> None:
    made = texts_of(encoder(kind="average"))
    assert made.embedding is not None
    found = made("b", ids_of(), torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        mean = made.embedding.weight[ids_of()[row, :length]].mean(dim=0)
        torch.testing.assert_close(found[row], mean)


def test_columns_share_all_but_a_cnns_filters() -> None:
    for kind, several in (("cnn", True), ("lstm", False), ("average", False)):
        made, lengths = texts_of(encoder(kind=kind)), torch.tensor(LENGTHS)
        same = torch.equal(made("a", ids_of(), lengths), made("b", ids_of(), lengths))
        assert same != several


def test_embeddings_that_are_not_trained_stay() -> None:
    made = texts_of(encoder(kind="average", train_vectors=False))
    assert [parameter.requires_grad for parameter in made.parameters()] == [False]


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_a_transformers_vectors_are_pooled(tmp_path: Path, pooling: str) -> None:
    from transformers import AutoModel

    folder = small_transformer(tmp_path / "bert")
    options = encoder(kind="transformer", model=str(folder), pooling=pooling)
    made = Texts(("a",), options, 11, 0, read_configuration(str(folder))).eval()
    theirs = AutoModel.from_pretrained(folder).eval()
    made.encoders[0].model.load_state_dict(theirs.state_dict(), strict=False)
    vectors = made("a", ids_of(filling=0, more=3), torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        states = theirs(input_ids=ids_of()[row : row + 1, :length]).last_hidden_state[0]
        pooled = {"cls": states[0], "mean": states.mean(dim=0), "max": states.amax(dim=0)}[pooling]
        torch.testing.assert_close(vectors[row], pooled, atol=1e-5, rtol=1e-4)
    assert not [name for name in made.state_dict() if "pooler" in name]


def test_a_frozen_transformer_stays_and_leaves_nothing_out(tmp_path: Path) -> None:
    folder = small_transformer(tmp_path / "bert")
    options = encoder(kind="transformer", model=str(folder), freeze=True)
    made = Texts(("a",), options, 11, 0, read_configuration(str(folder)))
    assert not any(parameter.requires_grad for parameter in made.parameters())
    made.train()
    given = ids_of(), torch.tensor(LENGTHS)
    torch.testing.assert_close(made("a", *given), made("a", *given), rtol=0, atol=0)


def test_dropout_is_for_training_alone() -> None:
    for changes in KINDS:
        made = texts_of(encoder(**changes, dropout=0.5))
        given = ids_of(), torch.tensor(LENGTHS)
        assert torch.equal(made("a", *given), made("a", *given))
        made.train()
        assert not torch.equal(made("a", *given), made("a", *given))


def test_a_text_that_comes_again_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = texts_of(encoder(kind="average"))
    lengths = torch.tensor(LENGTHS)
    rows = torch.tensor([3, 0, 3, 3, 4, 0])
    seen: list[int] = []
    made.encoders[0].register_forward_pre_hook(lambda _, given: seen.append(len(given[1])))
    found = made("a", ids_of()[rows], lengths[rows])
    assert seen == [3]
    torch.testing.assert_close(found, made("a", ids_of(), lengths)[rows])
    # its gradient is that of all its rows, and a shorter text is another one
    found.square().sum().backward()
    once = made.embedding.weight.grad.clone()
    made.embedding.weight.grad = None
    monkeypatch.setattr(made, "_once", lambda: False)
    made("a", ids_of()[rows], lengths[rows]).square().sum().backward()
    torch.testing.assert_close(made.embedding.weight.grad, once)
    monkeypatch.undo()
    same = ids_of()[[2, 2]]
    cut = made("a", same, torch.tensor([6, 2]))
    assert not torch.equal(cut[0], cut[1])


def test_small_encoders_train_row_by_row() -> None:
    made = texts_of(encoder(kind="cnn")).train()
    seen: list[int] = []
    made.encoders[0].register_forward_pre_hook(lambda _, given: seen.append(len(given[1])))
    made("a", ids_of()[[1, 1]], torch.tensor([1, 1]))
    assert seen == [2]
