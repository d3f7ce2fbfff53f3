"""Checkpoints of a training: by the first process, for all of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from gdmix.deep.checkpoints import read_checkpoint, write_checkpoint
from gdmix.deep.fingerprint import fingerprint_of
from gdmix.deep.loop import Loop, State, copy_of
from gdmix.errors import GdmixError, RunError

# where and how often, but not what
_FREE = {"device", "compile", "checkpoint_every"}


class Keeper:
    """Keeps and brings back where a training stands.

    Parameters
    ----------
    folder : Path or None
        Without one nothing is kept.
    loop : Loop
    fingerprint : str
        Of data and options.
    """

    def __init__(self, folder: Path | None, loop: Loop, fingerprint: str) -> None:
        self._folder = folder
        self._loop = loop
        self._fingerprint = fingerprint

    @classmethod
    def of(cls, folder: Path | None, loop: Loop, *what: object) -> Keeper:
        """Return what keeps a training of a network as it is before its first update.

        Parameters
        ----------
        folder, loop
        *what : object
            What decides the training besides: rows and plain values.
        """
        if folder is None or not loop.processes.is_first:
            return cls(folder, loop, "")
        options = repr(loop.training.model_dump(exclude=_FREE))
        began = {name: value.numpy() for name, value in copy_of(loop.network).items()}
        return cls(folder, loop, fingerprint_of(options, loop.steps, began, *what))

    def keep(self, state: State) -> None:
        """Write a checkpoint, in the first process.

        Raises
        ------
        RunError
            The folder cannot be written.
        """
        loop = self._loop
        if self._folder is None or not loop.processes.is_first:
            return
        values = {
            "network": copy_of(loop.network),
            "optimizer": loop.optimizer.state_dict(),
            "state": {part.name: getattr(state, part.name) for part in fields(state)},
        }
        write_checkpoint(self._folder, state.step, self._fingerprint, values)

    def resumed(self) -> State:
        """Return where the training stands; weights and optimizer are brought there.

        Raises
        ------
        RunError
            The checkpoint is damaged, or that of another training. All processes raise it.
        """
        loop = self._loop
        if self._folder is None:
            return State()
        found: dict[str, Any] | GdmixError | None = None
        if loop.processes.is_first:
            try:
                found = read_checkpoint(self._folder, self._fingerprint)
            except RunError as error:
                found = error
        found = loop.processes.told(found)
        if isinstance(found, GdmixError):
            raise found
        if found is None:
            return State()
        loop.network.load_state_dict(found["network"])
        loop.optimizer.load_state_dict(found["optimizer"])
        return State(**found["state"])
