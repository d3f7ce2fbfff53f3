"""Photon-ML's deprecated driver of one regression, as plain options of a fixed effect."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from gdmix.compat import photon_values as values
from gdmix.compat.photon_data import Open
from gdmix.compat.photon_settings import BINARY, EVALUATORS
from gdmix.compat.photon_values import Given
from gdmix.compat.report import Report
from gdmix.data.source import Source
from gdmix.errors import ConfigError

_NAME = "global"
_DEFAULTS = {
    "regularization-type": "L2",
    "regularization-weights": "10",
    "elastic-net-alpha": "0.5",
    "num-iterations": "80",
    "convergence-tolerance": "1e-6",
    "optimizer": "LBFGS",
    "normalization-type": "NONE",
    "format": "RESPONSE_PREDICTION",
    "input-file-format": "AVRO",
    "intercept": "true",
    "data-validation-type": "VALIDATE_FULL",
}


def legacy(given: Given, report: Report, opened: Open) -> dict[str, Any]:
    """Return plain options without an output.

    Raises
    ------
    ConfigError
        A value is wrong.
    """
    text = {name: given[name][0] for name in given}
    if missing := [f"{name} {value}" for name, value in _DEFAULTS.items() if name not in text]:
        report.note(f"not given, and set as it is there by default: {', '.join(missing)}")
    text = _DEFAULTS | text
    train = values.words("--training-data-directory", text["training-data-directory"])
    task = values.TASKS[values.one_of("--task", text["task"], values.TASKS)]
    plain: dict[str, Any] = {"task": task, "train": train}
    if "validating-data-directory" in text:
        plain["validation"] = values.words(
            "--validating-data-directory", text["validating-data-directory"]
        )
        plain["metrics"] = [EVALUATORS[task].lower()]
    plain |= _columns(text, opened(train), report)
    options, grid = _coordinate(text, report)
    if grid and "validation" not in plain:
        hint = "give one weight, or --validating-data-directory to choose by"
        raise ConfigError("--regularization-weights", f"found {len(grid)} weights", hint=hint)
    if grid:
        plain |= {"grid": {f"{_NAME}.{_weight(options)}": grid}, "output_mode": "explicit"}
    if "summarization-output-dir" in text:
        plain["statistics"] = True
        report.maps("--summarization-output-dir", "statistics: true, in model/features/")
    plain["coordinates"] = {_NAME: options}
    for name in ("task", "train", "validation", "label", "grid"):
        if name in plain:
            report.maps(_THEIRS[name], f"{name}: {plain[name]}")
    return plain


_THEIRS = {
    "task": "--task",
    "train": "--training-data-directory",
    "validation": "--validating-data-directory",
    "label": "--format",
    "grid": "--regularization-weights",
}


def _columns(text: dict[str, str], source: Source | None, report: Report) -> dict[str, Any]:
    kind = values.one_of("--input-file-format", text["input-file-format"], ("AVRO", "LIBSVM"))
    layout = values.one_of("--format", text["format"], ("RESPONSE_PREDICTION", "TRAINING_EXAMPLE"))
    label = "label" if kind == "LIBSVM" or layout == "TRAINING_EXAMPLE" else "response"
    found: dict[str, Any] = {"label": label}
    if source is not None:
        found |= {role: role for role in ("uid", "weight", "offset") if source.has(role)}
    if "weight" in found or "offset" in found:
        found["null_defaults"] = True
        report.note("a null weight is 1 and a null offset 0, as there (`null_defaults`)")
    level = values.one_of(
        "--data-validation-type", text["data-validation-type"], values.VALIDATIONS
    )
    task = values.TASKS[text["task"].strip().upper()]
    if task in BINARY and (level == "VALIDATE_DISABLED" or kind == "LIBSVM"):
        # it takes labels -1 and 1 of libsvm files as 0 and 1
        found["positive_above"] = 0.5
        report.note("labels above 0.5 are positive, as there (`positive_above`)")
    return found


def _coordinate(text: dict[str, str], report: Report) -> tuple[dict[str, Any], list[float]]:
    feature: Any = "features"
    if "selected-features-file" in text:
        feature = {"column": "features", "only": text["selected-features-file"]}
        report.maps("--selected-features-file", f"only: {feature['only']}")
    options: dict[str, Any] = {"features": [feature]}
    options["intercept"] = values.boolean("--intercept", text["intercept"])
    if options["intercept"]:
        options["penalize_intercept"] = True
        report.note("the intercept is shrunk, as there (`penalize_intercept: false` frees it)")
    where = "--regularization-weights"
    weights = [values.number(where, w, 0.0) for w in values.words(where, text[where[2:]])]
    weights = sorted(set(weights), reverse=True)
    where = "--regularization-type"
    kind = values.one_of(where, text[where[2:]], values.REGULARIZATIONS)
    if kind == "NONE":
        options["l2"], weights = 0.0, weights[:1]
    elif kind == "ELASTIC_NET":
        alpha = values.number("--elastic-net-alpha", text["elastic-net-alpha"], 0.0)
        options["elastic_net"] = {"weight": weights[0], "alpha": alpha}
    else:
        options |= {"l2": 0.0, kind.lower(): weights[0]}
    report.maps(f"--regularization-type {kind}", f"{_weight(options)}: {weights[0]:g}")
    options |= _solver(text, options, report)
    where = "--normalization-type"
    named = values.one_of(where, text[where[2:]], values.NORMALIZATIONS)
    options["normalization"] = values.NORMALIZATIONS[named]
    return options, weights if len(weights) > 1 else []


def _weight(options: Mapping[str, Any]) -> str:
    if "elastic_net" in options:
        return "elastic_net.weight"
    return "l1" if "l1" in options else "l2"


def _solver(text: dict[str, str], options: Mapping[str, Any], report: Report) -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["max_iterations"] = values.whole("--num-iterations", text["num-iterations"])
    where = "--convergence-tolerance"
    found["tolerance"] = values.number(where, text[where[2:]], 0.0)
    optimizer = values.one_of("--optimizer", text["optimizer"], values.OPTIMIZERS)
    found["optimizer"] = optimizer.lower()
    if _weight(options) != "l2":
        if optimizer == "TRON":
            raise ConfigError("--optimizer", "TRON cannot hold an L1 penalty", "LBFGS")
        found["optimizer"] = "owlqn"
    if "coefficient-box-constraints" in text:
        found["bounds"] = box_constraints(text["coefficient-box-constraints"])
        found["optimizer"] = "auto"
        report.maps("--coefficient-box-constraints", f"bounds: {len(found['bounds'])}")
    report.maps(f"--optimizer {optimizer}", f"optimizer: {found['optimizer']}")
    return found


def box_constraints(text: str) -> list[dict[str, Any]]:
    """Return bounds from JSON such as ``[{"name": "age", "term": "*", "lowerBound": 0}]``.

    Raises
    ------
    ConfigError
        The text is no such list.
    """
    where = "--coefficient-box-constraints"
    try:
        items = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(where, f"is no JSON ({error})") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigError(where, "is no list of constraints", '[{"name": ..., "lowerBound": ...}]')
    found = []
    for number, item in enumerate(items, 1):
        if not {"name", "term"} <= item.keys():
            raise ConfigError(f"{where}, item {number}", "has no name and term")
        bound: dict[str, Any] = {"name": str(item["name"]), "term": str(item["term"])}
        for theirs, ours in (("lowerBound", "lower"), ("upperBound", "upper")):
            value = item.get(theirs)
            if value is None:
                continue
            if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
                raise ConfigError(
                    f"{where}, item {number}: {theirs}", f"found {value!r}", "a number"
                )
            if math.isfinite(value):
                bound[ours] = value
        if len(bound) > 2:
            found.append(bound)
    return found
