"""Load or compile the kernels that a training run will use, before it is timed."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pyarrow as pa

from gdmix.config import ModelOptions
from gdmix.coordinates import Bound, FixedEffect, RandomEffect
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.descent import descend
from gdmix.engines.local import LocalEngine
from gdmix.planning import make_plan

_COLUMNS = ("x", "tags")

# options that decide which kernels a coordinate runs
_DECIDING = (
    "optimizer",
    "l1",
    "elastic_net",
    "normalization",
    "variance",
    "intercept",
    "penalize_intercept",
)


def warm_up(options: ModelOptions) -> None:
    """Train on a few made-up rows, with the task and the coordinates of `options`.

    What no coordinate asks for (TRON, L1 terms, variances) is not compiled.
    """
    tiny = ModelOptions(task=options.task, label="y", coordinates=_alike(options))
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
    once = replace(plan, sweeps=2, tolerance=0.0, metrics=options.kind.metrics)
    collecting = gc.isenabled()
    # the compiler makes millions of objects that live on: looking through them again and again
    # for garbage costs a fifth of its time
    gc.disable()
    try:
        descend(LocalEngine(1), once, rows, rows)
    finally:
        if collecting:
            gc.enable()


def _alike(options: ModelOptions) -> dict[str, FixedEffect | RandomEffect]:
    """Return the coordinates of `options` on made-up columns; those that are alike once."""
    found: list[FixedEffect | RandomEffect] = []
    for given in options.coordinates.values():
        # one kernel serves rows with features and rows without
        random = isinstance(given, RandomEffect)
        plain = RandomEffect("id", features=_COLUMNS) if random else FixedEffect(features=_COLUMNS)
        changed = {
            name: getattr(given, name) for name in _DECIDING if name in type(given).model_fields
        }
        if given.bounds:
            changed["bounds"] = (Bound(name="x", lower=-1.0, upper=1.0),)
        alike = plain.model_copy(update=changed)
        if alike not in found:
            found.append(alike)
    return {f"coordinate-{k}": coordinate for k, coordinate in enumerate(found)}
