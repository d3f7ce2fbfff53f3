"""Photon-ML's GAME training parameters, as plain options."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from gdmix.compat import photon_settings as settings
from gdmix.compat import photon_values as values
from gdmix.compat.photon_columns import Names
from gdmix.compat.photon_coordinate import Shards, Translated, coordinate_of, our_name
from gdmix.compat.photon_data import Open, id_info, rows_of
from gdmix.compat.photon_values import Given
from gdmix.compat.report import Report
from gdmix.errors import ConfigError, did_you_mean

_SEQUENCE = "--coordinate-update-sequence"
_LOCKED = "--partial-retrain-locked-coordinates"


def training(given: Given, report: Report, opened: Open) -> dict[str, Any]:
    """Return plain options without an output.

    Parameters
    ----------
    given : mapping
        Parameters of the command line.
    report : Report
        Told what becomes of each.
    opened : callable
        Opens the training data, to look columns up.

    Raises
    ------
    ConfigError
        A value is wrong, or parameters do not fit together.
    DataError
        The data cannot be read.
    """
    train = rows_of(given, "input", report)
    validation = rows_of(given, "validation", report)
    names = Names.of(opened(train.files()), values.one(given, "input-column-names"), report)
    task = _task(given, report)
    plain: dict[str, Any] = {"task": task, "train": train.paths}
    if validation.paths:
        plain["validation"] = validation.paths
    for split, rows in (("train", train), ("validation", validation)):
        if rows.dates is not None:
            plain[f"{split}_dates"] = rows.dates
    plain |= names.roles()
    plain |= settings.tolerated(task, plain, values.one(given, "data-validation"), report)
    shards = _shards(given, report)
    coordinates = _coordinates(given, shards, names)
    plain |= _sweeps(given, len(coordinates), report)
    plain |= _model(given, [item.name for item in coordinates if not item.options], report)
    _settle_locked(given, coordinates, shards, names)
    settings.common(given, [item.options for item in coordinates], report)
    plain["bags"] = shards.bags
    plain["coordinates"] = {item.name: item.options for item in coordinates}
    plain |= settings.grid(coordinates, plain, report)
    plain |= settings.metrics(given, task, names, validation=bool(validation.paths))
    plain |= settings.outputs(given, plain, report)
    if task not in settings.BINARY and any("down_sampling" in item.options for item in coordinates):
        text = "`down_sampling` raises the weights of the rows that stay; there only those of "
        report.note(text + "binary tasks are raised")
    return plain


def _shards(given: Given, report: Report) -> Shards:
    lists = values.one(given, "feature-bags-directory")
    if lists is not None:
        report.maps("--feature-bags-directory", f"only: {lists}/<bag>, of every feature")
    return Shards(given["feature-shard-configurations"], lists)


def _coordinates(given: Given, shards: Shards, names: Names) -> list[Translated]:
    """Return the coordinates in the order of their updates; a locked one has no options yet."""
    configured: dict[str, Translated] = {}
    for text in given["coordinate-configurations"]:
        found = coordinate_of(text, shards, names)
        if found.theirs in configured:
            where = f"--coordinate-configurations {found.theirs}"
            raise ConfigError(where, "is configured twice", hint="remove one of the two")
        configured[found.theirs] = found
    text = given["coordinate-update-sequence"][0]
    order = values.words(_SEQUENCE, text)
    names.report.maps(f"{_SEQUENCE} {text}", "the order of `coordinates`")
    locked = _locked(given, order, configured)
    for name in order:
        if name not in configured and name not in locked:
            hint = did_you_mean(name, configured)
            raise ConfigError(_SEQUENCE, f"{name!r} has no --coordinate-configurations", hint=hint)
    for name in configured:
        if name not in order:
            names.report.ignores(f"--coordinate-configurations {name}", f"not in {_SEQUENCE}")
    return [
        configured.get(name) or Translated(name, our_name(name, names.report), {}, {})
        for name in order
    ]


def _locked(given: Given, order: Collection[str], configured: Collection[str]) -> list[str]:
    text = values.one(given, _LOCKED[2:])
    locked = [] if text is None else values.words(_LOCKED, text)
    for name in locked:
        if name not in order:
            raise ConfigError(_LOCKED, f"{name!r} is not in {_SEQUENCE}", hint="add it there")
        if name in configured:
            hint = "Photon-ML takes it from the model: remove its --coordinate-configurations"
            raise ConfigError(_LOCKED, f"{name!r} is configured too", hint=hint)
    return locked


def _settle_locked(
    given: Given, coordinates: list[Translated], shards: Shards, names: Names
) -> None:
    """Give locked coordinates the shard and the entity that the model has them with."""
    for item in coordinates:
        if item.options:
            continue
        where = f"{_LOCKED} {item.theirs}"
        model = Path(given["model-input-directory"][0])
        about = id_info(model).get(item.theirs)
        if about is None:
            expected = f"fixed-effect/{item.theirs} or random-effect/{item.theirs} in {model}"
            raise ConfigError(where, "is not in the model", expected)
        *tag, name = about
        shard = shards.require(where, name)
        if tag:
            item.options["entity"] = names.tag(where, tag[0])
        item.options["features"] = shards.features_of(shard)
        item.options["intercept"] = shard.intercept
        names.report.maps(where, f"locked; features and entity of {name!r} in the model")


def _sweeps(given: Given, coordinates: int, report: Report) -> dict[str, Any]:
    name = "coordinate-descent-iterations"
    asked = values.whole(f"--{name}", given[name][0])
    sweeps = asked if coordinates > 1 else 1
    report.maps(f"--{name} {asked}", f"sweeps: {sweeps}")
    return {"sweeps": sweeps, "sweep_tolerance": 0.0} if sweeps > 1 else {"sweeps": sweeps}


def _model(given: Given, locked: list[str], report: Report) -> dict[str, Any]:
    """Return what an earlier model is for."""
    model = values.one(given, "model-input-directory")
    found: dict[str, Any] = {}
    if model is not None:
        found["initial_model"] = model
        report.maps("--model-input-directory", f"initial_model: {model}")
    if locked:
        found["locked"] = locked
    flag = "incremental-training"
    if flag in given and values.boolean(f"--{flag}", given[flag][0]):
        found["incremental"] = True
        report.maps(f"--{flag} true", "incremental: true")
    for name, asked in ((_LOCKED, locked), (f"--{flag}", found)):
        if model is None and asked:
            raise ConfigError(name, "there is no --model-input-directory to take it from")
    return found


def _task(given: Given, report: Report) -> str:
    name = given["training-task"][0]
    task = values.TASKS[values.one_of("--training-task", name, values.TASKS)]
    report.maps(f"--training-task {name}", f"task: {task}")
    return task
