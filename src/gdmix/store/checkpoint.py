"""Checkpoints: after every update the coordinate just fitted, so that a killed run goes on.

checkpoints/
  state.json              what the run is, its history, and the folder of each part
  <step>-<coordinate>/    the part as a model directory would hold it
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from gdmix.config import ModelOptions
from gdmix.coordinates import RandomEffect
from gdmix.data.dataset import Dataset
from gdmix.data.index import FeatureIndex
from gdmix.descent import State, Update
from gdmix.errors import RunError
from gdmix.history import as_plain, from_plain
from gdmix.plainjson import dumps
from gdmix.store.aside import replacing, write_text
from gdmix.store.parts import read_entities, read_linear, write_part

_STATE = "state.json"


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder : Path
    options : ModelOptions
    indexes : dict of shard to FeatureIndex
    train : Dataset
        Training data; a run resumes only on the same data and options.
    """

    def __init__(
        self,
        folder: Path,
        options: ModelOptions,
        indexes: Mapping[str, FeatureIndex],
        train: Dataset,
    ) -> None:
        self._folder = folder
        self._options = options
        self._indexes = indexes
        self._identity = identity(options, train)
        self._folders: dict[str, str] = {}

    def save(self, update: Update, state: State) -> None:
        """Keep the state after an update; an observer of the descent."""
        name = update.coordinate
        part = state.parts[name]
        folder = f"{len(state.history):05d}-{name}"
        with replacing(self._folder / folder) as aside:
            write_part(aside, part, self._indexes[part.shard])
        stale = self._folders.get(name)
        self._folders[name] = folder
        record = {
            "identity": self._identity,
            "folders": self._folders,
            "history": [as_plain(entry) for entry in state.history],
        }
        write_text(self._folder / _STATE, dumps(record))
        if stale is not None:
            shutil.rmtree(self._folder / stale)

    def load(self) -> State:
        """Return the state to go on from; an empty one when nothing was kept.

        Raises
        ------
        RunError
            The checkpoints belong to other data or other options.
        """
        file = self._folder / _STATE
        if not file.is_file():
            return State()
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["identity"] != self._identity:
            raise RunError(
                str(self._folder.parent),
                "was started with other data or options",
                hint="resume with the same, or start anew with --overwrite",
            )
        self._folders = dict(record["folders"])
        shards = self._options.shards()
        state = State(history=[from_plain(entry) for entry in record["history"]])
        for name, folder in self._folders.items():
            coordinate, shard = self._options.coordinates[name], shards[name]
            place = self._folder / folder
            if isinstance(coordinate, RandomEffect):
                intercept = int(coordinate.intercept)
                state.parts[name] = read_entities(place, shard, coordinate.entity, intercept)
            else:
                state.parts[name] = read_linear(place, shard, self._indexes[shard])
        return state


def identity(options: ModelOptions, train: Dataset) -> str:
    """Return a digest of the options that shape the solution and of the training data."""
    plain = options.plain()
    # a run may be resumed for more sweeps, or with other metrics
    for name in ("sweeps", "sweep_tolerance", "metrics"):
        plain.pop(name, None)
    digest = hashlib.sha256(json.dumps(plain).encode())
    for array in (train.label, train.weight, train.offset):
        digest.update(array.data)
    for column in train.entities.values():
        digest.update(column.codes.data)
    for csr in train.shards.values():
        digest.update(csr.indptr.data)
        digest.update(csr.indices.data)
        digest.update(csr.values.data)
    return digest.hexdigest()
