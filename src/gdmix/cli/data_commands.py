"""Commands about data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gdmix.cli.arguments import DataPaths, Json, Quiet, app, datasets_app
from gdmix.cli.output import Output


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
