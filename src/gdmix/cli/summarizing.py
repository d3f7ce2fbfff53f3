"""``gdmix summarize``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.markup import escape
from rich.table import Table

from gdmix.cli.output import Output, require_output
from gdmix.config import TrainOptions
from gdmix.data.decode import columns_of, decoder_of, feature_names
from gdmix.data.index import FeatureIndex
from gdmix.data.layout import Layout
from gdmix.data.paths import files_of
from gdmix.data.source import Source, open_source
from gdmix.data.statistics import Statistics
from gdmix.data.summary import summarize
from gdmix.errors import ConfigError, DataError
from gdmix.schema import Columns, Feature
from gdmix.store.aside import replacing

_ALL = "features"


def run_summarize(
    data: list[str],
    choice: tuple[list[str], Path | None],
    output: Path | None,
    top: int,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Print statistics of features, and write them where `output` says.

    `choice` holds columns and a config; of neither, every column that can be a feature is taken.
    """
    source = open_source(data)
    if output is not None:
        require_output(output, files_of(data), overwrite=overwrite)
    with out.console.status("reading"):
        layout = _layout(source, *choice)
        indexes, statistics = summarize(source, layout)
    for shard, index in indexes.items():
        _show(out, shard, index, statistics[shard], top)
    if output is not None:
        tables = [_with_shard(shard, statistics[shard], indexes[shard]) for shard in indexes]
        with replacing(output) as aside:
            pq.write_table(pa.concat_tables(tables), aside, compression="zstd")
        out.wrote({"statistics": output}, [])
    out.result(
        {
            shard: {
                "rows": int(known.count[0]) if len(known.count) else 0,
                "features": len(indexes[shard]),
                "largest": known.to_table(indexes[shard]).take(_widest(known, top)).to_pylist(),
            }
            for shard, known in statistics.items()
        }
    )


def _layout(source: Source, columns: list[str], config: Path | None) -> Layout:
    if config is not None:
        if columns:
            raise ConfigError("--features", "given with --config", hint="give one of the two")
        asked = TrainOptions.from_file(config).layout()
        return Layout(Columns(), {}, asked.shards, asked.options)
    features = tuple(Feature(column=name) for name in columns or possible_features(source))
    return Layout(Columns(), {}, {_ALL: features}, dict.fromkeys(features, "--features"))


def possible_features(source: Source) -> list[str]:
    """Return the columns whose type can be a feature.

    Raises
    ------
    DataError
        There are none.
    """
    found = []
    for name in feature_names(source.schema.names):
        feature = Feature(column=name)
        types = [source.type_of(column) for column in columns_of(feature, source, name)]
        try:
            decoder_of(feature, types, name)
        except DataError:
            continue
        found.append(name)
    if not found:
        raise DataError(source.name, "no column can be a feature", hint="name columns: --features")
    return found


def _widest(known: Statistics, top: int) -> Any:  # noqa: ANN401 - an array of positions
    """Return the features of most rows, and among equals those of largest deviation."""
    return np.lexsort((-known.variance, -known.nonzeros))[:top]


def _with_shard(shard: str, known: Statistics, index: FeatureIndex) -> pa.Table:
    table = known.to_table(index)
    return table.add_column(0, "shard", pa.array([shard] * len(index), pa.string()))


def _show(out: Output, shard: str, index: FeatureIndex, known: Statistics, top: int) -> None:
    shown = _widest(known, top)
    rows = int(known.count[0]) if len(known.count) else 0
    more = "" if len(shown) == len(index) else f", the {len(shown)} most frequent"
    out.say(
        f"\n[bold]{escape(shard)}[/bold] [dim]({len(index):,} features, {rows:,} rows{more})[/]"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("feature")
    for column in ("non-zero", "mean", "deviation", "min", "max"):
        table.add_column(column, justify="right")
    for j in shown.tolist():
        numbers = (known.mean[j], np.sqrt(known.variance[j]), known.min[j], known.max[j])
        share = f"{known.nonzeros[j] / rows:.1%}"
        table.add_row(escape(index.label(j)), share, *(f"{number:.6g}" for number in numbers))
    out.console.print(table)
