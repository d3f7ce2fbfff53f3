"""From GDMix's workflow configuration to the options of a run.

What is minimized is the same: GDMix sums the loss of a fixed effect and takes the mean over an
entity's rows, with the penalty in the same mean, so that its optimum is that of the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.detext_coordinate import coordinate
from gdmix.compat.detext_task import aim_of
from gdmix.compat.gdmix_data import Params, Place, Tables, is_external
from gdmix.compat.gdmix_file import DetextParams, GdmixConfig
from gdmix.compat.gdmix_older import present_form
from gdmix.compat.gdmix_options import LinearParams
from gdmix.compat.idle import idle_reason
from gdmix.compat.report import Report
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError
from gdmix.options import Options

_SECTIONS = ("fixed_effect_config", "random_effect_config")
_TASKS = {"logistic_regression": ("logistic", "auc"), "linear_regression": ("linear", "mse")}
_OWN_FOLDERS = ("model", "models", "scores", "metrics", "checkpoints")
_TOLERANCES = (1e-10, 1e-7)
"""Smallest and largest tolerance that a GDMix tolerance becomes."""

_INTERCEPT_BOUND = 20.0
"""Where intercepts without an optimum stop: GDMix's solver leaves them at 6 to 21."""


@dataclass(frozen=True)
class Converted:
    """A configuration of GDMix, and what it means here.

    Attributes
    ----------
    options : dict of str to Any
        Options of a run as plain values.
    report : Report
    theirs : GdmixConfig
    """

    options: dict[str, Any]
    report: Report
    theirs: GdmixConfig


def is_gdmix_config(values: Mapping[str, Any]) -> bool:
    """Tell a configuration of GDMix's workflow from one of ours."""
    return any(section in values for section in _SECTIONS)


def convert(values: Mapping[str, Any], where: str) -> Converted:
    """Map a configuration; data is opened to see which columns it has, no row is read.

    Parameters
    ----------
    values : mapping
        As read from a file, of any of GDMix's versions.
    where : str
        Name of the file.

    Raises
    ------
    ConfigError
        An option is unknown or wrong, or asks for what is not there.
    """
    config = GdmixConfig.parse(present_form(values), where)
    report = Report(where)
    _require_names(config)
    _pass_over(config, "", report)
    tables = Tables(config, report)
    task, metrics = _task(tables, report)
    report.maps(f"{tables.main.path}.gdmix_config.model_type", f"task: {task}")
    options: dict[str, Any] = {"task": task, **tables.options()}
    options["coordinates"] = {
        name: _coordinate(name, place, task, report) for name, place in tables.places.items()
    }
    options["metrics"] = metrics
    options["output"] = config.output_dir
    report.maps("output_dir", f"output: {config.output_dir}")
    for place in tables.places.values():
        _describe_tree(place, metrics[0], report)
    # what does not fit together is found here, not after other things were printed
    TrainOptions.parse(options, where)
    return Converted(options, report, config)


def _require_names(config: GdmixConfig) -> None:
    if len(config.fixed_effect_config) > 1:
        names = ", ".join(map(repr, config.fixed_effect_config))
        raise ConfigError("fixed_effect_config", f"found {names}", "one fixed effect")
    if not config.coordinates():
        raise ConfigError("fixed_effect_config", "there is no coordinate", "one at least")
    for name in config.coordinates():
        if name in _OWN_FOLDERS:
            hint = "a run has a folder of this name; rename the coordinate"
            raise ConfigError("output_dir", f"a coordinate is named {name!r}", hint=hint)


def _pass_over(given: Options, path: str, report: Report) -> None:
    """Record every given option that means nothing here."""
    for name in type(given).model_fields:
        value, where = getattr(given, name), f"{path}{name}"
        reason = idle_reason(type(given), name)
        if reason is not None:
            if name in given.model_fields_set:
                report.ignores(where, reason)
        elif isinstance(value, Options):
            _pass_over(value, f"{where}.", report)
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, Options):
                    _pass_over(item, f"{where}.{key}.", report)


def _task(tables: Tables, report: Report) -> tuple[str, list[str]]:
    """Return our task, and the metrics: the one that GDMix computes after every coordinate."""
    main = tables.main.params
    for place in tables.places.values():
        driver = place.params.gdmix_config
        if driver.action != "train":
            hint = "`gdmix predict` scores data with a trained model"
            raise ConfigError(
                f"{place.path}.gdmix_config.action", f"found {driver.action!r}", "'train'", hint
            )
    if isinstance(main, DetextParams):
        task, metrics = _deep_task(tables, main, report)
    else:
        task, metric = _TASKS[main.gdmix_config.model_type]
        metrics = [main.metric or metric]
    kind = next((name for name, (ours, _) in _TASKS.items() if ours == task), task)
    for place in tables.places.values():
        driver = place.params.gdmix_config
        own = isinstance(place.params, DetextParams) or is_external(place.params)
        if driver.model_type != kind and not own:
            where = f"{place.path}.gdmix_config.model_type"
            problem = f"found {driver.model_type!r}, and {kind!r} in {tables.main.path}"
            raise ConfigError(where, problem, "one loss for all coordinates")
    return task, metrics


def _deep_task(tables: Tables, main: DetextParams, report: Report) -> tuple[str, list[str]]:
    """Return task and metrics of DeText's model, which random effects can go on with."""
    path = f"{tables.main.path}."
    aim = aim_of(main.arguments(), path, report)
    alone = len(tables.places) == 1
    if not alone and (aim.loss != "pointwise" or aim.task != "logistic"):
        option = "ltr_loss_fn" if main.task_type == "ranking" else "task_type"
        problem = f"found {getattr(main, option)!r}, which random effects cannot go on from"
        expected = "'pointwise'" if option == "ltr_loss_fn" else "'binary_classification'"
        raise ConfigError(f"{path}{option}", problem, expected)
    return aim.task, aim.metrics or ["auc"]


def _coordinate(name: str, place: Place, task: str, report: Report) -> dict[str, Any]:
    params, driver = place.params, place.params.gdmix_config
    if isinstance(params, DetextParams):
        return _deep_coordinate(name, place.path, params.arguments(), report)
    found: dict[str, Any] = {}
    entity = getattr(params, "partition_entity", None)
    if entity is not None:
        found["entity"] = entity
        report.maps(f"{place.path}.partition_entity", f"coordinates.{name}.entity: {entity}")
    if is_external(params):
        column = driver.prediction_score_column_name
        report.maps(
            f"{place.path}.gdmix_config.prediction_score_column_name",
            f"coordinates.{name}.score: {column}",
        )
        return {"score": column}
    if params.feature_bag is not None:
        feature: dict[str, Any] = {"column": params.feature_bag}
        if params.feature_file is not None:
            feature["names"] = params.feature_file
            ours = f"coordinates.{name}.features.names: {params.feature_file}"
            report.maps(f"{place.path}.feature_file", ours)
        found["features"] = [feature]
        ours = f"coordinates.{name}.features: {params.feature_bag}"
        report.maps(f"{place.path}.feature_bag", ours)
    elif params.feature_file is not None:
        report.ignores(f"{place.path}.feature_file", "there is no feature_bag to name features of")
    for theirs, ours, value in _numbers(params, task):
        found[ours] = value
        shown = str(value).lower() if isinstance(value, bool) else value
        report.maps(f"{place.path}.{theirs}", f"coordinates.{name}.{ours}: {shown}")
    if entity is not None and task == "logistic" and not params.regularize_bias:
        found["intercept_bound"] = _INTERCEPT_BOUND
        report.note(
            "regularize_bias: false leaves entities whose labels are all alike without an "
            "optimum: their intercept stops at intercept_bound "
            f"({_INTERCEPT_BOUND:g}), GDMix's where its solver does"
        )
    _notes(params, task, report)
    return found


def _deep_coordinate(
    name: str, path: str, given: DetextArguments, report: Report
) -> dict[str, Any]:
    # what is learnt was told with the task
    aim = aim_of(given, f"{path}.", Report(""))
    return coordinate(name, given, aim, f"{path}.", report)


def _numbers(params: LinearParams, task: str) -> list[tuple[str, str, Any]]:
    """Return GDMix's name, our name and our value of what shapes the solution."""
    # its squared loss is the square itself, ours is half of it; both penalties are halves
    l2 = params.l2_reg_weight / 2.0 if task == "linear" else params.l2_reg_weight
    items = [
        ("l2_reg_weight", "l2", l2),
        ("has_intercept", "intercept", params.has_intercept),
        ("regularize_bias", "penalize_intercept", params.regularize_bias),
        ("lbfgs_tolerance", "tolerance", tolerance_of(params.lbfgs_tolerance)),
        ("num_of_lbfgs_iterations", "max_iterations", params.num_of_lbfgs_iterations),
    ]
    if params.sparsity_threshold > 0.0:
        items.append(("sparsity_threshold", "sparsity_threshold", params.sparsity_threshold))
    modes = [(option, getattr(params, option)) for option in params.variance_options]
    return items + [(option, "variance", mode) for option, mode in modes if mode is not None]


def tolerance_of(fall: float) -> float:
    """Return our tolerance, on the gradient, for one on the relative fall of the loss.

    Near the optimum the loss falls as the square of the gradient; a thousandth of the root is on
    the safe side, and a few steps more.
    """
    least, most = _TOLERANCES
    return min(max(1e-3 * math.sqrt(fall), least), most)


def _describe_tree(place: Place, metric: str, report: Report) -> None:
    """Record the options of the output tree, which `GdmixTree` reads itself."""
    params, driver = place.params, place.params.gdmix_config
    for name in (
        "prediction_score_column_name",
        "prediction_score_per_coordinate_column_name",
    ):
        if name in driver.model_fields_set and not is_external(params):
            ours = f"column {getattr(driver, name)!r} of the scores in GDMix's tree"
            report.maps(f"{place.path}.gdmix_config.{name}", ours)
    for name in params.model_fields_set:
        if name.startswith("disable_"):
            ours = (
                "train_scores are written" if params.writes_training_scores else "no train_scores"
            )
            report.maps(f"{place.path}.{name}", ours)
        elif name == "metric":
            report.maps(f"{place.path}.metric", f"metrics: {metric}")


def _notes(params: Params, task: str, report: Report) -> None:
    if task == "linear":
        report.note("l2_reg_weight is halved: GDMix's squared loss has no factor 1/2")
    if "sparsity_threshold" not in params.model_fields_set:
        report.note(
            "coefficients stay as they are; GDMix zeroes those of at most 1e-4 "
            "(sparsity_threshold: 1.0e-4 does so here)"
        )
