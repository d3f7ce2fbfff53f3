"""Where a network is computed, and in which numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from gdmix.deep.options import Training
from gdmix.errors import ConfigError


def device_of(name: str, local: int = 0) -> torch.device:
    """Return the device of an option, `auto` being a GPU if there is one.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
    local : int
        Number of this process on its machine, which has the GPU of that number where none is
        named.

    Raises
    ------
    ConfigError
        There is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError("device", f"found {name!r}", "auto, cpu, cuda, or cuda:1") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise ConfigError("device", f"found {name!r}", "auto, cpu, cuda, or cuda:1")
    count = torch.cuda.device_count()
    number = local if device.index is None else device.index
    if number >= count:
        problem = f"found {name!r}; there are {count} GPUs here" if count else "there is no GPU"
        raise ConfigError("device", problem, hint="take auto or cpu")
    return torch.device("cuda", number)


def is_mixed(precision: str, device: torch.device) -> bool:
    """Tell whether matrices are multiplied in bfloat16."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "mixed"


def casting(training: Training, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that the forward pass runs in."""
    if is_mixed(training.precision, device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
