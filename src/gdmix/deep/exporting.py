"""A trained network for other programs: ONNX, and `torch.export`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gdmix.deep.bags import Bag
from gdmix.deep.batch import Batch
from gdmix.deep.beginning import rebuilt
from gdmix.deep.network import DeepNetwork
from gdmix.deep.shape import Shape
from gdmix.deep.trained import Trained
from gdmix.errors import MissingExtraError

_OPSET = 20
_ROWS = "rows"
_TALKERS = ("torch.onnx", "torch.export", "onnx_ir", "onnxscript")


class Scorer(nn.Module):
    """A network that takes its batch as plain tensors, in the order of `input_names`."""

    def __init__(self, network: DeepNetwork, shape: Shape) -> None:
        super().__init__()
        self.network = network
        self._shape = shape

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return float32[rows, outputs]."""
        scores: Tensor = self.network(_batch_of(self._shape, tensors))
        return scores


def input_names(shape: Shape) -> list[str]:
    """Return the names of an exported network's inputs.

    `text<n>_ids`, `text<n>_lengths` for each text column, by their order in `network.texts`;
    `wide_indices`, `wide_offsets`, `wide_values`; `dense`; `field<n>_...` for each column of ids or
    embedded features, by their order in `fields`; `head` where there are several.
    """
    return [name for name, _ in _inputs(shape)]


def to_onnx(trained: Trained, path: str | Path) -> None:
    """Write an ONNX model that scores any number of rows, of any length, at once.

    It takes numbers of tokens as `tokenizer.json` gives them, not strings.

    Parameters
    ----------
    trained : Trained
    path : str or Path
        Weights beyond 2 GB lie beside it, in a file of their own.
    """
    try:
        import onnx  # noqa: F401

        from gdmix.deep.onnx_operators import translations
    except ImportError as error:
        raise MissingExtraError.needs("ONNX", "onnx") from error
    scorer, example, dynamic = _ready(trained)
    with _quietly():
        program = torch.onnx.export(
            scorer,
            example,
            input_names=input_names(trained.shape),
            output_names=["score"],
            dynamic_shapes=dynamic,
            opset_version=_OPSET,
            custom_translation_table=translations(),
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(str(path))


def to_exported(trained: Trained, path: str | Path) -> None:
    """Write a program that `torch.export.load` reads; it takes what the ONNX model takes.

    With an `lstm` or `gru`, whoever loads it imports `gdmix.deep.recurrent` before.
    """
    scorer, example, dynamic = _ready(trained)
    with _quietly():
        program = torch.export.export(scorer, example, dynamic_shapes=dynamic)
        torch.export.save(program, str(path))


def as_inputs(shape: Shape, batch: Batch) -> dict[str, NDArray[Any]]:
    """Return a batch as an exported network takes it, by the names of its inputs."""
    return {
        name: tensor.detach().cpu().numpy()
        for name, tensor in zip(input_names(shape), _tensors_of(shape, batch), strict=True)
    }


def _inputs(shape: Shape) -> Iterator[tuple[str, dict[int, str]]]:
    """Yield each input's name, and names of its axes that may have any length."""
    rows = {0: _ROWS}
    for place, _ in enumerate(shape.network.texts):
        yield f"text{place}_ids", rows | {1: f"text{place}_length"}
        yield f"text{place}_lengths", rows
    bags = ["wide"] if shape.wide else []
    bags += [f"field{place}" for place, _ in enumerate(shape.fields)]
    for bag in bags:
        size = {0: f"{bag}_size"}
        yield from ((f"{bag}_indices", size), (f"{bag}_offsets", rows), (f"{bag}_values", size))
    if shape.dense:
        yield "dense", rows
    if shape.heads > 1:
        yield "head", rows


def _tensors_of(shape: Shape, batch: Batch) -> Iterator[Tensor]:
    """Yield a batch's tensors in the order of `_inputs`."""
    for name in shape.network.texts:
        yield from batch.texts[name]
    if shape.wide:
        yield from batch.wide
    for name in shape.fields:
        yield from batch.fields[name]
    if shape.dense:
        yield batch.dense
    if shape.heads > 1:
        yield torch.zeros_like(batch.wide.offsets) if batch.head is None else batch.head


def _batch_of(shape: Shape, tensors: tuple[Tensor, ...]) -> Batch:
    """Return the batch that `_tensors_of` takes apart."""
    left = iter(tensors)
    texts = {name: (next(left), next(left)) for name in shape.network.texts}
    none = torch.zeros(0, dtype=torch.int64)
    wide = Bag(none, none, torch.zeros(0))
    if shape.wide:
        wide = Bag(next(left), next(left), next(left))
    fields = {name: Bag(next(left), next(left), next(left)) for name in shape.fields}
    dense = next(left) if shape.dense else torch.zeros(0, 0)
    return Batch(texts, wide, dense, fields, next(left) if shape.heads > 1 else None)


def _ready(trained: Trained) -> tuple[Scorer, tuple[Tensor, ...], dict[str, Any]]:
    """Return what is exported, inputs to follow it with, and which axes have any length."""
    shape = trained.shape
    scorer = Scorer(rebuilt(trained), shape).eval()
    axes = [axes for _, axes in _inputs(shape)]
    names = sorted({name for each in axes for name in each.values()})
    # the positions that a transformer knows are counted
    most = shape.network.encoder.max_length if shape.transformer else None
    dims = {
        name: torch.export.Dim(name, max=most if name.endswith("_length") else None)
        for name in names
    }
    dynamic = tuple({axis: dims[name] for axis, name in each.items()} for each in axes)
    return scorer, tuple(_tensors_of(shape, _example(shape))), {"tensors": dynamic}


def _example(shape: Shape) -> Batch:
    """Make a batch up; an axis of length 0 or 1 would be taken for a fixed one."""
    rows, long = 3, 2

    def bag(place: int) -> Bag:
        size = rows + 2 + place
        return Bag(torch.zeros(size, dtype=torch.int64), torch.arange(rows), torch.ones(size))

    texts = {
        name: (
            torch.full((rows, long), shape.pad, dtype=torch.int64),
            torch.full((rows,), long, dtype=torch.int64),
        )
        for name in shape.network.texts
    }
    fields = {name: bag(place + 1) for place, name in enumerate(shape.fields)}
    head = torch.zeros(rows, dtype=torch.int64) if shape.heads > 1 else None
    return Batch(texts, bag(0), torch.zeros(rows, shape.dense), fields, head)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep to itself what exporters tell of their own insides."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
