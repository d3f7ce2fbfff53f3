"""Arguments that several commands have, and the application they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup


class _Commands(TyperGroup):
    """Ends in one line and exit status 130 when it is interrupted."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click's context, from here or there
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            typer.echo(str(stop) or "stopped", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    name="gdmix",
    cls=_Commands,
    help="Generalized deep mixed models: a global trend, and a small model for each member "
    "and item.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
datasets_app = typer.Typer(help="Public data sets to try gdmix on.", no_args_is_help=True)
app.add_typer(datasets_app, name="datasets")

Project = Literal["photon", "gdmix"]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
ModelPath = Annotated[Path, typer.Argument(help="Model directory, or the run that holds it.")]
DataPaths = Annotated[list[str], typer.Argument(help="Data files, globs or folders.")]
Joined = Annotated[
    list[str] | None,
    typer.Option("--join", help="Files whose columns are taken to the rows; repeat for several."),
]
JoinKey = Annotated[str, typer.Option(help="Column that names a row in both.")]
Dates = Annotated[
    str | None,
    typer.Option(help="Days of daily folders: 20160101-20160131, or days ago as 30-1."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]
