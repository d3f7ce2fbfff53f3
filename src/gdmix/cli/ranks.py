"""Several processes of one ``gdmix train``, as `torchrun` starts them.

They share the batches of a network, and each does all else by itself: what they do is the same to
the bit, so that they come to a network together. The first one writes the run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdmix.config import TrainOptions
from gdmix.coordinates import DeepEffect
from gdmix.errors import ConfigError, MissingExtraError


def is_first() -> bool:
    """Tell whether this is the process that writes the run and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def placed(options: TrainOptions, *, resume: bool) -> Iterator[TrainOptions]:
    """Give every process but the first a place of its own to write to, which is thrown away.

    Raises
    ------
    ConfigError
        There are several processes, and no network for them to train.
    RunError
        They do not come together.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield options
        return
    networks = [each for each in options.coordinates.values() if isinstance(each, DeepEffect)]
    if not networks:
        problem = "several processes were started, and no coordinate is a network"
        raise ConfigError("WORLD_SIZE", problem, hint="start one: its threads share the rest")
    device = networks[0].training.device
    if is_first():
        _meet(device)
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="gdmix-") as place:
        output = Path(place) / "run"
        kept = Path(options.output) / "checkpoints"
        if resume and kept.is_dir():
            shutil.copytree(kept, output / "checkpoints")
        # nothing is kept or thrown away before all have seen what there was
        _meet(device)
        yield options.model_copy(update={"output": str(output), "report": False})


def _meet(device: str) -> None:
    try:
        from gdmix.deep.processes import join
    except ImportError as error:
        raise MissingExtraError.needs("the deep effect", "deep") from error
    join(device).told(None)
