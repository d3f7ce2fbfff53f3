"""``gdmix predict`` and ``evaluate``."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from gdmix.cli.output import Output, require_output
from gdmix.data.paths import files_of
from gdmix.data.source import open_source
from gdmix.engines.local import LocalEngine
from gdmix.errors import ConfigError
from gdmix.estimator import MixedModel
from gdmix.metrics import METRICS
from gdmix.scoring import Unseen, score_source
from gdmix.store.aside import replacing
from gdmix.store.scores import scores_writer


def model_folder(path: Path) -> Path:
    """Return the model directory: the path itself, or the one inside a run."""
    return path / "model" if (path / "model" / "manifest.json").is_file() else path


def run_predict(
    model: Path,
    data: list[str],
    output: Path,
    threads: int | None,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Score files batch by batch into one Parquet file."""
    if output.suffix != ".parquet":
        raise ConfigError("--output", f"found {str(output)!r}", "a file name ending in .parquet")
    source, unseen = open_source(data), Unseen()
    require_output(output, files_of(data), overwrite=overwrite)
    loaded = MixedModel.load(model_folder(model))
    engine = LocalEngine(threads)
    tables = score_source(engine, loaded.options, loaded.model_, source, unseen)
    with out.console.status("scoring") as status, replacing(output) as aside:
        first = next(tables)
        with scores_writer(aside, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
                status.update(f"scored {unseen.rows:,} rows")
    out.say(f"scored {unseen.rows:,} rows")
    for name, rows in unseen.entities.items():
        if rows:
            out.say(f"  {escape(name)}: {rows:,} rows of entities without a model (scored 0)")
    for shard, values in unseen.features.items():
        if values:
            out.say(f"  {escape(shard)}: {values:,} values of unknown features (dropped)")
    out.wrote({"scores": output}, [])
    out.result(
        {
            "scores": str(output),
            "rows": unseen.rows,
            "unseen_entities": dict(unseen.entities),
            "unseen_features": dict(unseen.features),
        }
    )


def run_evaluate(
    model: Path, data: list[str], metrics: list[str] | None, threads: int | None, out: Output
) -> None:
    """Print metrics on labelled data."""
    loaded = MixedModel.load(model_folder(model))
    loaded.threads = threads
    with out.console.status("scoring"):
        found = loaded.evaluate(data, metrics)
    for name, value in found.items():
        out.say(f"{METRICS[name].title:<10} {value:.6f}")
    out.result(found)
