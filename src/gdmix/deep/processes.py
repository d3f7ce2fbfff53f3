"""The processes that train one network together: one, or those that `torchrun` starts."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from gdmix.errors import RunError

_PATIENCE = timedelta(minutes=30)


class Processes(NamedTuple):
    """How many processes there are, and which one this is.

    Attributes
    ----------
    rank : int
        Number of this process; the first, 0, is the one that writes.
    ranks : int
        Number of processes.
    local : int
        Number of this process on its machine: of its GPU there.
    """

    rank: int = 0
    ranks: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def total(self, tensor: Tensor) -> Tensor:
        """Return the sum over processes of a tensor, which is overwritten."""
        if self.ranks > 1:
            dist.all_reduce(tensor)
        return tensor

    def told(self, value: Any) -> Any:  # noqa: ANN401 - any plain value
        """Return the first process's value."""
        if self.ranks == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def gathered(self, value: Any) -> list[Any]:  # noqa: ANN401 - any plain value
        """Return every process's value, in order."""
        if self.ranks == 1:
            return [value]
        found: list[Any] = [None] * self.ranks
        dist.all_gather_object(found, value)
        return found


def join(device: str) -> Processes:
    """Join the processes that `torchrun` started; alone where it started none.

    The group stays until the process ends, so that another network can be trained by it.

    Parameters
    ----------
    device : str
        The device asked for, which decides how processes talk: `nccl` between GPUs, else `gloo`.

    Raises
    ------
    RunError
        The environment that `torchrun` sets is incomplete, or the others do not come.
    """
    if not dist.is_available() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    if not dist.is_initialized():
        is_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if is_gpu:
            torch.cuda.set_device(local)
        try:
            # gloo too, for values that lie on no GPU
            dist.init_process_group("cpu:gloo,cuda:nccl" if is_gpu else "gloo", timeout=_PATIENCE)
        except (ValueError, RuntimeError) as error:
            problem = f"cannot join the other processes ({str(error).splitlines()[0]})"
            raise RunError("WORLD_SIZE", problem, hint="start them by torchrun") from error
        atexit.register(_leave)
    return Processes(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
