"""Checkpoints: after every update the coordinate just fitted, so that a killed run goes on.

checkpoints/
  state.json              what the run is, its history, and the folder of each part
  <step>-<coordinate>/    the part as a model directory would hold it
  within/                 what a long update keeps on its way
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdmix.config import ModelOptions
from gdmix.data.fingerprint import update_digest
from gdmix.data.index import FeatureIndex
from gdmix.descent import State, Update
from gdmix.engine import Engine, EntityTable, Rows
from gdmix.errors import RunError
from gdmix.history import as_plain, from_plain
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Part
from gdmix.plainjson import dumps
from gdmix.store.aside import replacing, write_text
from gdmix.store.parts import PART, read_part, write_part

STATE = "state.json"
WITHIN = "within"


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
    options : ModelOptions
    indexes : dict of shard to FeatureIndex
    identity : str
        As `identity` gives it; a run resumes only on the same data and options.
    """

    def __init__(
        self,
        folder: Path,
        options: ModelOptions,
        indexes: Mapping[str, FeatureIndex],
        identity: str,
    ) -> None:
        self._folder = folder
        self._options = options
        self._indexes = indexes
        self._identity = identity
        self._folders: dict[str, str] = {}
        self._best: dict[str, str] = {}
        self._kept: dict[str, Part] = {}

    def save(self, update: Update, state: State) -> None:
        """Keep the state after an update; an observer of the descent."""
        before = {*self._folders.values(), *self._best.values()}
        # the one just updated, and others of which something was moved to it
        for name in {entry.coordinate for entry in state.history}:
            part = state.parts[name]
            if part is self._kept.get(name):
                continue
            folder = f"{len(state.history):05d}-{name}"
            with replacing(self._folder / folder, PART) as aside:
                write_part(aside, part, self._indexes[part.shard])
            self._folders[name], self._kept[name] = folder, part
        if state.best and all(state.best[name] is part for name, part in state.parts.items()):
            self._best = dict(self._folders)
        record = {
            "identity": self._identity,
            "folders": self._folders,
            "best": self._best,
            "penalties": state.penalties,
            "history": [as_plain(entry) for entry in state.history],
        }
        write_text(self._folder / STATE, dumps(record))
        for stale in before - {*self._folders.values(), *self._best.values()}:
            shutil.rmtree(self._folder / stale)
        shutil.rmtree(self._folder / WITHIN, ignore_errors=True)

    def load(self) -> State:
        """Return the state to go on from; an empty one when nothing was kept.

        It holds the parts updated so far; what they began from comes from the initial model again.

        Raises
        ------
        RunError
            The checkpoints belong to other data or other options.
        """
        file = self._folder / STATE
        if not file.is_file():
            return State()
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["identity"] != self._identity:
            raise differs(self._folder.parent)
        self._folders, self._best = dict(record["folders"]), dict(record["best"])
        shards = self._options.shards()
        history = [from_plain(entry) for entry in record["history"]]
        state = State(history=history, penalties=dict(record["penalties"]))
        for folders, parts in ((self._folders, state.parts), (self._best, state.best)):
            for name, folder in folders.items():
                place, shard = self._folder / folder, shards[name]
                parts[name] = read_part(
                    place, self._options.coordinates[name], shard, self._indexes[shard]
                )
        self._kept = dict(state.parts)
        return state


def differs(run: Path) -> RunError:
    """Return the error about a run that cannot be resumed with these options or data."""
    return RunError(
        str(run),
        "was started with other data or options",
        hint="resume with the same, or start anew with --overwrite",
    )


def identity(
    engine: Engine,
    options: ModelOptions,
    indexes: Mapping[str, FeatureIndex],
    train: Rows,
    validation: Rows | None,
    previous: Mapping[str, Part] | None = None,
) -> str:
    """Return a digest of the options, the features, the data and the beginning of a run.

    More sweeps may be asked of a run that is resumed; all else must be as it was. An initial
    model counts by what it holds, wherever it lies.
    """
    plain = options.plain()
    # the points of a grid must be compared after as many
    free = () if options.grid else ("sweeps", "sweep_tolerance")
    for name in ("initial_model", *free):
        plain.pop(name, None)
    digest = hashlib.sha256(json.dumps(plain).encode())
    for index in indexes.values():
        update_digest(digest, index.keys)
    uids = any(_samples(at) for _, at in options.at_points())
    digest.update(engine.digest(train, uids=uids))
    if validation is not None:
        digest.update(engine.digest(validation, uids=False))
    for part in (previous or {}).values():
        _update_with_part(digest, part)
    return digest.hexdigest()


def _samples(options: ModelOptions) -> bool:
    """Whether uids decide which rows a coordinate trains on."""
    return any(
        getattr(each, "down_sampling", 1.0) < 1.0
        or getattr(each, "active_upper_bound", None) is not None
        for each in options.coordinates.values()
    )


def _update_with_part(digest: Any, part: Part) -> None:  # noqa: ANN401 - hashlib names no type
    if isinstance(part, DeepModel):
        for _, tensor in sorted(part.trained.state.items()):
            digest.update(tensor.contiguous().view(-1).numpy().data)
        return
    held = part.table if isinstance(part, EntityModel) else part
    for numbers in (held.coefficients, held.variances):
        if numbers is not None:
            digest.update(numbers.data)
    if isinstance(held, EntityTable):
        update_digest(digest, held.ids)
        for array in (held.samples, held.feature_ptr, held.features):
            digest.update(array.data)
