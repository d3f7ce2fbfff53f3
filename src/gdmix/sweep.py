"""A descent for each point of a grid, each solved from where the last one ended.

The rows are read and grouped once. A point's solvers begin at the last point's coefficients, yet
its descent begins anew: so each point is the model that a run of its own would give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gdmix.classes.options import shard_of
from gdmix.classes.training import learn
from gdmix.config import ModelOptions
from gdmix.data.dataset import Dataset
from gdmix.data.index import FeatureIndex
from gdmix.data.reading import Indexes
from gdmix.data.source import Source
from gdmix.data.statistics import Statistics
from gdmix.descent import Observer, Plan, State, Update, descend
from gdmix.engine import Engine, Rows
from gdmix.errors import ConfigError
from gdmix.grid import Point
from gdmix.initial import Initial
from gdmix.models.deep import DeepModel
from gdmix.models.mixed import Part
from gdmix.models.representation import SUFFIX, keys_of
from gdmix.planning import make_plan, statistics_of
from gdmix.selection import Candidate, KeepBest, Swept, best_of, best_update, first_metric


@dataclass(frozen=True)
class Material:
    """What all points are trained on.

    Attributes
    ----------
    train : Rows
    validation : Rows or None
    indexes : dict of shard to FeatureIndex
    statistics : dict of shard to Statistics
    previous : dict of str to Part
        What an initial model knows of coordinates, in the positions of `indexes`.
    """

    train: Rows
    validation: Rows | None
    indexes: Indexes
    statistics: Mapping[str, Statistics]
    previous: Mapping[str, Part]


def gather(
    engine: Engine,
    options: ModelOptions,
    train: Source,
    validation: Source | None,
    initial: Initial | None,
) -> Material:
    """Read what is trained on, and what an initial model knows of it.

    Raises
    ------
    DataError
        The data does not fit the options or the initial model; the message names the place.
    """
    earlier = None if initial is None else initial.features(options)
    rows, indexes = engine.read(train, options.training_layout(), earlier=earlier)
    if options.representations():
        indexes = _with_representations(options, indexes)
        rows = _widened(rows, indexes)
    held_out = None
    if validation is not None:
        held_out, _ = engine.read(validation, options.evaluation_layout(), indexes)
    previous = (
        {} if initial is None else initial.parts(options, indexes, partial(engine.id_type, rows))
    )
    statistics = statistics_of(engine, options, rows)
    return Material(rows, held_out, indexes, statistics, previous)


def _with_representations(options: ModelOptions, indexes: Indexes) -> Indexes:
    """Add what networks make of rows to the shards of the coordinates that read it."""
    units, found = options.representations(), dict(indexes)
    for name, shard in options.shards().items():
        for feature in options.features_of(name):
            source = feature.column.removesuffix(SUFFIX)
            if source in units and feature.column.endswith(SUFFIX):
                found[shard] = found[shard].extended(FeatureIndex(keys_of(source, units[source])))
    return found


def _widened(rows: Dataset, indexes: Indexes) -> Dataset:
    shards = {name: csr._replace(width=len(indexes[name])) for name, csr in rows.shards.items()}
    return replace(rows, shards=shards)


class Keeper:
    """Keeps what is done of a sweep, so that it can go on; this one forgets it."""

    def finished(self) -> list[Candidate]:
        """Return the points that are done; the last one and the best have their parts."""
        return []

    def begin(self, number: int) -> State:
        """Return where a point goes on from."""
        return State()

    def workspace(self, number: int) -> Path | None:
        """Return a folder for checkpoints within updates of a point."""
        return None

    def save(self, update: Update, state: State) -> None:
        """Keep the state after an update of the point that began last."""

    def finish(self, candidate: Candidate, best: Candidate) -> None:
        """Keep a point that is done."""


def require_validation(options: ModelOptions, *, given: bool) -> None:
    """Check that there is data to choose a model by, where one is to be chosen.

    Raises
    ------
    ConfigError
        There is none.
    """
    for name in ("grid", "keep_best"):
        if getattr(options, name) and not given:
            hint = "add validation data, or remove this option"
            raise ConfigError(name, "there is no validation data to choose a model by", hint=hint)


def sweep(
    engine: Engine,
    options: ModelOptions,
    material: Material,
    keeper: Keeper | None = None,
    observers: Iterable[Observer] = (),
    beginning: Iterable[Callable[[int, Point], None]] = (),
) -> Swept:
    """Train every point of ``options.grid``, from the largest penalties down.

    Parameters
    ----------
    engine : Engine
    options : ModelOptions
    material : Material
    keeper : Keeper, optional
    observers : iterable of callable
        Called after every update with the update and the state.
    beginning : iterable of callable
        Called with its number and the point when one begins.
    """
    keeper, observers, beginning = keeper or Keeper(), list(observers), list(beginning)
    metric = first_metric(options)
    lines, best, last = [], None, None
    finished = {candidate.number: candidate for candidate in keeper.finished()}
    for number, (point, at) in enumerate(options.at_points(), start=1):
        candidate = finished.get(number)
        if candidate is None:
            for hear in beginning:
                hear(number, point)
            plan = make_plan(at, material.indexes, material.statistics, material.previous)
            plan = _from(last, plan)
            watching = [*_choosing(at, plan), keeper.save, *observers]
            state = keeper.begin(number)
            place = keeper.workspace(number)
            run = _way(at, material.indexes)
            run(engine, plan, material.train, material.validation, state, watching, place)
            candidate = _candidate(number, point, at, plan, state)
            best = _better(best, candidate, metric)
            keeper.finish(candidate, best)
        best, last = _better(best, candidate, metric), candidate
        lines.append(candidate.as_plain())
    assert best is not None
    return Swept(best, lines, metric)


def _way(options: ModelOptions, indexes: Indexes) -> Callable[..., State]:
    """Return how a model is trained: by descent, or in one go where it has several classes."""
    if not options.kind.several:
        return descend
    (name,) = options.coordinates
    return partial(learn, outputs=len(indexes[shard_of(name)]))


def _from(last: Candidate | None, plan: Plan) -> Plan:
    if last is None:
        return plan
    # a network has no optimum that it would come to from anywhere: it begins anew
    solved = {n: part for n, part in last.parts.items() if not isinstance(part, DeepModel)}
    settings = {
        name: setting._replace(start=solved.get(name)) for name, setting in plan.settings.items()
    }
    return replace(plan, settings=settings)


def _choosing(options: ModelOptions, plan: Plan) -> list[Observer]:
    return [KeepBest(_trained(plan), first_metric(options))] if options.keep_best else []


def _candidate(
    number: int, point: Point, options: ModelOptions, plan: Plan, state: State
) -> Candidate:
    history, kept = state.history, None
    if options.keep_best:
        kept = best_update(history, _trained(plan), first_metric(options))
    parts = state.parts if kept is None else state.parts | state.best
    return Candidate(number, point, options, parts, history, kept or len(history))


def _trained(plan: Plan) -> int:
    return len(plan.coordinates.keys() - plan.locked)


def _better(best: Candidate | None, other: Candidate, metric: str) -> Candidate:
    if best is None or best is other:
        return other
    pair = (best, other)
    found = best_of([one.update.metrics[metric] for one in pair], metric)
    return pair[found or 0]
