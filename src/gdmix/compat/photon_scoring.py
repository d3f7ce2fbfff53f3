"""Photon-ML's other drivers, as commands of gdmix: scoring, lists of features, indexes."""

from __future__ import annotations

from pathlib import Path

from gdmix.compat import photon_values as values
from gdmix.compat.photon_columns import Names
from gdmix.compat.photon_command import note_ignored
from gdmix.compat.photon_coordinate import Shards
from gdmix.compat.photon_data import Open, Rows, id_info, rows_of
from gdmix.compat.photon_values import Given
from gdmix.compat.photon_words import Command
from gdmix.compat.report import Report

_IN_MODEL = ("feature-bags-directory", "data-validation")


def commands_of(command: Command, report: Report, opened: Open) -> list[list[str]]:
    """Return the words of the gdmix commands that do what a driver does, none where none is needed.

    Raises
    ------
    ConfigError, DataError
        A value is wrong, or the data cannot be read.
    """
    given = command.values
    note_ignored(command, report)
    rows = rows_of(given, "input", report)
    root = Path(given["root-output-directory"][0])
    if command.driver == "bags":
        bags = values.words("--feature-bags-keys", given["feature-bags-keys"][0])
        report.maps("--feature-bags-keys", f"--features {', '.join(bags)}")
        asked = [word for bag in bags for word in ("--features", bag)]
        return [_words(["features", *rows.files(), *asked, "--output", str(root)], given)]
    if command.driver == "indexing":
        report.note("nothing is to be done: features are numbered while data is read")
        return []
    names = Names.of(opened(rows.files()), values.one(given, "input-column-names"), report)
    return _scoring(given, rows, root, names)


def _scoring(given: Given, rows: Rows, root: Path, names: Names) -> list[list[str]]:
    report = names.report
    model = given["model-input-directory"][0]
    for name in _IN_MODEL:
        if name in given:
            report.ignores(f"--{name}", "the model knows its features; values are always checked")
    found = []
    if coordinates := id_info(Path(model)):
        imported = str(root / "gdmix-model")
        sets = _told(coordinates, given, names)
        found.append(_words(["import", model, imported, *sets], given))
        report.maps("--feature-shard-configurations", "gdmix import --set coordinates.<name>")
        model = imported
    scores = str(root / "scores" / "part-00000.avro")
    report.maps("--model-input-directory", f"gdmix predict {model}")
    report.maps("--root-output-directory", f"--output {scores}")
    data = [*rows.paths, *(["--dates", rows.dates] if rows.dates else [])]
    words = ["predict", model, *data, "--layout", "photon", "--output", scores]
    found.append(_words(words, given))
    if "evaluators" in given:
        text = given["evaluators"][0]
        asked = []
        for name in values.words("--evaluators", text):
            metric, tag = values.evaluator("--evaluators", name)
            column = f":{names.tag('--evaluators', tag)}" if tag else ""
            asked += ["--metric", f"{metric}{column}"]
        report.maps(f"--evaluators {text}", f"gdmix evaluate {' '.join(asked)}")
        found.append(["evaluate", model, *data, *asked])
    return found


def _told(coordinates: dict[str, list[str]], given: Given, names: Names) -> list[str]:
    """Return options that a GAME model's files do not tell: columns of rows, and of features."""
    roles = names.roles()
    # an imported model asks for these by default
    told = {"uid": "null", "weight": "null"} | roles
    if "weight" in roles or "offset" in roles:
        told["null_defaults"] = "true"
    shards = Shards(list(given.get("feature-shard-configurations", [])), None)
    for name, (*tag, shard) in coordinates.items():
        where = f"--model-input-directory {name}"
        bags = shards.require(where, shard).bags
        told[f"coordinates.{name}.features"] = f"[{', '.join(bags)}]"
        if tag:
            told[f"coordinates.{name}.entity"] = names.tag(where, tag[0])
    return [word for path, value in told.items() for word in ("--set", f"{path}={value}")]


def _words(words: list[str], given: Given) -> list[str]:
    flag = "override-output-directory"
    again = flag in given and values.boolean(f"--{flag}", given[flag][0])
    return [*words, "--overwrite"] if again else words
