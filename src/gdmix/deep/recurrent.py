"""LSTM and GRU as one operator each, for exports: PyTorch would unroll them to one length."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


def states_of(layer: nn.Module, vectors: Tensor) -> Tensor:
    """Return all states of a layer that goes one way: float32[rows, length, size].

    Parameters
    ----------
    layer : nn.LSTM or nn.GRU
        Of one layer, with the batch first.
    vectors : float32[rows, length, units]
    """
    layer = cast(nn.LSTM | nn.GRU, layer)
    if not torch.compiler.is_exporting():
        return cast(Tensor, layer(vectors)[0])
    operator = lstm if isinstance(layer, nn.LSTM) else gru
    weights = (layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0)
    return cast(Tensor, operator(vectors, *weights))


@torch.library.custom_op("gdmix::lstm", mutates_args=())
def lstm(vectors: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> Tensor:
    """Return the states of an LSTM, a step at a time; weights are laid out as in `nn.LSTM`."""
    state = vectors.new_zeros(vectors.shape[0], w_state.shape[1])
    cell, states = state, []
    for step in range(vectors.shape[1]):
        gates = functional.linear(vectors[:, step], w_in, b_in)
        gates = gates + functional.linear(state, w_state, b_state)
        enter, forget, new, leave = gates.chunk(4, dim=1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        state = leave.sigmoid() * cell.tanh()
        states.append(state)
    return torch.stack(states, dim=1)


@torch.library.custom_op("gdmix::gru", mutates_args=())
def gru(vectors: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor) -> Tensor:
    """Return the states of a GRU, a step at a time; weights are laid out as in `nn.GRU`."""
    state, states = vectors.new_zeros(vectors.shape[0], w_state.shape[1]), []
    for step in range(vectors.shape[1]):
        reset, update, new = functional.linear(vectors[:, step], w_in, b_in).chunk(3, dim=1)
        again, keep, old = functional.linear(state, w_state, b_state).chunk(3, dim=1)
        new = (new + (reset + again).sigmoid() * old).tanh()
        share = (update + keep).sigmoid()
        state = share * state + (1.0 - share) * new
        states.append(state)
    return torch.stack(states, dim=1)


def _states_alike(
    vectors: Tensor, w_in: Tensor, w_state: Tensor, b_in: Tensor, b_state: Tensor
) -> Tensor:
    """Return a tensor of the states' size: what an export follows in their place."""
    return vectors.new_empty(vectors.shape[0], vectors.shape[1], w_state.shape[1])


lstm.register_fake(_states_alike)
gru.register_fake(_states_alike)
