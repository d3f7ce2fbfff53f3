"""``gdmix datasets get``."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from gdmix import datasets
from gdmix.cli.output import Output, command


def run_get(name: str, source: Path | None, output: Path | None, seed: int, out: Output) -> None:
    """Fetch a data set and say how to train on it."""
    prepared = datasets.get(
        name, source=source, output=output, seed=seed, progress=lambda line: out.say(escape(line))
    )
    out.say(f"\n[dim]{escape(prepared.licence)}[/dim]")
    out.wrote(
        {
            "train": f"{prepared.train}  ({prepared.train_rows:,} rows)",
            "validation": f"{prepared.validation}  ({prepared.validation_rows:,} rows)",
        },
        [command("init", prepared.train, "--validation", prepared.validation)],
    )
    out.result(
        {
            "train": str(prepared.train),
            "validation": str(prepared.validation),
            "origin": prepared.origin,
        }
    )
