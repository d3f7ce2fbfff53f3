"""Load or compile the kernels that a training run will use, before it is timed."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pyarrow as pa

from gdmix.config import ModelOptions
from gdmix.coordinates import FixedEffect, RandomEffect
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.descent import descend
from gdmix.engines.local import LocalEngine
from gdmix.planning import make_plan


def warm_up(options: ModelOptions) -> None:
    """Run every kernel once on a few made-up rows with the loss of `options`."""
    coordinates: dict[str, FixedEffect | RandomEffect] = {
        "fixed": FixedEffect(features=["x", "tags"]),
        "tron": FixedEffect(features=["x", "tags"], optimizer="tron"),
        "random": RandomEffect("id", features=["x", "tags"]),
    }
    if any(_samples(coordinate) for coordinate in options.coordinates.values()):
        coordinates["sampled"] = RandomEffect(
            "id", features=["x", "tags"], active_upper_bound=1, features_to_samples_ratio=1.0
        )
    tiny = ModelOptions(task=options.task, label="y", coordinates=coordinates)
    table = pa.table(
        {
            "y": [0.0, 1.0, 1.0, 0.0],
            "id": [0, 0, 1, 1],
            "x": np.linspace(-1.0, 1.0, 4),
            "tags": [["a"], ["b"], ["a", "b"], []],
        }
    )
    rows, indexes = read(FrameSource(table), tiny.layout())
    plan = make_plan(tiny, indexes)
    metrics = [replace(e, column="id" if e.column else None) for e in options.evaluators]
    once = replace(plan, sweeps=2, tolerance=0.0, metrics=metrics)
    collecting = gc.isenabled()
    # the compiler makes millions of objects that live on: looking through them again and again
    # for garbage costs a fifth of its time
    gc.disable()
    try:
        descend(LocalEngine(1), once, rows, rows)
    finally:
        if collecting:
            gc.enable()


def _samples(coordinate: FixedEffect | RandomEffect) -> bool:
    """Tell whether a coordinate trains on some of the rows or features, by kernels of their own."""
    if isinstance(coordinate, FixedEffect):
        return coordinate.down_sampling < 1.0
    sampling = coordinate.sampling
    return sampling.upper is not None or sampling.ratio is not None
