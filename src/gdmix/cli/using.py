"""``gdmix predict`` and ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.markup import escape
from rich.table import Table

from gdmix.classes.scores import figures
from gdmix.cli.output import Output, require_output
from gdmix.data.days import find_days, parse_days
from gdmix.data.joining import JoinedSource, Other
from gdmix.data.paths import files_of
from gdmix.data.source import Source, open_source
from gdmix.engines.local import LocalEngine
from gdmix.errors import ConfigError
from gdmix.estimator import MixedModel
from gdmix.metrics import Evaluation
from gdmix.metrics.classes import FIGURES
from gdmix.scoring import Unseen, class_names, score_source
from gdmix.store.aside import replacing
from gdmix.store.scores import ScoreLayout, open_scores

_CLASSES_SHOWN = 20


class Input(NamedTuple):
    """What is scored.

    Attributes
    ----------
    paths : list of str
        Files of the rows.
    joined : list of str
        Files whose columns are taken to the rows; those of other rows are passed over.
    key : str
        Column that names a row in both.
    dates : str, optional
        Days whose files are read, where `paths` are folders of daily folders.
    """

    paths: list[str]
    joined: list[str]
    key: str
    dates: str | None = None

    def open(self) -> Source:
        """Open all files."""
        rows = open_source(self._rows())
        others = [Other(open_source(path), self.key, (), ("extra",)) for path in self.joined]
        return JoinedSource(rows, others) if others else rows

    def files(self) -> list[Path]:
        """Return all files, which an output must not replace."""
        return files_of([*self._rows(), *self.joined])

    def _rows(self) -> list[str] | list[Path]:
        if self.dates is None:
            return self.paths
        return find_days(self.paths, parse_days(self.dates, "--dates")).files


def run_predict(
    model: Path,
    data: Input,
    output: Path,
    layout: ScoreLayout | None,
    threads: int | None,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Score files batch by batch into one file."""
    suffix = ".parquet" if layout is None else ".avro"
    if output.suffix != suffix:
        found = f"found {str(output)!r}"
        hint = "" if layout else "--layout gdmix or photon writes their Avro files"
        raise ConfigError("--output", found, f"a file name ending in {suffix}", hint)
    source, unseen = data.open(), Unseen()
    require_output(output, data.files(), overwrite=overwrite)
    loaded = MixedModel.load(model)
    engine = LocalEngine(threads)
    tables = score_source(engine, loaded.options, loaded.model_, source, unseen)
    with out.console.status("scoring") as status, replacing(output) as aside:
        first = next(tables)
        with open_scores(aside, first, layout, loaded.options) as writer:
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
    model: Path,
    data: Input,
    metrics: list[str] | None,
    threads: int | None,
    out: Output,
    *,
    groups: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Print metrics on labelled data; write those of one group column to `groups`."""
    loaded = MixedModel.load(model)
    loaded.threads = threads
    if groups is not None:
        if groups.suffix != ".parquet":
            raise ConfigError(
                "--per-group", f"found {str(groups)!r}", "a file name ending in .parquet"
            )
        require_output(groups, data.files(), overwrite=overwrite)
    with out.console.status("scoring"):
        evaluation = loaded.evaluation(data.open(), metrics)
        table = None if groups is None else _only_table(evaluation)
        found = evaluation.values()
    width = max(10, *(len(evaluator.title) for evaluator in evaluation.evaluators))
    for evaluator in evaluation.evaluators:
        line = f"{escape(f'{evaluator.title:<{width}}')} {found[evaluator.name]:.6f}"
        if evaluator.column is not None:
            known = np.isfinite(evaluation.within(evaluator))
            line += f"  over {known.sum():,} of {len(known):,} groups"
        out.say(line)
    result: dict[str, Any] = dict(found)
    if loaded.options_.kind.several:
        names = class_names(loaded.options_, loaded.model_)
        result["classes"] = figures(names, evaluation.sample)
        _show_classes(result["classes"], out)
    if groups is not None:
        with replacing(groups) as aside:
            pq.write_table(table, aside, compression="zstd")
        out.wrote({"groups": groups}, [])
    out.result(result)


def _show_classes(told: dict[str, Any], out: Output) -> None:
    """Print a line for each class, those of the most weight first."""
    columns = ("weight", *FIGURES)
    table = Table(box=None, pad_edge=False)
    table.add_column("class" if "confusion" in told else "label")
    for name in columns:
        table.add_column(name, justify="right")
    order = sorted(range(len(told["names"])), key=lambda k: -told["weight"][k])
    for k in order[:_CLASSES_SHOWN]:
        cells = [f"{told['weight'][k]:,.6g}", *(f"{told[name][k]:.4f}" for name in FIGURES)]
        table.add_row(escape(told["names"][k]), *cells)
    out.say()
    out.console.print(table)
    if len(order) > _CLASSES_SHOWN:
        out.say(f"[dim]and {len(order) - _CLASSES_SHOWN:,} more: --json shows all[/dim]")


def _only_table(evaluation: Evaluation) -> pa.Table:
    tables = evaluation.group_tables()
    if len(tables) != 1:
        columns = ", ".join(map(repr, tables)) or "none"
        hint = "name the metrics, as in -m auc:user_id"
        raise ConfigError("--per-group", f"found {columns}", "metrics of one group column", hint)
    return next(iter(tables.values()))
