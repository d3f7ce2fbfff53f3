"""`train`: the main path of a training run, from files to a run directory.

run/
  config.yaml  model/  scores/<split>/*.parquet  metrics.json  report.html  log.jsonl
  checkpoints/            while the run goes on
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from gdmix.config import TrainOptions
from gdmix.data.dataset import Dataset
from gdmix.data.reading import Indexes, read
from gdmix.data.source import open_source
from gdmix.descent import State, Update, descend
from gdmix.engines.local import LocalEngine
from gdmix.history import as_plain
from gdmix.models.mixed import Mixed
from gdmix.planning import make_plan, statistics_of
from gdmix.runlog import RunLog, Stopwatch
from gdmix.scoring import Unseen, score_rows
from gdmix.store.aside import replacing, write_text
from gdmix.store.checkpoint import Checkpoints, identity
from gdmix.store.directory import Saved, save_model
from gdmix.store.run import LOG, claimed, finish, make_folder
from gdmix.warmup import warm_up

_SCORES = "part-00000.parquet"


class Watcher:
    """Is told what goes on in a run; this one keeps it to itself."""

    def stage(self, name: str) -> None:
        """Hear that a stage begins: read, kernels, train, write."""

    def share(self, done: float) -> None:
        """Hear which share of a random effect's entities is solved, from 0 to 1."""

    def update(self, update: Update, state: State) -> None:
        """Hear how an update of a coordinate went."""


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes
    ----------
    path : Path
        The run directory.
    options : TrainOptions
    model : Mixed
    history : list of Update
    seconds : dict of str to float
        By stage: kernels, read, train, write.
    """

    path: Path
    options: TrainOptions
    model: Mixed
    history: list[Update]
    seconds: dict[str, float]


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Train a model and write its run directory.

    Parameters
    ----------
    options : TrainOptions
    resume : bool
        Go on from the checkpoints of a run that was cut off.
    overwrite : bool
        Replace what is at ``options.output``.
    watcher : Watcher, optional
        Told what goes on.

    Raises
    ------
    ConfigError, DataError
        Before any training: the message names the option, or the file, row and column.
    RunError
        The output is taken or cannot be written, or does not fit the run to resume.
    """
    path = Path(options.output)
    watcher = watcher or Watcher()
    clock = Stopwatch(watcher.stage)
    with claimed(path, resume=resume, overwrite=overwrite):
        with clock.stage("read"):
            rows, held_out, indexes = _read(options)
        data = identity(options.model_options(), indexes, rows, held_out)
        checkpoints = Checkpoints(path / "checkpoints", options.model_options(), indexes, data)
        state = checkpoints.load() if resume else State()
        make_folder(path, resume=resume)
        log = RunLog(path / LOG)
        log.event("start", rows=rows.rows, resumed=resume)
        write_text(path / "config.yaml", options.to_yaml())
        with clock.stage("kernels"):
            warm_up(options)
        engine = LocalEngine(options.threads, watcher.share)
        observers = [checkpoints.save, log.update, watcher.update]
        with clock.stage("train"):
            statistics = statistics_of(engine, options, rows)
            plan = make_plan(options, indexes, statistics)
            descend(engine, plan, rows, held_out, state, observers)
        with clock.stage("write"):
            model = Mixed(state.parts, indexes, statistics)
            run = Run(path, options, model, state.history, clock.seconds)
            _write(run, engine, {"train": rows, "validation": held_out})
        log.event("finish", seconds=clock.seconds)
    return run


def _read(options: TrainOptions) -> tuple[Dataset, Dataset | None, Indexes]:
    """Open everything first, so that a wrong validation path costs no time."""
    layout = options.layout()
    sources = [open_source(list(paths)) for paths in (options.train, options.validation) if paths]
    rows, indexes = read(sources[0], layout)
    held_out = read(sources[1], layout, indexes)[0] if len(sources) > 1 else None
    return rows, held_out, indexes


def _write(run: Run, engine: LocalEngine, splits: dict[str, Dataset | None]) -> None:
    history = [as_plain(update) for update in run.history]
    save_model(run.path / "model", Saved(run.options.model_options(), run.model, history))
    unseen: dict[str, dict[str, Any]] = {}
    for split, rows in splits.items():
        if rows is not None:
            found = Unseen()
            table = score_rows(engine, run.options, run.model, rows, found)
            with replacing(run.path / "scores" / split, _SCORES) as aside:
                aside.mkdir(parents=True)
                pq.write_table(table, aside / _SCORES, compression="zstd")
            unseen[split] = {
                "rows": found.rows,
                "entities": dict(found.entities),
                "features": dict(found.features),
            }
    metrics = {
        "final": dict(run.history[-1].metrics),
        "history": history,
        "unseen": unseen,
        "seconds": {stage: round(value, 6) for stage, value in run.seconds.items()},
    }
    finish(run.path, metrics)
