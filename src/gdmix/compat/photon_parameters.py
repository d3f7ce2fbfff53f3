"""Every parameter of Photon-ML's drivers, and why some of them become nothing here."""

from __future__ import annotations

from typing import Literal, NamedTuple

Driver = Literal["training", "scoring", "indexing", "bags", "legacy"]

TRAINERS: tuple[Driver, ...] = ("training", "legacy")
"""The drivers that train a model."""


class Parameter(NamedTuple):
    """A parameter of a driver.

    Attributes
    ----------
    required : bool
    repeats : bool
        Whether it may be given more than once.
    ignored : str
        Why it has no meaning here; empty where it has one.
    lacking : str
        Why there is no counterpart; empty where there is one.
    """

    required: bool = False
    repeats: bool = False
    ignored: str = ""
    lacking: str = ""


_PLAIN = Parameter()
_NEEDED = Parameter(required=True)
_SPARK = Parameter(ignored="there is no Spark: all rows are in one process")
_INDEX = Parameter(
    lacking="features are numbered while the data is read, and PalDB maps are not: if the map "
    "was to leave features out, list those to keep (`only` of a feature; `gdmix features`)"
)
_NO_NAME = Parameter(ignored="a run is named by its folder")
_LOGS = Parameter(ignored="log.jsonl holds every update")
_TUNER = Parameter(lacking="there is no tuner yet: list values in reg.weights, which become a grid")

# older names of parameters, still in people's scripts
ALIASES = {
    "validation-evaluators": "evaluators",
    "partial-retrain-model-directory": "model-input-directory",
    "log-level": "logging-level",
}

_INPUT = {
    "input-data-directories": _NEEDED,
    "input-data-date-range": _PLAIN,
    "input-data-days-range": _PLAIN,
    "time-zone": _PLAIN,
    "application-name": _NO_NAME,
    "logging-level": _LOGS,
    "root-output-directory": _NEEDED,
    "override-output-directory": _PLAIN,
}
_GAME = _INPUT | {
    "off-heap-index-map-directory": _INDEX,
    "off-heap-index-map-partitions": _INDEX,
    "input-column-names": _PLAIN,
    "feature-bags-directory": _PLAIN,
    "feature-shard-configurations": Parameter(required=True, repeats=True),
    "model-input-directory": _PLAIN,
    "evaluators": _PLAIN,
    "output-files-limit": _SPARK,
    "data-validation": _PLAIN,
}
_TRAINING = _GAME | {
    "training-task": _NEEDED,
    "validation-data-directories": _PLAIN,
    "validation-data-date-range": _PLAIN,
    "validation-data-days-range": _PLAIN,
    "minimum-validation-partitions": _SPARK,
    "coordinate-configurations": Parameter(required=True, repeats=True),
    "coordinate-update-sequence": _NEEDED,
    "coordinate-descent-iterations": _NEEDED,
    "partial-retrain-locked-coordinates": _PLAIN,
    "normalization": _PLAIN,
    "data-summary-directory": _PLAIN,
    "tree-aggregate-depth": _SPARK,
    "output-mode": _PLAIN,
    "hyper-parameter-tuner": _TUNER,
    "hyper-parameter-tuning": _TUNER,
    "hyper-parameter-tuning-iterations": _TUNER,
    "hyper-parameter-tuning-iter": _TUNER,
    "hyper-parameter-tuning-range": _TUNER,
    "variance-computation-type": _PLAIN,
    "compute-variance": _PLAIN,
    "model-sparsity-threshold": _PLAIN,
    "incremental-training": _PLAIN,
    "ignore-threshold-for-new-models": _PLAIN,
    "save-per-group-evaluation-result": _PLAIN,
    "use-warm-start": Parameter(
        ignored="solvers at each point of a grid begin at the coefficients of the one before"
    ),
}
_SCORING = _GAME | {
    "feature-shard-configurations": Parameter(repeats=True),
    "model-input-directory": _NEEDED,
    "model-id": _NO_NAME,
    "log-data-and-model-stats": Parameter(ignored="`gdmix inspect` and `summarize` show them"),
    "spill-scores-to-disk": _SPARK,
}
_BAGS = _INPUT | {"feature-bags-keys": _NEEDED, "minimum-input-partitions": _SPARK}
_INDEXING = _INPUT | {
    "feature-shard-configurations": Parameter(required=True, repeats=True),
    "num-storage-partitions": _SPARK,
    "minimum-input-partitions": _SPARK,
}
_LEGACY = {
    "training-data-directory": _NEEDED,
    "validating-data-directory": _PLAIN,
    "output-directory": _NEEDED,
    "task": _NEEDED,
    "intercept": _PLAIN,
    "regularization-weights": _PLAIN,
    "regularization-type": _PLAIN,
    "elastic-net-alpha": _PLAIN,
    "num-iterations": _PLAIN,
    "convergence-tolerance": _PLAIN,
    "optimizer": _PLAIN,
    "format": _PLAIN,
    "input-file-format": _PLAIN,
    "normalization-type": _PLAIN,
    "coefficient-box-constraints": _PLAIN,
    "data-validation-type": _PLAIN,
    "selected-features-file": _PLAIN,
    "summarization-output-dir": _PLAIN,
    "delete-output-dirs-if-exist": _PLAIN,
    "validate-per-iteration": Parameter(
        ignored="metrics are those of every update; log.jsonl has the objective by iteration"
    ),
    "optimization-tracker": Parameter(ignored="always on: `trace` in log.jsonl"),
    "use-warm-start": _TRAINING["use-warm-start"],
    "diagnostic-mode": Parameter(ignored="report.html is always drawn, of other diagnostics"),
    "training-diagnostics": Parameter(ignored="report.html is always drawn"),
    "feature-dimension": Parameter(ignored="features are counted while the data is read"),
    "job-name": _NO_NAME,
    "kryo": _SPARK,
    "min-partitions": _SPARK,
    "tree-aggregate-depth": _SPARK,
    "offheap-indexmap-dir": _INDEX,
    "offheap-indexmap-num-partitions": _INDEX,
    "event-listeners": Parameter(lacking="Java classes; in Python, `MixedModel.fit(observers=)`"),
}

DRIVERS: dict[Driver, dict[str, Parameter]] = {
    "training": _TRAINING,
    "scoring": _SCORING,
    "indexing": _INDEXING,
    "bags": _BAGS,
    "legacy": _LEGACY,
}
