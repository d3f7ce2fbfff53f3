"""ONNX's own LSTM and GRU, in place of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset20 as op

import gdmix.deep.recurrent  # noqa: F401 - registers the operators


def translations() -> dict[Any, Callable[..., Any]]:
    """Return how each of our operators is written in ONNX."""
    return {torch.ops.gdmix.lstm.default: _lstm, torch.ops.gdmix.gru.default: _gru}


def _lstm(vectors: Any, w_in: Any, w_state: Any, b_in: Any, b_state: Any) -> Any:  # noqa: ANN401
    # PyTorch's gates are input, forget, cell, output; ONNX wants input, output, forget, cell
    order, gates = (0, 3, 1, 2), 4
    size = w_state.shape[1]
    given = [_ordered(weights, order, gates) for weights in (w_in, w_state, b_in, b_state)]
    bias = op.Unsqueeze(op.Concat(given[2], given[3], axis=0), [0])
    weights = [op.Unsqueeze(each, [0]) for each in given[:2]]
    ahead = op.Transpose(vectors, perm=[1, 0, 2])
    states, _, _ = op.LSTM(ahead, *weights, bias, hidden_size=size)
    return op.Transpose(op.Squeeze(states, [1]), perm=[1, 0, 2])


def _gru(vectors: Any, w_in: Any, w_state: Any, b_in: Any, b_state: Any) -> Any:  # noqa: ANN401
    # PyTorch's gates are reset, update, new; ONNX wants update first, and the reset behind the map
    order, gates = (1, 0, 2), 3
    size = w_state.shape[1]
    given = [_ordered(weights, order, gates) for weights in (w_in, w_state, b_in, b_state)]
    bias = op.Unsqueeze(op.Concat(given[2], given[3], axis=0), [0])
    weights = [op.Unsqueeze(each, [0]) for each in given[:2]]
    ahead = op.Transpose(vectors, perm=[1, 0, 2])
    states, _ = op.GRU(ahead, *weights, bias, hidden_size=size, linear_before_reset=1)
    return op.Transpose(op.Squeeze(states, [1]), perm=[1, 0, 2])


def _ordered(weights: Any, order: tuple[int, ...], gates: int) -> Any:  # noqa: ANN401
    parts = op.Split(weights, axis=0, num_outputs=gates)
    return op.Concat(*[parts[place] for place in order], axis=0)
