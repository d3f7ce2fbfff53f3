"""Exported networks score as the original does: any number of rows, texts of any length."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from gdmix.deep.batch import Batch
from gdmix.deep.exporting import as_inputs, input_names, to_exported, to_onnx
from gdmix.deep.network import DeepNetwork
from gdmix.deep.options import Network
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from tests.networks import batch, encoder, everything, made, small_transformer

ALL = ("inner", "cosine", "hadamard", "difference", "concat")
COMPANIES: list[dict[str, Any]] = [{}, {"more": 3}, {"chosen": [2]}, {"chosen": [6, 1, 3, 3]}]


def options(kind: str, folder: Path) -> Network:
    if kind == "numbers":
        return everything(query=None, user_texts=(), document_texts=(), within="mean")
    if kind == "transformer":
        model = str(small_transformer(folder / "bert"))
        return Network(document_texts=["title"], encoder=encoder(kind=kind, model=model))
    if kind == "cnn":
        return everything(document_texts=["title"], similarity=ALL, project_users=True)
    both = {"bidirectional": True, "layers": 2} if kind == "gru" else {}
    return everything(document_texts=["title"], encoder=encoder(kind=kind, **both), hidden=())


def companies(trained: Trained, rows: Any) -> list[Batch]:
    given = [batch(rows, trained.tokens, **company) for company in COMPANIES]
    # a transformer's texts are never longer than `max_length`
    most = trained.shape.network.encoder.max_length if trained.shape.transformer else 99
    return [one for one in given if all(ids.shape[1] <= most for ids, _ in one.texts.values())]


def kinds(*quick: str) -> list[Any]:
    """Every kind; those that are not quick are left to longer runs."""
    every = ["cnn", "lstm", "gru", "average", "transformer", "numbers"]
    return [pytest.param(kind, marks=() if kind in quick else pytest.mark.slow) for kind in every]


@pytest.mark.parametrize("kind", kinds("average", "lstm"))
def test_exported_scores(tmp_path: Path, kind: str) -> None:
    network, trained, rows = made(options(kind, tmp_path), Target(heads=2))
    to_exported(trained, tmp_path / "network.pt2")
    program = torch.export.load(tmp_path / "network.pt2").module()
    for given in companies(trained, rows):
        inputs = [torch.from_numpy(each) for each in as_inputs(trained.shape, given).values()]
        torch.testing.assert_close(program(*inputs), network(given), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", kinds("cnn"))
def test_scores_of_onnx_runtime(tmp_path: Path, kind: str) -> None:
    target = Target("multiclass", outputs=3, heads=1 if kind == "cnn" else 2)
    network, trained, rows = made(options(kind, tmp_path), target)
    to_onnx(trained, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    assert [each.name for each in session.get_inputs()] == input_names(trained.shape)
    assert ("head" in input_names(trained.shape)) == (kind != "cnn")
    for given in companies(trained, rows):
        (scores,) = session.run(["score"], as_inputs(trained.shape, given))
        np.testing.assert_allclose(scores, network(given).detach(), atol=1e-5, rtol=1e-5)


def test_the_tower_alone_is_exported(tmp_path: Path) -> None:
    from gdmix.deep.shape import Shape

    shape = Shape(Network(dense=["none"]), wide=6)
    network = DeepNetwork(shape)
    torch.nn.init.normal_(network.wide.weight)
    _, other, rows = made(Network(dense=["numbers"]))
    trained = other._replace(shape=shape, state=network.state_dict())
    to_exported(trained, tmp_path / "network.pt2")
    program = torch.export.load(tmp_path / "network.pt2").module()
    given = batch(rows, None)
    inputs = [torch.from_numpy(each) for each in as_inputs(shape, given).values()]
    torch.testing.assert_close(program(*inputs), network(given))


def test_exports_leave_loggers_and_warnings_alone(tmp_path: Path) -> None:
    before = logging.getLogger("torch.onnx").level, list(warnings.filters)
    to_exported(made(Network(dense=["numbers"]))[1], tmp_path / "network.pt2")
    assert (logging.getLogger("torch.onnx").level, list(warnings.filters)) == before
