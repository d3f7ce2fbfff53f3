"""``gdmix import``, ``export`` and ``split``: models of Photon-ML and GDMix, in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape

from gdmix.cli.output import Output, command
from gdmix.config import ModelOptions
from gdmix.errors import ConfigError
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.options import read_assignment
from gdmix.store.crossed import Cut, split_crossed
from gdmix.store.directory import Saved, save_model
from gdmix.store.exporting import Project, export_model
from gdmix.store.foreign import linear_parts
from gdmix.store.loading import load_model


def run_import(
    model: Path,
    output: Path,
    overrides: list[str],
    without: list[str],
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Read a model of another project and write it as ours."""
    _require_new(output, overwrite=overwrite)
    options = dict(read_assignment(assignment) for assignment in overrides)
    with out.console.status("reading"):
        saved = load_model(model, options, without)
    _save(output, saved, out)


def run_export(model: Path, output: Path, to: Project, out: Output, *, overwrite: bool) -> None:
    """Write a model as another project's."""
    _require_new(output, overwrite=overwrite)
    with out.console.status("writing"):
        saved = load_model(model)
        export_model(output, saved.options, saved.model, to)
    _tell(saved.options, saved.model, out)
    out.wrote({"model": output}, [])
    out.result({"model": str(output), **_counts(saved.model)})


def run_split(
    model: Path, output: Path, cut: Cut, overrides: list[str], out: Output, *, overwrite: bool
) -> None:
    """Split a fixed effect whose features are crossed with an entity."""
    _require_new(output, overwrite=overwrite)
    options = dict(read_assignment(assignment) for assignment in overrides)
    with out.console.status("splitting"):
        saved = split_crossed(load_model(model, options), cut)
    _save(output, saved, out)


def _save(output: Path, saved: Saved, out: Output) -> None:
    save_model(output, saved)
    _tell(saved.options, saved.model, out)
    predict = command("predict", output, "DATA", "--output", "scores.parquet")
    out.wrote({"model": output}, [command("inspect", output), predict])
    out.result({"model": str(output), **_counts(saved.model)})


def _tell(options: ModelOptions, model: Mixed, out: Output) -> None:
    out.say(f"a model of task {options.task}")
    for name, count in _counts(model)["coordinates"].items():
        columns = ", ".join(feature.column for feature in options.features_of(name))
        part = model.parts[name]
        models = f"{count:,} coefficients"
        if isinstance(part, EntityModel):
            models = f"{len(part.table.ids):,} models by {part.entity}, {models}"
        reads = f"; reads {columns}" if columns else ""
        out.say(f"  {escape(f'{name}: {models}{reads}')}")


def _counts(model: Mixed) -> dict[str, Any]:
    counts = {
        name: len(part.table.coefficients if isinstance(part, EntityModel) else part.coefficients)
        for name, part in linear_parts(model).items()
    }
    return {"coordinates": counts}


def _require_new(output: Path, *, overwrite: bool) -> None:
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise ConfigError(str(output), "exists already", hint="--overwrite replaces it")
