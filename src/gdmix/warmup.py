"""Load or compile the kernels that a training run will use, before it is timed."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gdmix.config import ModelOptions
from gdmix.coordinates import Bound, DeepEffect, FixedEffect, RandomEffect
from gdmix.data.fingerprint import fingerprint
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.descent import Plan, State, descend
from gdmix.engine import Engine, Rows
from gdmix.engines.local import LocalEngine, available_threads
from gdmix.glm import groups
from gdmix.jit import is_compiled
from gdmix.options import read_yaml
from gdmix.planning import make_plan, statistics_of

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


def warm_reading() -> None:
    """Load or compile the kernels that reading takes, whatever it is that is read."""
    coordinates: dict[str, FixedEffect | RandomEffect] = {
        "fixed": FixedEffect(features=_COLUMNS),
        "random": RandomEffect("id", features=_COLUMNS[:1]),
    }
    layout = ModelOptions(label="y", coordinates=coordinates).layout()
    with _without_collecting():
        _, indexes = read(FrameSource(_few_rows()), layout)
        read(FrameSource(_few_rows()), layout, indexes)
        fingerprint(np.zeros(8))


class Shape(NamedTuple):
    """What decides about kernels for the rows of a shard.

    Attributes
    ----------
    width : int
    full : bool
        Whether every row holds every feature.
    """

    width: int
    full: bool


ShapeOf = Callable[[str], Shape]


def shape_of(engine: Engine, rows: Rows, shard: str) -> Shape:
    """Return the shape of a shard's rows."""
    return Shape(engine.width(rows, shard), engine.full(rows, shard) > 0)


def warm_up(options: ModelOptions, shape: ShapeOf | None = None) -> None:
    """Train on a few made-up rows, with the task and the coordinates of `options`.

    What no coordinate asks for (TRON, L1 terms, variances) is not compiled. The `shape` of a shard
    that will be trained on tells what `optimizer: auto` stands for, and whether rows are sparse.
    """
    # a network of several classes has no kernels but those of reading
    if not options.kind.several:
        _train_on_few(_tiny(options, shape), options)


def compile_backwards(text: str) -> None:
    """Compile from the other end what a process compiles for these options.

    numba compiles on one core. Kernels that one process has put into the cache are loaded by the
    other: two that begin at different ends meet in the middle.
    """
    tiny = ModelOptions.parse(read_yaml(text, "options"))
    backwards = dict(reversed(tiny.coordinates.items()))
    groups.SOLVERS = groups.SOLVERS[-1:]
    _train_on_few(tiny.model_copy(update={"coordinates": backwards}), tiny)


@contextmanager
def second_hand(options: ModelOptions) -> Iterator[None]:
    """Let another process compile from the other end, where there is much to do and a core.

    It begins before the rows are read, and compiles for sparse ones.
    """
    if is_compiled() or available_threads() < 2 or options.kind.several:
        yield
        return
    program = "import sys; from gdmix.warmup import compile_backwards as run; run(sys.argv[1])"
    command = [sys.executable, "-c", program, _tiny(options, None).to_yaml()]
    helper = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        # what it has not compiled by now, nobody needs
        helper.kill()
        helper.wait()


def _tiny(options: ModelOptions, shape: ShapeOf | None) -> ModelOptions:
    return ModelOptions(task=options.task, label="y", coordinates=_alike(options, shape))


def _few_rows() -> pa.Table:
    return pa.table(
        {
            "y": [0.0, 1.0, 1.0, 0.0],
            "id": [0, 0, 1, 1],
            "x": np.linspace(-1.0, 1.0, 4),
            "tags": [["a"], ["b"], ["a", "b"], []],
        }
    )


def _train_on_few(tiny: ModelOptions, options: ModelOptions) -> None:
    engine = LocalEngine(1)
    layout = tiny.layout()
    # groups of metrics need an id, though no coordinate may have entities
    layout = replace(layout, entities={"id": "metrics", **layout.entities})
    few, indexes = read(FrameSource(_few_rows()), layout)
    plan = make_plan(tiny, indexes, statistics_of(engine, tiny, few))
    metrics = [replace(e, column="id" if e.column else None) for e in options.evaluators]
    once = replace(plan, sweeps=2, tolerance=0.0, metrics=metrics)
    with _without_collecting():
        state = descend(engine, once, few, few)
        if options.initial_model is not None:
            descend(engine, _from(once, state), few, few)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage.

    The compiler makes millions of objects that live on: looking through them again and again
    costs a fifth of its time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _from(plan: Plan, state: State) -> Plan:
    """Return a plan that begins from what a descent ended with."""
    settings = {
        name: setting._replace(previous=state.parts[name])
        for name, setting in plan.settings.items()
    }
    return replace(plan, settings=settings)


def _alike(options: ModelOptions, shape: ShapeOf | None) -> dict[str, FixedEffect | RandomEffect]:
    """Return the coordinates of `options` on made-up columns; those that are alike once."""
    found: list[FixedEffect | RandomEffect] = []
    shards: Mapping[str, str] = options.shards()
    for name, given in options.coordinates.items():
        if isinstance(given, DeepEffect):
            continue
        changed = {
            option: getattr(given, option)
            for option in _DECIDING
            if option in given.model_fields_set
        }
        if given.bounds:
            changed["bounds"] = (Bound(name="x", lower=-1.0, upper=1.0),)
        # one kernel serves an entity's rows with features and rows without
        alike: FixedEffect | RandomEffect = RandomEffect("id", features=_COLUMNS)
        if isinstance(given, FixedEffect):
            known = None if shape is None else shape(shards[name])
            full = known is not None and known.full
            alike = FixedEffect(features=_COLUMNS[:1] if full else _COLUMNS)
            if known is not None:
                changed["optimizer"] = given.optimizer_for(known.width)
            changed["down_sampling"] = 0.5 if given.down_sampling < 1.0 else 1.0
        elif given.sampling.upper is not None or given.sampling.ratio is not None:
            changed |= {"active_upper_bound": 1, "features_to_samples_ratio": 1.0}
        alike = alike.model_copy(update=changed)
        if alike not in found:
            found.append(alike)
    # a model of a network alone: its rows have a linear tower
    found = found or [FixedEffect(features=_COLUMNS)]
    return {f"coordinate-{k}": coordinate for k, coordinate in enumerate(found)}
