"""Photon-ML's models, where its jobs leave them, beside a run of ours.

<root>/best/             the chosen model
<root>/models/<number>/  of every point of the grid, from 0, where they are asked for
<root>/gdmix/            the run
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from gdmix.config import ModelOptions
from gdmix.errors import RunError
from gdmix.models.mixed import Mixed
from gdmix.store.directory import read_model
from gdmix.store.exporting import export_model
from gdmix.store.photon import METADATA
from gdmix.workflow import Beside, Run

BEST, MODELS = "best", "models"


class PhotonTree(Beside):
    """Writes the models of a run as Photon-ML's training driver does.

    Parameters
    ----------
    root : Path
        Photon-ML's root of outputs, which holds the run directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self, path: Path, *, replace: bool) -> None:
        """Refuse to write where models are, unless they are to be replaced.

        Raises
        ------
        RunError
        """
        for name in (BEST, MODELS):
            if not replace and (self._root / name).exists():
                hint = "--overwrite, or --override-output-directory true, replaces it"
                raise RunError(str(self._root / name), "exists already", hint=hint)

    def model(self, run: Run) -> None:
        """Write the chosen model, and those of all points where the run keeps them."""
        mode = run.options.output_mode
        if mode == "none":
            return
        export_model(self._root / BEST, run.swept.best.options, run.model, "photon")
        count = 0
        for options, model in _kept(run) if mode in ("explicit", "all") else ():
            export_model(self._root / MODELS / str(count), options, model, "photon")
            count += 1
        self._drop_others(count)

    def _drop_others(self, kept: int) -> None:
        """Drop what is left of a run with more points."""
        for folder in (self._root / MODELS).glob("*"):
            other = folder.name.isdigit() and int(folder.name) >= kept
            if other and (folder / METADATA).is_file():
                shutil.rmtree(folder)


def _kept(run: Run) -> Iterator[tuple[ModelOptions, Mixed]]:
    """Yield the models of all points, one after the other."""
    if not run.options.grid:
        yield run.swept.best.options, run.model
        return
    for point in run.swept.points:
        saved = read_model(run.path / "models" / str(point["number"]))
        yield saved.options, saved.model
