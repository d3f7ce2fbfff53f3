"""Block coordinate descent: fit each coordinate against the others' scores, in turn.

Every update solves one block to tolerance from where it was, so the total objective never rises
where coordinates train on all rows. What is sampled is the same in every sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gdmix.coordinates import Coordinate, HeldOut, Setting, Summary
from gdmix.engine import Column, Engine, Rows
from gdmix.errors import ConfigError
from gdmix.glm.losses import Loss
from gdmix.levelling import level
from gdmix.metrics import Evaluation, Evaluator
from gdmix.models.deep import DeepModel
from gdmix.models.mixed import Part
from gdmix.models.representation import Place, completed


@dataclass(frozen=True)
class Update:
    """One update of one coordinate, as it is logged, shown and saved.

    Attributes
    ----------
    sweep : int
        From 1.
    coordinate : str
    samples : int
        Training rows.
    seconds : float
        Spent solving.
    objective : float
        Of the whole model after this update: weighted loss plus all penalties.
    penalty : float
        Of this coordinate alone.
    summary : Summary
    metrics : dict of str to float
        On the validation data, after this update.
    """

    sweep: int
    coordinate: str
    samples: int
    seconds: float
    objective: float
    penalty: float
    summary: Summary
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass
class State:
    """Where a descent stands: what a checkpoint keeps.

    Attributes
    ----------
    parts : dict of str to Part
        The latest part of every coordinate updated so far.
    history : list of Update
    best : dict of str to Part
        The parts after the update that validated best, where an observer keeps them.
    penalties : dict of str to float
        What each coordinate pays.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    history: list[Update] = field(default_factory=list)
    best: dict[str, Part] = field(default_factory=dict)
    penalties: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What to descend on.

    Attributes
    ----------
    coordinates : dict of str to Coordinate
        In the update sequence.
    settings : dict of str to Setting
        Shard, loss, prior ... of each coordinate.
    sweeps : int
        Most passes over the coordinates.
    tolerance : float
        Stop after a sweep that changed the objective by less than this, relative to it.
    metrics : sequence of Evaluator
        Evaluated on the validation data after every update.
    locked : frozenset of str
        Coordinates that are scored as they are, never updated.
    representations : dict of shard to list of Place
        Where last layers of networks are features of other coordinates.
    """

    coordinates: Mapping[str, Coordinate]
    settings: Mapping[str, Setting]
    sweeps: int
    tolerance: float
    metrics: Sequence[Evaluator] = ()
    locked: frozenset[str] = frozenset()
    representations: Mapping[str, Sequence[Place]] = field(default_factory=dict)

    @property
    def loss(self) -> Loss:
        """The loss, which all coordinates share."""
        return next(iter(self.settings.values())).loss


Observer = Callable[[Update, State], None]


def descend(
    engine: Engine,
    plan: Plan,
    train: Rows,
    validation: Rows | None = None,
    state: State | None = None,
    observers: Iterable[Observer] = (),
    workspace: Path | None = None,
) -> State:
    """Run block coordinate descent.

    Parameters
    ----------
    engine : Engine
    plan : Plan
    train, validation : Rows
    state : State, optional
        Where an earlier descent stopped; this one goes on from there.
    observers : iterable of callable
        Called after every update with the update and the state.
    workspace : Path, optional
        Folder for coordinates whose updates are so long that they keep checkpoints of their own.

    Returns
    -------
    State
        The parts of all coordinates and the record of every update.
    """
    going = _Descent(engine, plan, train, validation, state or State())
    going.workspace = workspace
    state, observers = going.state, list(observers)
    names = [name for name in plan.coordinates if name not in plan.locked]
    for step in range(len(state.history), plan.sweeps * len(names)):
        sweep, position = divmod(step, len(names))
        if position == 0 and _settled(state.history, len(names), plan.tolerance):
            break
        if sweep and position == 0:
            going.level(names)
        update = going.update(sweep, names[position])
        for observer in observers:
            observer(update, state)
    state.parts = {name: state.parts[name] for name in plan.coordinates}
    return state


class _Descent:
    """A state, and the scores that belong to it."""

    def __init__(
        self, engine: Engine, plan: Plan, train: Rows, validation: Rows | None, state: State
    ) -> None:
        self._engine, self._plan, self.state = engine, plan, state
        # as they were read: networks add to them what they make of them
        self._read, self._read_apart = train, validation
        self.workspace: Path | None = None
        for name, setting in plan.settings.items():
            # what was known before the descent counts from its beginning
            if setting.previous is not None and name not in state.parts:
                state.parts[name] = setting.previous
                cost = plan.coordinates[name].standing_cost(engine, train, setting)
                state.penalties[name] = cost
        self._train: Rows = self._completed(train)
        self._scores = _Scores(engine, self._train, state.parts)
        self._held_out = None
        if validation is not None:
            self._held_out = _Scores(engine, self._completed(validation), state.parts)

    def level(self, names: Sequence[str]) -> None:
        """Move what random effects' intercepts have in common to a fixed effect."""
        plan, parts = self._plan, self.state.parts
        found = level(self._engine, self._train, names, plan.coordinates, plan.settings, parts)
        for name, moved in found.items():
            self._replace(name, moved.part, self._scores.own(name) + moved.shift)
            self.state.penalties[name] -= moved.saved

    def update(self, sweep: int, name: str) -> Update:
        """Fit a coordinate against the scores of the others."""
        engine, plan, train, state = self._engine, self._plan, self._train, self.state
        setting = plan.settings[name]
        if sweep or setting.start is None:
            setting = setting._replace(start=state.parts.get(name))
        setting = setting._replace(held_out=self._watched(name), workspace=self._place(name))
        offset = self._scores.without(name)
        started = time.perf_counter()
        with _named(name):
            fit = plan.coordinates[name].fit(engine, train, setting, offset)
        seconds = time.perf_counter() - started
        self._replace(name, fit.part, fit.scores)
        state.penalties[name] = fit.penalty
        loss = engine.weighted_loss(plan.loss, train, self._scores.total)
        objective = loss + sum(state.penalties.values())
        told = (fit.penalty, fit.summary, self._metrics())
        update = Update(sweep + 1, name, engine.count(train), seconds, objective, *told)
        state.history.append(update)
        return update

    def _replace(self, name: str, part: Part, own: Column) -> None:
        self.state.parts[name] = part
        self._scores.replace(name, own)
        if isinstance(part, DeepModel) and self._plan.representations:
            self._represent_anew()
        if self._held_out is not None:
            self._held_out.replace(name, part.score(self._engine, self._held_out.rows))

    def _place(self, name: str) -> Path | None:
        """Return where this update may keep checkpoints: the same place when it is resumed."""
        if self.workspace is None:
            return None
        return self.workspace / f"{len(self.state.history) + 1:05d}-{name}"

    def _watched(self, name: str) -> HeldOut | None:
        scores, metrics = self._held_out, self._plan.metrics
        if scores is None or not metrics:
            return None
        others = scores.without(name)

        def measure(own: Column) -> float:
            scored = self._engine.labelled(scores.rows, others + own)
            found = Evaluation(metrics[:1], *scored).values()
            return next(iter(found.values()))

        return HeldOut(scores.rows, others, measure, metrics[0].metric.larger_is_better)

    def _completed(self, rows: Rows) -> Rows:
        return completed(self._engine, rows, self._plan.representations, self.state.parts)

    def _represent_anew(self) -> None:
        """Take up what networks make of the rows now, and score anew whatever reads it."""
        self._train = self._scores.rows = self._completed(self._read)
        splits = [self._scores]
        if self._held_out is not None:
            self._held_out.rows = self._completed(self._read_apart)
            splits.append(self._held_out)
        for name, part in self.state.parts.items():
            if part.shard in self._plan.representations:
                for scores in splits:
                    scores.replace(name, part.score(self._engine, scores.rows))

    def _metrics(self) -> dict[str, float]:
        if self._held_out is None:
            return {}
        scored = self._engine.labelled(self._held_out.rows, self._held_out.total)
        return Evaluation(self._plan.metrics, *scored).values()


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the coordinate, which does not know its own name, in its errors."""
    try:
        yield
    except ConfigError as error:
        where = f"coordinates.{name}.{error.where}"
        raise ConfigError(where, error.problem, error.expected, error.hint) from None


class _Scores:
    """Scores by coordinate, and their sum, for one data set."""

    def __init__(self, engine: Engine, rows: Rows, parts: Mapping[str, Part]) -> None:
        self.rows = rows
        self.total: Column = engine.offset(rows)
        self._own: dict[str, Column] = {}
        for name, part in parts.items():
            self.replace(name, part.score(engine, rows))

    def own(self, name: str) -> Column:
        return self._own[name]

    def without(self, name: str) -> Column:
        return self.total - self._own[name] if name in self._own else self.total

    def replace(self, name: str, own: Column) -> None:
        self.total = self.without(name) + own
        self._own[name] = own


def _settled(history: Sequence[Update], coordinates: int, tolerance: float) -> bool:
    """Whether the last whole sweep changed the objective too little to go on."""
    if len(history) < 2 * coordinates:
        return False
    before, after = history[-coordinates - 1].objective, history[-1].objective
    # coordinates that train on a sample of the rows each lower another objective than this one:
    # it may rise on the way to where they agree, so a rise is a change like any other
    return abs(before - after) <= tolerance * abs(after)
