"""The points of a grid that are done, so that a killed run does not train them again.

checkpoints/
  points.json      what the run is, and the record of every point that is done
  models/<number>  of the best point and the last one; of all, in the run directory, if asked for
  <number>/        the checkpoints of the point that is being trained
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdmix.config import TrainOptions
from gdmix.data.reading import Indexes
from gdmix.data.statistics import Statistics
from gdmix.descent import State, Update
from gdmix.history import as_plain, from_plain
from gdmix.models.mixed import Mixed, Part
from gdmix.plainjson import dumps
from gdmix.selection import Candidate
from gdmix.store.aside import write_text
from gdmix.store.checkpoint import STATE, WITHIN, Checkpoints, differs
from gdmix.store.directory import Saved, read_model, save_model
from gdmix.sweep import Keeper

_POINTS = "points.json"


class StoredPoints(Keeper):
    """Keeps the points of a run; without a grid, the checkpoints of its only one.

    Parameters
    ----------
    run : Path
        The run directory.
    options : TrainOptions
    indexes : dict of shard to FeatureIndex
    statistics : dict of shard to Statistics
        To save with the models.
    identity : str
        As `gdmix.store.checkpoint.identity` gives it.
    """

    def __init__(
        self,
        run: Path,
        options: TrainOptions,
        indexes: Indexes,
        statistics: Mapping[str, Statistics],
        identity: str,
    ) -> None:
        self._run, self._folder = run, run / "checkpoints"
        self._grid = bool(options.grid)
        self._keep_all = options.output_mode in ("explicit", "all")
        self._models = (run if self._keep_all else self._folder) / "models"
        self._points = dict(enumerate(options.at_points(), start=1))
        self._indexes, self._statistics = indexes, statistics
        # what was dropped under one mode is missing under another
        self._identity = f"{identity} {options.output_mode}" if options.grid else identity
        self._records: list[dict[str, Any]] = []
        self._best = 0
        self._begun: tuple[int, Checkpoints, State] | None = None

    def load(self) -> None:
        """Take up what a run that was cut off has kept.

        Raises
        ------
        RunError
            It was started with other data or options.
        """
        if (self._folder / (STATE if self._grid else _POINTS)).is_file():
            raise differs(self._run)
        file = self._folder / _POINTS
        if file.is_file():
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["identity"] != self._identity:
                raise differs(self._run)
            self._records, self._best = kept["points"], kept["best"]
        following = len(self._records) + 1
        if following in self._points:
            checkpoints = self._checkpoints(following)
            self._begun = following, checkpoints, checkpoints.load()

    def finished(self) -> list[Candidate]:
        """Return the points that are done; the last one and the best have their parts."""
        found = []
        for number, record in enumerate(self._records, start=1):
            parts: dict[str, Part] = {}
            if number in (self._best, len(self._records)):
                parts = dict(read_model(self._models / str(number)).model.parts)
            history = [from_plain(entry) for entry in record["history"]]
            point, options = self._points[number]
            found.append(Candidate(number, point, options, parts, history, record["kept"]))
        return found

    def begin(self, number: int) -> State:
        """Return where a point goes on from."""
        if self._begun is None or self._begun[0] != number:
            self._begun = number, self._checkpoints(number), State()
        if self._grid:
            self._write()
        return self._begun[2]

    def workspace(self, number: int) -> Path:
        """Return a folder for checkpoints within updates of a point."""
        return self._place(number) / WITHIN

    def save(self, update: Update, state: State) -> None:
        """Keep the state after an update of the point that began last."""
        assert self._begun is not None
        self._begun[1].save(update, state)

    def finish(self, candidate: Candidate, best: Candidate) -> None:
        """Keep a point that is done, and of the others what is needed yet."""
        if not self._grid:
            return
        history = [as_plain(update) for update in candidate.history]
        model = Mixed(candidate.parts, self._indexes, self._statistics)
        save_model(self._models / str(candidate.number), Saved(candidate.options, model, history))
        self._records.append({"kept": candidate.kept, "history": history})
        self._best = best.number
        self._write()
        shutil.rmtree(self._place(candidate.number), ignore_errors=True)
        if not self._keep_all:
            for number in range(1, candidate.number):
                if number != best.number:
                    shutil.rmtree(self._models / str(number), ignore_errors=True)

    def _write(self) -> None:
        record = {"identity": self._identity, "best": self._best, "points": self._records}
        write_text(self._folder / _POINTS, dumps(record))

    def _checkpoints(self, number: int) -> Checkpoints:
        options = self._points[number][1]
        return Checkpoints(self._place(number), options, self._indexes, self._identity)

    def _place(self, number: int) -> Path:
        return self._folder / str(number) if self._grid else self._folder
