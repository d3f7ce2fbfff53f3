"""Models of Photon-ML and GDMix as ours: what their files tell, and what a user adds to it.

Their directories hold coefficients by name and term, and not the columns that features come from:
those a user gives as options, as ``coordinates.per-user.features=[features, userFeatures]``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gdmix.config import ModelOptions
from gdmix.coordinates import RandomEffect
from gdmix.errors import ConfigError, ModelError, did_you_mean
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Mixed, Part
from gdmix.options import set_option
from gdmix.store.bayesian import Records, entity_model, index_of, linear_model, read_models
from gdmix.tasks import TaskName

PACKAGE = "com.linkedin.photon.ml.supervised"
MODEL_CLASSES: dict[TaskName, str] = {
    "logistic": f"{PACKAGE}.classification.LogisticRegressionModel",
    "linear": f"{PACKAGE}.regression.LinearRegressionModel",
    "poisson": f"{PACKAGE}.regression.PoissonRegressionModel",
    "smoothed_hinge": f"{PACKAGE}.classification.SmoothedHingeLossLinearSVMModel",
}
"""What Photon-ML calls the models of a task."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Found(NamedTuple):
    """A coordinate as it lies in another project's directory.

    Attributes
    ----------
    folder : Path
        Where its coefficients are, or should be.
    files : list of Path
    random : bool
    shard : str
        What its features are called: the column they are looked for in.
    entity : str or None
        Column of the entity's id, where the files tell it.
    l2 : float or None
    """

    folder: Path
    files: list[Path]
    random: bool
    shard: str
    entity: str | None = None
    l2: float | None = None


class Layout(NamedTuple):
    """What another project's model directory tells.

    Attributes
    ----------
    owner : str
        The project.
    task : TaskName or None
    coordinates : dict of str to Found
    """

    owner: str
    task: TaskName | None
    coordinates: dict[str, Found]


def load_foreign(
    path: Path,
    layout: Layout,
    options: Mapping[str, Any],
    without: Collection[str] = (),
) -> tuple[ModelOptions, Mixed]:
    """Read a model of another project.

    Parameters
    ----------
    path : Path
    layout : Layout
        Of the files there.
    options : mapping of dotted names to values
        What the files do not tell, or tell otherwise.
    without : collection of str
        Coordinates to leave out.

    Raises
    ------
    ModelError
        Coefficients are missing or damaged, or nothing tells a random effect's entity.
    ConfigError
        An option is wrong.
    """
    found = _chosen(path, layout, without)
    for name, each in found.items():
        _require_usable(path, name, each, options)
    records = {name: read_models(coordinate.files) for name, coordinate in found.items()}
    plain = _options(layout, found, records)
    for name, value in options.items():
        set_option(plain, name, value)
    parsed = ModelOptions.parse(plain, str(path))
    _require_kinds(parsed, found)
    shards = parsed.shards()
    indexes = {
        shard: index_of([records[name] for name in shards if shards[name] == shard])
        for shard in shards.values()
    }
    parts: dict[str, Part] = {}
    for name, shard in shards.items():
        index, coordinate = indexes[shard], parsed.coordinates[name]
        if isinstance(coordinate, RandomEffect):
            parts[name] = entity_model(records[name], shard, coordinate.entity, index)
        else:
            parts[name] = linear_model(records[name], shard, index)
    return parsed, Mixed(parts, indexes)


def linear_parts(model: Mixed) -> dict[str, LinearModel | EntityModel]:
    """Return the parts of a model that other projects have a place for.

    Raises
    ------
    ModelError
        A part is a network.
    """
    found: dict[str, LinearModel | EntityModel] = {}
    for name, part in model.parts.items():
        if isinstance(part, DeepModel):
            hint = "give them its scores: gdmix predict --layout"
            raise ModelError(f"coordinate {name!r}", "is a network", "linear models", hint)
        found[name] = part
    return found


def task_of(model_class: str | None) -> TaskName | None:
    """Return the task of Photon-ML's name of a model class."""
    found = [task for task, name in MODEL_CLASSES.items() if name == model_class]
    return found[0] if found else None


def _chosen(path: Path, layout: Layout, without: Collection[str]) -> dict[str, Found]:
    for name in without:
        if name not in layout.coordinates:
            hint = did_you_mean(name, layout.coordinates)
            raise ConfigError("without", f"no coordinate {name!r} in {path}", hint=hint)
    chosen = {name: each for name, each in layout.coordinates.items() if name not in without}
    if not chosen:
        raise ModelError(str(path), "no coordinate is left", "coefficients of at least one")
    return chosen


def _require_usable(path: Path, name: str, found: Found, options: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(name):
        allowed = "a name of letters, digits, '_' and '-', 64 at most"
        problem = f"the coordinate is called {name!r}"
        raise ModelError(str(found.folder), problem, allowed, "rename its folder")
    if not found.files:
        problem = f"the coordinate {name!r} has no coefficients here"
        hint = f"copy them, or leave it out: gdmix import {path} OUT --without {name}"
        raise ModelError(str(found.folder), problem, "Avro files", hint)
    if found.random and found.entity is None and f"coordinates.{name}.entity" not in options:
        problem = f"nothing here tells the column of the entities of {name!r}"
        hint = f"name it: gdmix import {path} OUT --set coordinates.{name}.entity=COLUMN"
        raise ModelError(str(found.folder), problem, hint=hint)


def _require_kinds(options: ModelOptions, found: Mapping[str, Found]) -> None:
    for name, each in found.items():
        coordinate = options.coordinates.get(name)
        if isinstance(coordinate, RandomEffect) != each.random:
            kind = "a random effect" if each.random else "a fixed effect"
            where = f"coordinates.{name}"
            raise ConfigError(where, "the options are of another kind", f"{kind}, as its files say")
    for name in options.coordinates:
        if name not in found:
            hint = did_you_mean(name, found)
            raise ConfigError(f"coordinates.{name}", "the model has none of this name", hint=hint)


def _options(
    layout: Layout, found: Mapping[str, Found], records: Mapping[str, Records]
) -> dict[str, Any]:
    task = layout.task
    if task is None:
        task = next(filter(None, (task_of(each.model_class) for each in records.values())), None)
    coordinates: dict[str, Any] = {}
    for name, each in found.items():
        own = records[name]
        known = {"entity": each.entity, "l2": each.l2}
        coordinates[name] = {
            **{option: value for option, value in known.items() if value is not None},
            # a model of intercepts alone asks for no column
            "features": [] if len(own.keys) == 1 and own.intercept else [each.shard],
            "intercept": own.intercept,
        }
    roles = {"label": "response", "uid": "uid", "weight": "weight", "null_defaults": True}
    return {"task": task or "logistic", **roles, "coordinates": coordinates}
