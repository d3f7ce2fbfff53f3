"""``gdmix init``: a commented config from a data file's schema."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
import yaml

from gdmix.cli.output import Output
from gdmix.data.source import Source, open_source
from gdmix.errors import ConfigError, DataError
from gdmix.store.aside import write_text

_LABELS = ("response", "label", "y", "click", "clicked", "target", "rating", "converted")
_UIDS = ("uid", "sample_id", "request_id", "impression_id", "row_id")
_WEIGHTS = ("weight", "sample_weight")
_OFFSETS = ("offset",)
_LEAKS = ("rating", "timestamp", "ts", "time", "date")


def run_init(data: str, validation: str | None, output: Path, overwrite: bool, out: Output) -> None:
    """Write the config and say what was guessed."""
    if output.exists() and not overwrite:
        raise ConfigError(str(output), "exists already", hint="--overwrite replaces it")
    text = first_config(open_source(data), data, validation)
    write_text(output, text)
    out.say("Roles were guessed from names and types: read the file before you train.")
    out.wrote({"config": output}, [f"gdmix train {output}"])


def first_config(source: Source, data: str, validation: str | None) -> str:
    """Return YAML text with roles guessed from column names and types, each explained.

    Raises
    ------
    DataError
        No column can be the label.
    """
    names = list(source.schema.names)
    label = _first(names, _LABELS)
    if label is None:
        raise DataError(
            source.name,
            "found no column that looks like a label",
            f"one named {', '.join(_LABELS)}",
            "rename the label column, or write the config by hand",
        )
    taken = {label, *_LEAKS}
    roles = {"label": label}
    for role, known in (("uid", _UIDS), ("weight", _WEIGHTS), ("offset", _OFFSETS)):
        found = _first(names, known)
        if found is not None:
            roles[role] = found
            taken.add(found)
    entities = [name for name in names if name.endswith(("_id", "Id")) and name not in taken]
    features = [
        name
        for name in names
        if name not in taken and name not in entities and _can_be_feature(source, name)
    ]
    of_entity = {entity: _varying(source, entity, features) for entity in entities}
    return _render(roles, features, of_entity, data, validation)


def _render(
    roles: dict[str, str],
    features: list[str],
    of_entity: dict[str, list[str]],
    data: str,
    validation: str | None,
) -> str:
    lines = [
        "# A first gdmix config: roles were guessed from column names and types.",
        "task: logistic              # label 0 or 1; `linear` for real numbers",
        "",
        f"train: {_quoted(data)}",
        f"validation: {_quoted(validation)}" if validation else "# validation: held-out data",
        "output: runs/first          # the run directory: model, scores, metrics, report",
        "",
        *(f"{role}: {_quoted(column)}" for role, column in roles.items()),
        "",
        "sweeps: 2                   # most passes over the coordinates",
        "",
        "coordinates:                # updated in this order, each against the others' scores",
        "  global:                   # a fixed effect: one regression for all samples",
        f"    features: {_list(features)}",
        "    l2: 1.0",
    ]
    for entity, varying in of_entity.items():
        name = entity.removesuffix("_id").removesuffix("Id")
        lines += [
            f"  per-{name}:  # a random effect: a small regression for each {entity}",
            f"    entity: {_quoted(entity)}",
            f"    # columns that vary within one {entity}; what is constant for it adds nothing to",
            "    # its intercept",
            f"    features: {_list(varying)}",
            "    l2: 1.0",
        ]
    return "\n".join(lines) + "\n"


def _varying(source: Source, entity: str, features: list[str]) -> list[str]:
    """Return the features that differ among the samples of one entity, in the head of the data."""
    head = next(source.batches([entity, *features], frozenset())).columns
    columns = {entity: head.column(entity)}
    for name in features:
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


def _first(names: list[str], known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in names}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _can_be_feature(source: Source, name: str) -> bool:
    kind = source.schema.field(name).type
    kind = kind.value_type if pat.is_dictionary(kind) else kind
    # free text would become one feature for each distinct text
    texts = ("title", "text", "name", "description", "url", "query")
    is_text = any(word in name.lower() for word in texts)
    return not is_text and not pat.is_temporal(kind)


def _quoted(value: str) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).splitlines()[0]


def _list(values: list[str]) -> str:
    return yaml.safe_dump(values, default_flow_style=True, width=10_000).strip()
