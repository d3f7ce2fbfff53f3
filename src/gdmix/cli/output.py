"""What every command prints with: one console, quiet and JSON modes, errors."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from gdmix.errors import ConfigError, GdmixError
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


def command(*words: object) -> str:
    """Return a gdmix command that a shell reads as it is meant."""
    return shlex.join(["gdmix", *(str(word) for word in words)])


def require_output(path: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Check that a file may be written.

    Raises
    ------
    ConfigError
        It is a folder, one of the `inputs`, or exists and is not to be replaced.
    """
    if path.is_dir():
        raise ConfigError(str(path), "is a folder", "a file name")
    if not path.exists():
        return
    if any(path.samefile(item) for item in inputs):
        raise ConfigError(str(path), "is one of the input files", hint="choose another output")
    if not overwrite:
        raise ConfigError(str(path), "exists already", hint="--overwrite replaces it")
