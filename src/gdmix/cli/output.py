"""What every command prints with: one console, quiet and JSON modes, errors."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from gdmix.errors import GdmixError
from gdmix.plainjson import dumps


@dataclass
class Output:
    """Where a command's results go.

    Attributes
    ----------
    quiet : bool
        Print nothing but errors.
    as_json : bool
        Print one JSON object at the end instead of text.
    """

    quiet: bool = False
    as_json: bool = False

    def __post_init__(self) -> None:
        self.console = Console(quiet=self.quiet or self.as_json, highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """Print a line of text; rich markup is interpreted."""
        self.console.print(text)

    def result(self, values: dict[str, Any]) -> None:
        """Print the result as JSON, when asked to."""
        if self.as_json:
            print(dumps(values, indent=1))

    def wrote(self, paths: dict[str, object], then: list[str]) -> None:
        """End a command: what was written, and the next useful commands."""
        self.say()
        width = max(len(name) for name in paths)
        for name, path in paths.items():
            self.say(f"  {name:<{width}}  {escape(str(path))}")
        if then:
            self.say("\n[bold]Next[/bold]")
            for command in then:
                self.say(f"  [cyan]{escape(command)}[/cyan]")


def complain(error: GdmixError) -> None:
    """Print an error on the error stream."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]error:[/bold red] {escape(str(error))}")


def on_terminal() -> bool:
    """Whether a person is watching."""
    return sys.stdout.isatty()
