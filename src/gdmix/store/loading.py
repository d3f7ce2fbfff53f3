"""Open a model by its path, whoever wrote it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gdmix.config import ModelOptions
from gdmix.errors import ConfigError
from gdmix.initial import Initial, require_initial
from gdmix.store.directory import Saved, is_ours, model_folder, read_model
from gdmix.store.foreign import Layout, load_foreign
from gdmix.store.gdmix import gdmix_layout, is_gdmix
from gdmix.store.photon import is_photon, photon_layout


def load_model(
    path: Path,
    options: Mapping[str, Any] | None = None,
    without: Collection[str] = (),
) -> Saved:
    """Read a model directory: ours, or one of Photon-ML or GDMix.

    Parameters
    ----------
    path : Path
        The model, or the run that holds it.
    options : mapping of dotted names to values, optional
        What files of other projects do not tell, such as
        ``{"coordinates.per-user.features": ["features", "userFeatures"]}``.
    without : collection of str
        Coordinates of such a model to leave out.

    Raises
    ------
    ModelError
        There is no model, it is of another format version, or a file is damaged.
    ConfigError
        An option is wrong, or the model is ours and knows its options.
    """
    layout = _foreign(path)
    if layout is None:
        if options or without:
            hint = "options are for models of Photon-ML and GDMix"
            raise ConfigError(str(path), "the model knows its own options", hint=hint)
        return read_model(model_folder(path))
    return Saved(*load_foreign(path, layout, options or {}, without), [])


def load_initial(options: ModelOptions) -> Initial | None:
    """Read the model that `options` begin from, and check that it serves.

    Raises
    ------
    ModelError
        There is no model, or it is damaged.
    ConfigError
        It does not fit the options.
    """
    if options.initial_model is None:
        require_initial(options)
        return None
    path = Path(options.initial_model)
    layout = _foreign(path)
    known = {} if layout is None else _told_by(options, layout)
    saved = load_model(path, known)
    initial = Initial(saved.options, saved.model, options.initial_model)
    initial.require_fit(options)
    return initial


def _foreign(path: Path) -> Layout | None:
    if is_ours(path):
        # a run of GDMix's own configuration holds its tree beside our model
        return None
    if is_photon(path):
        return photon_layout(path)
    return gdmix_layout(path) if is_gdmix(path) else None


def _told_by(options: ModelOptions, layout: Layout) -> dict[str, Any]:
    """Return what a model of another project does not tell: the columns, as they are now."""
    known: dict[str, Any] = {}
    for name, found in layout.coordinates.items():
        if name not in options.coordinates:
            continue
        known[f"coordinates.{name}.features"] = [
            feature.plain() for feature in options.features_of(name)
        ]
        entity = getattr(options.coordinates[name], "entity", None)
        if found.random and entity is not None:
            known[f"coordinates.{name}.entity"] = entity
    return known
