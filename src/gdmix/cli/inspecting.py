"""``gdmix inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from gdmix.cli.output import Output
from gdmix.cli.using import model_folder
from gdmix.errors import ConfigError, did_you_mean
from gdmix.inspection import entity_coefficients, fixed_coefficients, movers
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.store.directory import load_model


def run_inspect(
    path: Path, coordinate: str | None, entity: str | None, top: int, out: Output
) -> None:
    """Print what a model learnt, by name."""
    model = load_model(model_folder(path)).model
    names = list(model.parts) if coordinate is None else [_known(model, coordinate)]
    if entity is not None:
        names = [name for name in names if isinstance(model.parts[name], EntityModel)]
        if coordinate is None and len(names) > 1:
            raise ConfigError(
                "--entity", "several random effects", f"--coordinate, one of {', '.join(names)}"
            )
    result: dict[str, Any] = {}
    for name in names:
        part = model.parts[name]
        if entity is not None and isinstance(part, EntityModel):
            rows = entity_coefficients(model, name, entity)
            _show_coefficients(out, f"{name}: {part.entity} {entity}", rows[:top], len(rows))
        elif isinstance(part, EntityModel):
            rows = movers(model, name, top)
            _show_movers(out, f"{name}: the entities that move scores most", part, rows)
        else:
            rows = fixed_coefficients(model, name)
            _show_coefficients(out, name, rows[:top], len(rows))
        result[name] = rows[:top]
    out.result(result)


def _known(model: Mixed, coordinate: str) -> str:
    if coordinate not in model.parts:
        hint = did_you_mean(coordinate, model.parts)
        raise ConfigError("--coordinate", f"no coordinate {coordinate!r}", hint=hint)
    return coordinate


def _show_coefficients(out: Output, title: str, rows: list[dict[str, Any]], total: int) -> None:
    more = "" if total <= len(rows) else f" [dim](the {len(rows)} largest of {total:,})[/dim]"
    out.say(f"\n[bold]{escape(title)}[/bold]{more}")
    table = Table(box=None, pad_edge=False)
    table.add_column("feature")
    table.add_column("coefficient", justify="right")
    largest = max((abs(row["coefficient"]) for row in rows), default=1.0) or 1.0
    table.add_column("")
    for row in rows:
        value = row["coefficient"]
        bar = "█" * max(1, round(24 * abs(value) / largest))
        colour = "green" if value > 0 else "red"
        table.add_row(escape(row["feature"]), f"{value:+.5f}", f"[{colour}]{bar}[/{colour}]")
    out.console.print(table)


def _show_movers(out: Output, title: str, part: EntityModel, rows: list[dict[str, Any]]) -> None:
    entities = len(part.table.ids)
    out.say(f"\n[bold]{escape(title)}[/bold] [dim](of {entities:,})[/dim]")
    table = Table(box=None, pad_edge=False)
    table.add_column(part.entity)
    for column in ("samples", "norm", "intercept"):
        table.add_column(column, justify="right")
    table.add_column("largest coefficients")
    for row in rows:
        named = ", ".join(f"{item['feature']} {item['coefficient']:+.2f}" for item in row["top"])
        cells = (f"{row['samples']:,}", f"{row['norm']:.4f}", f"{row['intercept']:+.4f}")
        table.add_row(escape(str(row["entity"])), *cells, escape(named))
    out.console.print(table)
