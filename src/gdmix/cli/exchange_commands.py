"""Commands about models and configs of other projects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gdmix.cli.arguments import Json, ModelPath, Project, Quiet, app
from gdmix.cli.output import Output


@app.command("import")
def import_(
    model: Annotated[Path, typer.Argument(help="Model directory of Photon-ML or GDMix.")],
    output: Annotated[Path, typer.Argument(help="Model directory to write.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="What the files do not tell: --set coordinates.per-user.features=[features]",
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A coordinate to leave out; repeat for several.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the model.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take in a model of Photon-ML or GDMix, to score, inspect and train from."""
    from gdmix.cli.exchanging import run_import

    out = Output(quiet, as_json)
    run_import(model, output, set_ or [], without or [], out, overwrite=overwrite)


@app.command()
def export(
    model: ModelPath,
    output: Annotated[Path, typer.Argument(help="Folder to write.")],
    to: Annotated[Project, typer.Option(help="Whose layout to write.")],
    overwrite: Annotated[bool, typer.Option(help="Replace the model.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a model for Photon-ML or GDMix."""
    from gdmix.cli.exchanging import run_export

    run_export(model, output, to, Output(quiet, as_json), overwrite=overwrite)


@app.command()
def split(
    model: ModelPath,
    output: Annotated[Path, typer.Argument(help="Model directory to write.")],
    entity: Annotated[str, typer.Option(help="Column of the entity's id.")],
    coordinate: Annotated[
        str | None, typer.Option("--coordinate", "-c", help="The fixed effect to split.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the random effect; per-ENTITY by default.")
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--features", "-f", help="A column it reads; repeat for several."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As for `gdmix import`.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the model.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Split a global model of features `<entity>_gdmixcross_<feature>` into one model an entity."""
    from gdmix.cli.exchanging import run_split
    from gdmix.store.crossed import Cut

    cut = Cut(coordinate, entity, name or f"per-{entity}", tuple(features or ()))
    run_split(model, output, cut, set_ or [], Output(quiet, as_json), overwrite=overwrite)


@app.command("convert-config")
def convert_config(
    config: Annotated[
        Path | None, typer.Argument(help="GDMix's file, or one with a command line.")
    ] = None,
    photon: Annotated[
        str | None, typer.Option(help="Photon-ML's command line itself, or @FILE.")
    ] = None,
    detext: Annotated[
        str | None, typer.Option(help="DeText's command line itself, or @FILE.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="YAML file to write.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write what another program's configuration means here, and report what became of it."""
    from gdmix.cli.configs import run_convert_config

    run_convert_config(config, photon, detext, output, Output(quiet, as_json), overwrite=overwrite)
