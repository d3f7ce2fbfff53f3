"""What holds for a whole Photon-ML job: metrics, grid, outputs, options of every coordinate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gdmix.compat import photon_values as values
from gdmix.compat.photon_columns import Names
from gdmix.compat.photon_coordinate import Translated
from gdmix.compat.photon_values import Given
from gdmix.compat.report import Report

BINARY = ("logistic", "smoothed_hinge")
EVALUATORS = {
    "logistic": "AUC",
    "linear": "RMSE",
    "poisson": "POISSON_LOSS",
    "smoothed_hinge": "AUC",
}
"""What chooses models where no evaluator is named."""


def tolerated(
    task: str, plain: Mapping[str, Any], validation: str | None, report: Report
) -> dict[str, Any]:
    """Return what of a row need not be as ours asks, because Photon-ML does not ask for it."""
    level = validation or "VALIDATE_DISABLED"
    level = values.one_of("--data-validation", level, values.VALIDATIONS)
    found: dict[str, Any] = {}
    if "weight" in plain or "offset" in plain:
        found["null_defaults"] = True
        report.note("a null weight is 1 and a null offset 0, as there (`null_defaults`)")
    if task in BINARY and level == "VALIDATE_DISABLED":
        found["positive_above"] = 0.5
        report.note("labels above 0.5 are positive, as there (`positive_above`)")
    if validation is not None:
        report.maps(f"--data-validation {validation}", "always all rows")
    report.note("every value of every row is checked in any case; a weight of 0 is allowed")
    return found


def common(given: Given, coordinates: list[dict[str, Any]], report: Report) -> None:
    """Give every coordinate what holds for all of them."""
    for name, ours, read in _FOR_ALL:
        text = values.one(given, name)
        if text is None:
            continue
        value = read(f"--{name}", text)
        for options in coordinates:
            if ours != "ignore_lower_bound_for_new" or "active_lower_bound" in options:
                options[ours] = value
        report.maps(f"--{name} {text}", f"{ours}: {str(value).lower()}")
    if "model-sparsity-threshold" not in given:
        report.note(
            "coefficients below 1e-4 are kept; Photon-ML drops them as it saves "
            "(`sparsity_threshold: 1.0e-4` does so after every update)"
        )


def _variance(where: str, text: str) -> str:
    return values.VARIANCES[values.one_of(where, text, values.VARIANCES)]


def _computed(where: str, text: str) -> str:
    return "simple" if values.boolean(where, text) else "none"


def _normalization(where: str, text: str) -> str:
    return values.NORMALIZATIONS[values.one_of(where, text, values.NORMALIZATIONS)]


def _threshold(where: str, text: str) -> float:
    return values.number(where, text, 0.0)


_FOR_ALL: tuple[tuple[str, str, Callable[[str, str], object]], ...] = (
    ("normalization", "normalization", _normalization),
    ("compute-variance", "variance", _computed),
    ("variance-computation-type", "variance", _variance),
    ("model-sparsity-threshold", "sparsity_threshold", _threshold),
    ("ignore-threshold-for-new-models", "ignore_lower_bound_for_new", values.boolean),
)


def grid(coordinates: list[Translated], plain: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Return the grid of penalties; without validation data, set the point trained last."""
    grid = {key: weights for item in coordinates for key, weights in item.grid.items()}
    if not grid or plain.get("validation"):
        return {"grid": grid} if grid else {}
    for item in coordinates:
        for key, weights in item.grid.items():
            option = key.removeprefix(f"{item.name}.")
            if option == "elastic_net.weight":
                item.options["elastic_net"]["weight"] = weights[-1]
            else:
                item.options[option] = weights[-1]
    report.note(
        "without validation data Photon-ML takes the model trained last, that of the smallest "
        "weights: it is the only one here"
    )
    return {}


def metrics(given: Given, task: str, names: Names, *, validation: bool) -> dict[str, Any]:
    """Return the metrics of validation data; the first one chooses models.

    Raises
    ------
    ConfigError
        There is no such evaluator, or no column of its groups.
    """
    text = values.one(given, "evaluators")
    found = []
    for name in values.words("--evaluators", text or EVALUATORS[task]):
        metric, tag = values.evaluator("--evaluators", name)
        column = names.tag("--evaluators", tag) if tag else ""
        found.append(f"{metric}:{column}" if tag else metric)
    if text is not None:
        names.report.maps(f"--evaluators {text}", f"metrics: {', '.join(found)}")
    names.report.note(
        "losses are means of a row, where Photon-ML prints sums; AUPR is average precision, "
        "where it joins points of the curve"
    )
    if not validation:
        return {}
    names.report.note(
        "the model is taken after the update that validated best, as there (`keep_best`)"
    )
    return {"metrics": found, "keep_best": True}


def outputs(given: Given, plain: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Return what is written.

    Raises
    ------
    ConfigError
        A value is wrong.
    """
    found: dict[str, Any] = {}
    mode = values.one_of(
        "--output-mode", values.one(given, "output-mode") or "BEST", values.OUTPUT_MODES
    )
    found["output_mode"] = "best" if mode == "TUNED" else mode.lower()
    if "output-mode" in given:
        report.maps(f"--output-mode {mode}", f"output_mode: {found['output_mode']}")
    if mode == "TUNED":
        report.note("without a tuner there are no tuned models: the best one alone is written")
    if "data-summary-directory" in given:
        found["statistics"] = True
        report.maps("--data-summary-directory", "statistics: true")
        report.note(
            "statistics are in model/features/ of the run; `gdmix summarize -o` writes "
            "them anywhere"
        )
    flag = "save-per-group-evaluation-result"
    if flag in given and values.boolean(f"--{flag}", given[flag][0]):
        if any(":" in metric for metric in plain.get("metrics", ())):
            found["save_group_metrics"] = True
            report.maps(f"--{flag} true", "save_group_metrics: true")
        else:
            report.ignores(f"--{flag}", "no evaluator has groups, or there is no validation data")
    return found
