"""Write a model as another project's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gdmix.config import ModelOptions
from gdmix.errors import ModelError
from gdmix.models.mixed import Mixed
from gdmix.store.aside import replacing
from gdmix.store.gdmix import write_gdmix
from gdmix.store.photon import METADATA, write_photon

Project = Literal["photon", "gdmix"]

# written into GDMix's tree, which has no file of its own at the top
_MARK = ".gdmix-export"


def export_model(path: Path, options: ModelOptions, model: Mixed, to: Project) -> None:
    """Write a model directory of Photon-ML or GDMix; it appears whole or not at all.

    Features go by name and term, with coefficients of the values in the data.

    Raises
    ------
    ModelError
        The model reads a column times a factor, or tells several classes, which those projects
        have no place for.
    RunError
        The folder holds something else than such a model, or cannot be written.
    """
    if options.kind.several:
        raise ModelError("the model", f"is of task {options.task!r}", "one score a row")
    for name in model.parts:
        for feature in options.features_of(name):
            if feature.scale != 1.0:
                problem = f"column {feature.column!r} is read times {feature.scale:g}"
                hint = "scale the column in the data, and train again"
                raise ModelError(f"coordinate {name!r}", problem, "a factor of 1", hint)
    if to == "photon":
        with replacing(path, METADATA) as aside:
            aside.mkdir()
            write_photon(aside, options, model)
        return
    with replacing(path, _MARK) as aside:
        aside.mkdir()
        (aside / _MARK).touch()
        write_gdmix(aside, options, model)
