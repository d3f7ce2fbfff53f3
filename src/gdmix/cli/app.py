"""The commands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from gdmix.cli.output import Output


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
    resume: Annotated[bool, typer.Option(help="Go on with a run that was cut off.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace the run at the output.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model and write a run directory: model, scores, metrics, report."""
    started = time.perf_counter()
    from gdmix.cli.training import chosen, run_training

    imports = time.perf_counter() - started
    asked = chosen(config, config_option, photon, tuple(set_ or ()))
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
def summarize(
    data: DataPaths,
    features: Annotated[
        list[str] | None, typer.Option("--features", "-f", help="A column; repeat for several.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take the features of this config.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Parquet file to write.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Features to show.")] = 20,
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Summarize features: mean, deviation, range, how often they are not zero."""
    from gdmix.cli.summarizing import run_summarize

    out, choice = Output(quiet, as_json), (features or [], config)
    run_summarize(data, choice, output, top, out, overwrite=overwrite)


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


@app.command()
def convert(
    paths: Annotated[
        list[str], typer.Argument(metavar="INPUT... OUTPUT", help="Data, then the file to write.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="Format of a folder of part files: parquet, csv, avro, tfrecord, libsvm."
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to take, parted by commas; all by default.")
    ] = None,
    rows_per_file: Annotated[int | None, typer.Option(min=1, help="Rows of a part file.")] = None,
    feature_list: Annotated[
        list[str] | None,
        typer.Option(help="File of the names that indices stand for: FILE, or COLUMN=FILE."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of the label, to libsvm: label or response.")
    ] = None,
    qid: Annotated[str | None, typer.Option(help="Column of the query id, to libsvm: qid.")] = None,
    metadata: Annotated[
        Path | None, typer.Option(help="Tensor metadata of TFRecord files; found beside them.")
    ] = None,
    lossy: Annotated[
        bool, typer.Option(help="Write what the format cannot hold as near as it can.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace what is at the output.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Convert data between Parquet, CSV, Avro, TFRecord and libsvm, streamed."""
    from gdmix.cli.converting import Target, run_convert, wish_of

    wish = wish_of(columns, feature_list or [], label, qid, lossy=lossy)
    if len(paths) < 2:
        raise typer.BadParameter("give the data, then the file to write", param_hint="OUTPUT")
    target = Target.of(Path(paths[-1]), to, rows_per_file)
    out = Output(quiet, as_json)
    run_convert(paths[:-1], target, wish, metadata, out, overwrite=overwrite)


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
def init(
    data: Annotated[str, typer.Argument(help="Data file, glob or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path(
        "gdmix.yaml"
    ),
    validation: Annotated[str | None, typer.Option(help="Validation data.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented config from a data file's schema."""
    from gdmix.cli.first_config import run_init

    run_init(data, validation, output, overwrite, Output(quiet))


@app.command("convert-config")
def convert_config(
    config: Annotated[
        Path | None, typer.Argument(help="GDMix's file, or one with Photon-ML's command line.")
    ] = None,
    photon: Annotated[
        str | None, typer.Option(help="Photon-ML's command line itself, or @FILE.")
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

    run_convert_config(config, photon, output, Output(quiet, as_json), overwrite=overwrite)


@app.command()
def features(
    data: DataPaths,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write lists to.")],
    features: Annotated[
        list[str] | None, typer.Option("--features", "-f", help="A column; repeat for several.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace lists that are there.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the distinct features of columns, a name and term a line: what `only` reads."""
    from gdmix.cli.listing import run_features

    run_features(data, features or [], output, Output(quiet, as_json), overwrite=overwrite)


@app.command()
def options() -> None:
    """Print every option, its default and its meaning."""
    from gdmix.cli.options_reference import reference

    typer.echo(reference(), nl=False)


@datasets_app.command("list")
def datasets_list() -> None:
    """List the data sets."""
    from gdmix.datasets import available

    for name, description in available().items():
        typer.echo(f"{name}  {description}")


@datasets_app.command("get")
def datasets_get(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder with the original files.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write Parquet files to.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the train/validation split.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fetch a public data set, check it, and split it into training and validation files."""
    from gdmix.cli.fetching import run_get

    run_get(name, source, output, seed, Output(quiet, as_json))
