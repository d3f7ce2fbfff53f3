"""``gdmix init``: a commented config from a data file's schema."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
import yaml

from gdmix.cli.output import Output, command, require_output
from gdmix.data.arrowtypes import is_number, is_string, plain, plain_type
from gdmix.data.decode import columns_of, decoder_of, feature_names
from gdmix.data.paths import files_of
from gdmix.data.source import Batch, Source, open_source
from gdmix.errors import DataError
from gdmix.schema import Feature
from gdmix.store.aside import write_text

_LABELS = ("response", "label", "y", "click", "clicked", "target", "rating", "converted")
_UIDS = ("uid", "sample_id", "request_id", "impression_id", "row_id")
_WEIGHTS = ("weight", "sample_weight")
_OFFSETS = ("offset",)
# a query's documents are ranked: its id is what metrics are grouped by
_QUERY = "qid"
_LEAKS = ("rating", "timestamp", "ts", "time", "date")
# free text would become one feature for each distinct text
_TEXTS = ("title", "text", "name", "description", "url", "query")


@dataclass
class _Guess:
    """What the columns seem to be."""

    binary: bool
    roles: dict[str, str]
    features: list[str]
    unused: list[str]
    query: str | None = None
    of_entity: dict[str, list[str]] = field(default_factory=dict)


def run_init(data: str, validation: str | None, output: Path, overwrite: bool, out: Output) -> None:
    """Write the config and say what was guessed."""
    inputs = [path for path in (data, validation) if path is not None]
    sources = [open_source(path) for path in inputs]
    require_output(output, files_of(inputs), overwrite=overwrite)
    write_text(output, first_config(sources[0], data, validation))
    out.say("Roles were guessed from names and types: read the file before you train.")
    out.wrote({"config": output}, [command("train", output)])


def first_config(source: Source, data: str, validation: str | None) -> str:
    """Return YAML text with roles guessed from column names and types, each explained.

    Raises
    ------
    DataError
        No column can be the label, or the data cannot be read.
    """
    times = Counter(source.schema.names)
    # a name that is empty or repeats cannot be asked for
    names = [name for name, count in times.items() if name and count == 1]
    kinds = {name: plain_type(source.type_of(name)) for name in names}
    roles = _roles(source, kinds)
    query = _QUERY if _QUERY in kinds else None
    taken = {*roles.values(), *_LEAKS, query}
    ids = [name for name in kinds if name.endswith(("_id", "Id")) and name not in taken]
    entities = [name for name in ids if pat.is_integer(kinds[name]) or is_string(kinds[name])]
    others = [name for name in kinds if name not in taken and name not in ids]
    head = _head(source, [roles["label"], *entities, *others])
    features = [name for name in feature_names(others) if _can_be_feature(head, source, name)]
    used = {*roles.values(), *entities, query}
    unused = [name for name in feature_names(kinds) if name not in {*used, *features}]
    label = head.columns[roles["label"]]
    if query is not None and (pc.min(label.cast(pa.float64())).as_py() or 0) < 0:
        # gains cannot be negative
        query = None
    guess = _Guess(_is_binary(label), roles, features, unused, query)
    for entity in entities:
        guess.of_entity[entity] = _varying(head.columns, entity, features)
    return _render(guess, data, validation)


def _roles(source: Source, kinds: dict[str, pa.DataType]) -> dict[str, str]:
    label = _first(kinds, _LABELS, _is_numeric)
    if label is None:
        raise DataError(
            source.name,
            "found no column that looks like a label",
            f"numbers in one named {', '.join(_LABELS)}",
            "rename the label column, or write the config by hand",
        )
    roles = {"label": label}
    for role, known, fits in (
        ("uid", _UIDS, lambda kind: not pat.is_nested(kind)),
        ("weight", _WEIGHTS, _is_numeric),
        ("offset", _OFFSETS, _is_numeric),
    ):
        found = _first(kinds, known, fits)
        if found is not None:
            roles[role] = found
    return roles


def _head(source: Source, names: list[str]) -> Batch:
    """Return the first rows: types alone do not tell what can be a label or a feature."""
    for batch in source.batches(names, frozenset()):
        if batch.columns.num_rows:
            return batch
    raise DataError(source.name, "no rows")


def _is_numeric(kind: pa.DataType) -> bool:
    return is_number(kind) or bool(pat.is_boolean(kind))


def _is_binary(label: pa.Array) -> bool:
    found = set(label.unique().to_pylist())
    return found <= {0, 1, None} or found <= {-1, 1, None}


def _can_be_feature(head: Batch, source: Source, name: str) -> bool:
    """Whether the column is no free text, holds anything, and becomes features."""
    feature = Feature(column=name)
    columns = [plain(head.columns[item]) for item in columns_of(feature, source, name)]
    if any(word in name.lower() for word in _TEXTS) or pat.is_null(columns[0].type):
        return False
    try:
        decoder_of(feature, [column.type for column in columns], name)(columns, feature, head.place)
    except DataError:
        return False
    return True


def _render(guess: _Guess, data: str, validation: str | None) -> str:
    task = (
        "task: logistic              # label 0 or 1; `linear` for real numbers"
        if guess.binary
        else "task: linear                # the label is not only 0 and 1, as `logistic` needs it"
    )
    metric = None if guess.query is None else _quoted(f"ndcg@10:{guess.query}")
    lines = [
        "# A first gdmix config: roles were guessed from column names and types.",
        task,
        "",
        f"train: {_quoted(data)}",
        f"validation: {_quoted(validation)}" if validation else "# validation: held-out data",
        "output: runs/first          # the run directory: model, scores, metrics, report",
        "",
        *(f"{role}: {_quoted(column)}" for role, column in guess.roles.items()),
        "",
        *([f"metrics: [{metric}, {'auc' if guess.binary else 'rmse'}]", ""] if metric else []),
        "sweeps: 2                   # most passes over the coordinates",
        "",
        "coordinates:                # updated in this order, each against the others' scores",
        "  global:                   # a fixed effect: one regression for all samples",
        f"    features: {_list(guess.features)}",
        "    l2: 1.0",
    ]
    if guess.unused:
        lines.insert(1, f"# Not used, for its type, its values or its name: {_list(guess.unused)}")
    for name, entity in _named(list(guess.of_entity)).items():
        lines += [
            f"  {name}:  # a random effect: a small regression for each {_quoted(entity)}",
            f"    entity: {_quoted(entity)}",
            f"    # columns that vary within one {_quoted(entity)}; what is constant for it adds",
            "    # nothing to its intercept",
            f"    features: {_list(guess.of_entity[entity])}",
            "    l2: 1.0",
        ]
    return "\n".join(lines) + "\n"


def _named(entities: list[str]) -> dict[str, str]:
    """Name a coordinate for each entity; names are those of folders, so they differ in letters."""
    named: dict[str, str] = {}
    used = {"global"}
    for number, entity in enumerate(entities, start=1):
        short = entity.removesuffix("_id").removesuffix("Id")
        safe = re.sub(r"[^A-Za-z0-9_-]+", "-", short).strip("-_")[:50]
        wanted = name = f"per-{safe}" if safe else f"entity-{number}"
        again = 2
        while name.lower() in used:
            name, again = f"{wanted}-{again}", again + 1
        used.add(name.lower())
        named[name] = entity
    return named


def _varying(head: pa.RecordBatch, entity: str, features: list[str]) -> list[str]:
    """Return the features that differ among the samples of one entity, in the head of the data."""
    columns = {entity: head.column(entity)}
    for name in features:
        if name not in head.schema.names:
            continue
        column = head.column(name)
        if pat.is_list(column.type) and pat.is_string(column.type.value_type):
            column = pc.binary_join(column, "\x1f")
        if not pat.is_nested(column.type):
            columns[name] = column
    counted = [(name, "count_distinct") for name in columns if name != entity]
    found = pa.table(columns).group_by(entity).aggregate(counted)
    constant = {
        name for name, _ in counted if (pc.max(found[f"{name}_count_distinct"]).as_py() or 0) <= 1
    }
    return [name for name in features if name not in constant]


def _first(
    kinds: dict[str, pa.DataType], known: tuple[str, ...], fits: Callable[[pa.DataType], bool]
) -> str | None:
    by_lower = {name.lower(): name for name, kind in kinds.items() if fits(kind)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _quoted(value: str) -> str:
    """Return a string as YAML on one line, as it may stand in a list too."""
    return _list([value])[1:-1]


def _list(values: list[str]) -> str:
    def dump(style: str | None) -> str:
        text = yaml.safe_dump(
            values,
            default_flow_style=True,
            default_style=style,
            width=sys.maxsize,
            allow_unicode=True,
        )
        return str(text).strip()

    text = dump(None)
    # what would take several lines is escaped
    return dump('"') if len(text.splitlines()) > 1 else text
