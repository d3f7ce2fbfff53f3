"""``gdmix features``: the distinct features of columns, as lists of names and terms."""

from __future__ import annotations

from pathlib import Path

from gdmix.cli.output import Output, require_output
from gdmix.cli.summarizing import possible_features
from gdmix.data.index import FeatureIndex
from gdmix.data.layout import Layout
from gdmix.data.paths import files_of
from gdmix.data.piece import SEPARATOR
from gdmix.data.source import open_source
from gdmix.data.summary import features_of
from gdmix.errors import ConfigError, DataError
from gdmix.schema import Columns, Feature
from gdmix.store.aside import write_text


def run_features(
    data: list[str], columns: list[str], output: Path, out: Output, *, overwrite: bool
) -> None:
    """Write a file for each column, named like it, with a line ``name<tab>term`` a feature."""
    source = open_source(data)
    columns = list(dict.fromkeys(columns or possible_features(source)))
    paths = {column: output / column for column in columns}
    for column, path in paths.items():
        if Path(column).name != column:
            raise ConfigError("--features", f"{column!r} is no name of a file", "a plain name")
        require_output(path, files_of(data), overwrite=overwrite)
    shards = {column: (Feature(column=column),) for column in columns}
    options = {feature: "--features" for (feature,) in shards.values()}
    with out.console.status("reading"):
        indexes = features_of(source, Layout(Columns(), {}, shards, options))
    texts = {column: _lines(column, index) for column, index in indexes.items()}
    output.mkdir(parents=True, exist_ok=True)
    for column, text in texts.items():
        write_text(paths[column], text)
    counts = {column: len(index) for column, index in indexes.items()}
    out.wrote({column: f"{paths[column]}  ({n:,} features)" for column, n in counts.items()}, [])
    out.result({"lists": {column: str(path) for column, path in paths.items()}, "features": counts})


def _lines(column: str, index: FeatureIndex) -> str:
    lines = []
    for key in index.keys.to_pylist():
        name, _, term = key.partition(SEPARATOR)
        if any(sign in key for sign in "\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
            found = f"the feature {name!r}, {term!r} holds a tab or a line end"
            raise DataError(f"column {column!r}", found, "names and terms that fit on a line")
        lines.append(f"{name}\t{term}\n")
    return "".join(lines)
