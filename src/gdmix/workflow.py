"""`train`: the main path of a training run, from files to a run directory.

run/
  config.yaml  model/  scores/<split>/*.parquet  metrics.json  report.html  log.jsonl
  models/<number>/        of every point of a grid, where asked for
  metrics/<column>.parquet  where metrics of groups are to be saved
  checkpoints/            while the run goes on
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from gdmix.backends import Backend, Scored
from gdmix.classes.scores import figures
from gdmix.config import TrainOptions
from gdmix.data.dataset import Dataset
from gdmix.data.days import find_days, parse_days
from gdmix.data.joining import JoinedSource, Other
from gdmix.data.source import Source, open_source
from gdmix.descent import State, Update
from gdmix.engine import Rows
from gdmix.errors import ConfigError
from gdmix.grid import Point
from gdmix.history import as_plain
from gdmix.initial import Initial
from gdmix.metrics import Evaluation, Sample
from gdmix.models.mixed import Mixed
from gdmix.opening import open_backend
from gdmix.runlog import RunLog, Stopwatch
from gdmix.schema import Paths
from gdmix.scoring import class_names
from gdmix.selection import Swept
from gdmix.store.aside import write_text
from gdmix.store.checkpoint import identity
from gdmix.store.directory import Saved, save_model
from gdmix.store.loading import load_initial
from gdmix.store.points import StoredPoints
from gdmix.store.run import LOG, claimed, finish, make_folder, save_groups
from gdmix.sweep import Material, gather, require_validation, sweep
from gdmix.warmup import second_hand, shape_of, warm_reading, warm_up


class Watcher:
    """Is told what goes on in a run; this one keeps it to itself."""

    def stage(self, name: str) -> None:
        """Hear that a stage begins: read, kernels, train, write."""

    def share(self, done: float, note: str = "") -> None:
        """Hear which share of an update is done, from 0 to 1; without a note, of entities."""

    def point(self, number: int, point: Point) -> None:
        """Hear that a point of the grid begins, from 1; without a grid there is one."""

    def update(self, update: Update, state: State) -> None:
        """Hear how an update of a coordinate went."""


class Beside:
    """Writes more into or beside a run directory, before the run is whole; this one nothing."""

    def begin(self, path: Path, *, replace: bool) -> None:
        """Hear that a run begins, before anything is read; raise where the place is taken."""

    def model(self, run: Run) -> None:
        """Hear of the finished model."""

    def scores(self, run: Run, split: str, rows: Dataset, table: pa.Table) -> None:
        """Hear of the rows of ``train`` or ``validation`` and of their table of scores."""


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes
    ----------
    path : Path
        The run directory.
    options : TrainOptions
    model : Mixed
        The chosen one.
    swept : Swept
        All points of the grid, and which was chosen.
    seconds : dict of str to float
        By stage: read (the features' index included), kernels, group, solve, score (metrics and
        checkpoints included), write.
    notes : dict of str to list of str
        ``days`` without data; what did not fit together in ``joins``, and was allowed.
    """

    path: Path
    options: TrainOptions
    model: Mixed
    swept: Swept
    seconds: dict[str, float]
    notes: dict[str, list[str]]

    @property
    def history(self) -> list[Update]:
        """The record of every update of the chosen point."""
        return self.swept.best.history


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watcher: Watcher | None = None,
    beside: Beside | None = None,
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
    beside : Beside, optional
        Writes more into the run directory, or beside it.

    Raises
    ------
    ConfigError, DataError
        Before any training: the message names the option, or the file, row and column.
    RunError
        The output is taken or cannot be written, or does not fit the run to resume.
    """
    options = options.dated(date.today())
    path = Path(options.output)
    require_validation(options, given=bool(options.validation))
    watcher, beside = watcher or Watcher(), beside or Beside()
    if options.engine == "spark" and type(beside) is not Beside:
        hint = "write ours, and another project's model from it: `gdmix export`"
        raise ConfigError(
            "engine: spark", "another project's run directory is asked for", hint=hint
        )
    clock = Stopwatch(watcher.stage)
    with (
        claimed(path, resume=resume, overwrite=overwrite),
        open_backend(options, watcher.share) as backend,
    ):
        engine = backend.engine
        beside.begin(path, replace=resume or overwrite)
        with second_hand(options):
            with clock.stage("kernels"):
                warm_reading()
            with clock.stage("read"):
                material, notes = _read(backend, options)
            with clock.stage("kernels"):
                warm_up(options, partial(shape_of, engine, material.train))
        rows, held_out, indexes = material.train, material.validation, material.indexes
        with clock.stage("read"):
            data = identity(
                engine, options.model_options(), indexes, rows, held_out, material.previous
            )
        points = StoredPoints(path, options, indexes, material.statistics, data)
        if resume:
            points.load()
        make_folder(path, resume=resume)
        log = RunLog(path / LOG)
        log.event("start", rows=engine.count(rows), resumed=resume)
        for note in notes["days"]:
            log.event("days", note=note)
        for note in notes["joins"]:
            log.event("join", note=note)
        write_text(path / "config.yaml", options.to_yaml())
        spent: list[float] = []
        observers = [log.update, watcher.update, lambda update, _: spent.append(update.seconds)]
        with clock.stage("train"):
            swept = sweep(engine, options, material, points, observers, [log.point, watcher.point])
        fitting = sum(spent) - backend.grouping
        parts = {"group": backend.grouping, "solve": max(0.0, fitting)}
        clock.split("train", parts, "score")
        with clock.stage("write"):
            model = Mixed(swept.best.parts, indexes, material.statistics)
            run = Run(path, options, model, swept, clock.seconds, notes)
            _write(run, backend, {"train": rows, "validation": held_out}, beside)
        log.event("finish", seconds=clock.seconds)
    return run


def _initial(options: TrainOptions) -> Initial | None:
    """Open the model to begin from, which must outlive this run's output."""
    if options.initial_model is not None:
        output, path = Path(options.output).resolve(), Path(options.initial_model).resolve()
        # it may lie in the run, as that of a point of a grid does
        if output in (path, *path.parents):
            hint = "write to another place: a run that is cut off needs it again"
            raise ConfigError("output", f"{options.output} is the initial model", hint=hint)
    return load_initial(options)


def _read(backend: Backend, options: TrainOptions) -> tuple[Material, dict[str, list[str]]]:
    """Open everything first, so that a wrong validation path costs no time.

    Returned with what is read are the notes of `Run`.
    """
    initial = _initial(options)
    train, notes = _open(backend, options, "train")
    held_out, more = _open(backend, options, "validation") if options.validation else (None, [])
    material = gather(backend.engine, options, train, held_out, initial)
    joined = [source for source in (train, held_out) if isinstance(source, JoinedSource)]
    misfits = [note for source in joined for note in source.notes]
    return material, {"days": [*notes, *more], "joins": misfits}


def _open(backend: Backend, options: TrainOptions, split: str) -> tuple[Source, list[str]]:
    files, notes = _files(options, split)
    rows = backend.open(files, options.lists or _path(options.metadata))
    if not options.joins:
        return rows, notes
    others = []
    for join in options.joins:
        own = bool(join.validation) or not options.validation
        their = join.validation if split == "validation" and join.validation else join.train
        # files that serve both have rows of the other
        allow = join.allow if own else (*join.allow, "extra")
        source = open_source(list(their), metadata=_path(join.metadata))
        others.append(Other(source, join.key, join.columns, allow))
    return JoinedSource(rows, others), notes


def _files(options: TrainOptions, split: str) -> tuple[list[str] | list[Path], list[str]]:
    paths: Paths = getattr(options, split)
    dates: str | None = getattr(options, f"{split}_dates")
    if dates is None:
        return list(paths), []
    found = find_days(paths, parse_days(dates, f"{split}_dates"))
    return found.files, [found.note] if found.note else []


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _write(run: Run, backend: Backend, splits: dict[str, Rows | None], beside: Beside) -> None:
    best = run.swept.best
    history = [as_plain(update) for update in run.history]
    unseen: dict[str, dict[str, Any]] = {}
    classes: dict[str, Any] = {}
    if run.options.output_mode != "none":
        save_model(run.path / "model", Saved(best.options, run.model, history))
    beside.model(run)
    for split, rows in splits.items():
        if rows is not None:
            unseen[split], found = _write_scores(run, backend, split, rows, beside)
            if run.options.kind.several:
                classes[split] = _figures(run, found)
    metrics = {
        "final": dict(best.update.metrics),
        **run.swept.as_plain(),
        "history": history,
        "unseen": unseen,
        **({"classes": classes} if classes else {}),
        **run.notes,
        "seconds": {stage: round(value, 6) for stage, value in run.seconds.items()},
    }
    finish(run.path, metrics)


def _write_scores(
    run: Run, backend: Backend, split: str, rows: Rows, beside: Beside
) -> tuple[dict[str, Any], Scored]:
    folder = run.path / "scores" / split if run.options.output_mode != "none" else None
    found = backend.write_scores(run.options, run.model, rows, folder)
    if found.table is not None:
        beside.scores(run, split, rows, found.table)
    if split == "validation" and run.options.save_group_metrics:
        evaluation = Evaluation(run.options.evaluators, *found.labelled())
        save_groups(run.path / "metrics", evaluation.group_tables())
    told = {
        "rows": found.unseen.rows,
        "entities": dict(found.unseen.entities),
        "features": dict(found.unseen.features),
    }
    return told, found


def _figures(run: Run, found: Scored) -> dict[str, Any]:
    rows, score = found.labelled()
    sample = Sample(rows.label, score, rows.weight)
    return figures(class_names(run.options, run.model), sample)
