"""``gdmix inspect``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from gdmix.cli.output import Output
from gdmix.errors import ConfigError, did_you_mean
from gdmix.inspection import Mover, Named, entity_coefficients, fixed_coefficients, movers
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.store.loading import load_model


def run_inspect(
    path: Path, coordinate: str | None, entity: str | None, top: int, out: Output
) -> None:
    """Print what a model learnt, by name."""
    model = load_model(path).model
    names = list(model.parts) if coordinate is None else [_known(model, coordinate)]
    if entity is not None:
        names = _of_entities(model, names)
    result: dict[str, Any] = {}
    for name in names:
        part, index = model.parts[name], model.index_of(name)
        if isinstance(part, DeepModel):
            shapes = {key: list(tensor.shape) for key, tensor in part.trained.state.items()}
            _show_network(out, name, part, shapes)
            result[name] = shapes
        elif not isinstance(part, EntityModel):
            named = fixed_coefficients(part, index, top)
            _show_coefficients(out, name, named, len(part.coefficients))
            result[name] = dict(named)
        elif entity is not None:
            named = entity_coefficients(part, index, entity, top)
            _show_coefficients(out, f"{name}: {part.entity} {entity}", named, len(named))
            result[name] = dict(named)
        else:
            found = movers(part, index, top)
            _show_movers(out, f"{name}: the entities that differ most", part, found)
            result[name] = [asdict(mover) for mover in found]
    out.result(result)


def _show_network(out: Output, name: str, part: DeepModel, shapes: dict[str, list[int]]) -> None:
    out.say(f"\n[bold]{escape(name)}[/bold] [dim](a network of {part.parameters:,} numbers)[/dim]")
    table = Table(box=None, pad_edge=False)
    table.add_column("weights")
    table.add_column("shape", justify="right")
    for key, shape in shapes.items():
        table.add_row(escape(key), " x ".join(map(str, shape)))
    out.console.print(table)


def _known(model: Mixed, coordinate: str) -> str:
    if coordinate not in model.parts:
        hint = did_you_mean(coordinate, model.parts)
        raise ConfigError("--coordinate", f"no coordinate {coordinate!r}", hint=hint)
    return coordinate


def _of_entities(model: Mixed, names: list[str]) -> list[str]:
    random = [name for name in names if isinstance(model.parts[name], EntityModel)]
    if not random:
        raise ConfigError("--entity", "a fixed effect has no entities", "a random effect")
    if len(random) > 1:
        choice = f"--coordinate, one of {', '.join(random)}"
        raise ConfigError("--entity", "several random effects", choice)
    return random


def _show_coefficients(out: Output, title: str, rows: list[Named], total: int) -> None:
    more = "" if total <= len(rows) else f" [dim](the {len(rows)} largest of {total:,})[/dim]"
    out.say(f"\n[bold]{escape(title)}[/bold]{more}")
    table = Table(box=None, pad_edge=False)
    table.add_column("feature")
    table.add_column("coefficient", justify="right")
    table.add_column("")
    longest = max((abs(value) for _, value in rows), default=1.0) or 1.0
    for name, value in rows:
        bar = "█" * max(1, round(24 * abs(value) / longest))
        colour = "green" if value > 0 else "red"
        table.add_row(escape(name), f"{value:+.5f}", f"[{colour}]{bar}[/{colour}]")
    out.console.print(table)


def _show_movers(out: Output, title: str, part: EntityModel, rows: list[Mover]) -> None:
    out.say(f"\n[bold]{escape(title)}[/bold] [dim](of {len(part.table.ids):,})[/dim]")
    table = Table(box=None, pad_edge=False)
    table.add_column(part.entity)
    for column in ("samples", "norm", "intercept"):
        table.add_column(column, justify="right")
    table.add_column("largest coefficients")
    for mover in rows:
        named = ", ".join(f"{name} {value:+.2f}" for name, value in mover.features)
        intercept = "" if mover.intercept is None else f"{mover.intercept:+.4f}"
        cells = (f"{mover.samples:,}", f"{mover.norm:.4f}", intercept)
        table.add_row(escape(mover.entity), *cells, escape(named))
    out.console.print(table)
