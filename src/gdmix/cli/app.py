"""Commands of a model's life."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from gdmix.cli.arguments import (
    DataPaths,
    Dates,
    Joined,
    JoinKey,
    Json,
    ModelPath,
    Project,
    Quiet,
    Threads,
    app,
)
from gdmix.cli.output import Output


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from gdmix.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def train(
    config: Annotated[
        Path | None,
        typer.Argument(help="YAML file, GDMix's too; `gdmix init` writes a first one."),
    ] = None,
    config_option: Annotated[
        Path | None, typer.Option("--config", help="The same, as GDMix names it.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override an option: --set coordinates.global.l2=3"),
    ] = None,
    photon: Annotated[
        str | None,
        typer.Option(help="Photon-ML's training command, or @FILE that holds it, for a config."),
    ] = None,
    detext: Annotated[
        str | None, typer.Option(help="DeText's arguments, or @FILE that holds them.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Where the rows lie: `local` or `spark`.")
    ] = None,
    master: Annotated[
        str | None,
        typer.Option(help="Spark's master: `spark://...`, `yarn`, `k8s://...`, `local[2]`."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with a run that was cut off.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace the run at the output.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model and write a run directory: model, scores, metrics, report."""
    started = time.perf_counter()
    from gdmix.cli.training import chosen, run_training

    imports = time.perf_counter() - started
    told = {"engine": engine, "spark.master": master}
    sets = [f"{option}={value}" for option, value in told.items() if value is not None]
    asked = chosen(config, config_option, photon, detext, (*(set_ or ()), *sets))
    run_training(asked, Output(quiet, as_json), resume=resume, overwrite=overwrite, imports=imports)


@app.command()
def predict(
    model: ModelPath,
    data: DataPaths,
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    layout: Annotated[
        Project | None, typer.Option(help="Write scores as Photon-ML or GDMix do, in Avro.")
    ] = None,
    dates: Dates = None,
    join: Joined = None,
    join_key: JoinKey = "uid",
    threads: Threads = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Score data: score, score per coordinate, probability."""
    from gdmix.cli.using import Input, run_predict

    rows, out = Input(data, join or [], join_key, dates), Output(quiet, as_json)
    run_predict(model, rows, output, layout, threads, out, overwrite=overwrite)


@app.command()
def evaluate(
    model: ModelPath,
    data: DataPaths,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="Repeat for several.")
    ] = None,
    per_group: Annotated[
        Path | None,
        typer.Option(help="Parquet file to write a grouped metric's values to, as -m auc:user_id."),
    ] = None,
    dates: Dates = None,
    join: Joined = None,
    join_key: JoinKey = "uid",
    threads: Threads = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Evaluate a model on labelled data."""
    from gdmix.cli.using import Input, run_evaluate

    rows, out = Input(data, join or [], join_key, dates), Output(quiet, as_json)
    run_evaluate(model, rows, metric, threads, out, groups=per_group, overwrite=overwrite)


@app.command()
def inspect(
    model: ModelPath,
    coordinate: Annotated[
        str | None, typer.Option("--coordinate", "-c", help="Show this one alone.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", "-e", help="Show this entity's coefficients.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 15,
    as_json: Json = False,
) -> None:
    """Show coefficients by name, of the fixed effect or of one entity, and the biggest movers."""
    from gdmix.cli.inspecting import run_inspect

    run_inspect(model, coordinate, entity, top, Output(as_json=as_json))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    quiet: Quiet = False,
) -> None:
    """Write a run's report.html again."""
    from gdmix.report import build_report

    out = Output(quiet)
    with out.console.status("drawing"):
        path = build_report(run)
    out.wrote({"report": path}, [])


@app.command()
def options() -> None:
    """Print every option, its default and its meaning."""
    from gdmix.cli.options_reference import reference

    typer.echo(reference(), nl=False)
