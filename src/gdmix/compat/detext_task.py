"""DeText's tasks, losses and metrics, as ours; and how its records hold lists of documents."""

from __future__ import annotations

from typing import Any, NamedTuple

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.report import Report
from gdmix.errors import ConfigError
from gdmix.metrics.metric import METRICS

GROUP = "list"
"""What the column is called that tells the lists apart."""

_TASKS = {
    "binary_classification": "logistic",
    "classification": "multiclass",
    "multiclass_classification": "multiclass",
}
_LOSSES = {
    "pairwise": "pairwise",
    "softmax": "listwise",
    "pointwise": "pointwise",
    "softmax_loss": "listwise",
    "pairwise_logistic_loss": "pairwise",
}
_RANKING = ("ndcg", "mrr", "precision")
_PLAIN = ("auc", "accuracy", "recall", "confusion_matrix")
_CUT = "10"


class Aim(NamedTuple):
    """What is learnt.

    Attributes
    ----------
    task : str
    loss : str
    metrics : list of str
        The first one chooses the weights.
    lists : dict of str to Any, or None
        What the records hold that are lists.
    """

    task: str
    loss: str
    metrics: list[str]
    lists: dict[str, Any] | None


def aim_of(given: DetextArguments, path: str, report: Report) -> Aim:
    """Return task, loss and metrics; `path` is where the arguments stand, for messages.

    Raises
    ------
    ConfigError
        A metric is unknown, no label is named, or labels are of a form that is not read.
    """
    if given.label_column_name is None:
        raise ConfigError(f"{path}label_column_name", "required argument is missing")
    if given.task_type == "multilabel_classification":
        raise ConfigError(
            f"{path}task_type",
            f"found {given.task_type!r}, whose records have a 0 or 1 for every class",
            "lists of the classes that a row has",
            "write the data so, and a YAML file with `task: multilabel`",
        )
    is_ranking = given.task_type == "ranking"
    bases = {name.partition("@")[0] for name in (given.pmetric, *given.all_metrics)}
    loss, task = "pointwise", _TASKS.get(given.task_type, "linear")
    if is_ranking:
        loss = _LOSSES[given.tfr_loss_fn if given.use_tfr_loss else given.ltr_loss_fn]
        # grades are labels of any number; what counts the relevant ones takes two classes
        if loss == "pointwise" or bases - {"ndcg"}:
            task = "logistic"
    _tell(given, path, task, loss, report)
    metrics = _metrics(given, path, task, report)
    return Aim(task, loss, metrics, lists_of(given))


def _tell(given: DetextArguments, path: str, task: str, loss: str, report: Report) -> None:
    named = given.model_fields_set
    if "task_type" in named:
        report.maps(f"{path}task_type", f"task: {task}")
    chosen = ("use_tfr_loss", "tfr_loss_fn") if given.use_tfr_loss else ("ltr_loss_fn",)
    for name in ("ltr_loss_fn", "use_tfr_loss", "tfr_loss_fn"):
        if name not in named:
            continue
        if given.task_type == "ranking" and name in chosen:
            report.maps(f"{path}{name}", f"loss: {loss}")
        else:
            why = "another loss is chosen"
            if given.task_type != "ranking":
                why = f"{given.task_type} has a loss of its own"
            report.ignores(f"{path}{name}", why)
    if "num_classes" in named:
        report.ignores(f"{path}num_classes", "classes are those of the training data")
    if given.task_type == "ranking" and task == "linear":
        report.note("task linear takes grades as labels; a score has no unit, as DeText's has none")


def _metrics(given: DetextArguments, path: str, task: str, report: Report) -> list[str]:
    """Return the metrics of ours, pmetric's first."""
    found: dict[str, None] = {}
    known = METRICS if task in ("logistic", "linear") else {}
    options = [("pmetric", given.pmetric), *(("all_metrics", name) for name in given.all_metrics)]
    for option, name in options:
        base, _, cut = name.partition("@")
        if base not in (*_RANKING, *_PLAIN):
            expected = ", ".join(("ndcg@k", "mrr@k", "precision@k", *_PLAIN))
            raise ConfigError(f"{path}{option}", f"found {name!r}", f"one of {expected}")
        if base == "confusion_matrix" or (known and task not in _tasks_of(base)):
            why = f"no metric of task {task}"
            report.ignores(f"{path}{option}: {name}", why)
            report.note(f"{name} is not measured: {why}")
            continue
        ours = base
        if given.task_type == "ranking" and base in _RANKING:
            ours = f"{base}@{cut or _CUT}:{GROUP}"
        found[ours] = None
        report.maps(f"{path}{option}: {name}", f"metrics: {ours}")
    return list(found)


def _tasks_of(metric: str) -> tuple[str, ...]:
    return tuple(METRICS[metric].tasks) if metric in METRICS else ()


def lists_of(given: DetextArguments) -> dict[str, Any] | None:
    """Return which columns a record of a query has for each document, and which once.

    Only records for ranking are lists; of all others nothing is returned.
    """
    if given.task_type != "ranking":
        return None
    each = dict.fromkeys((*given.doc_text_column_names, *given.doc_id_column_names), 1)
    each |= dict(zip(given.dense_ftrs_column_names, given.nums_dense_ftrs, strict=True))
    once = (
        given.query_column_name,
        *given.user_text_column_names,
        *given.user_id_column_names,
        given.weight_column_name,
        given.uid_column_name,
        given.task_id_column_name,
    )
    names = (*given.sparse_ftrs_column_names, *given.shallow_tower_sparse_ftrs_column_names)
    sizes = (*given.nums_sparse_ftrs, *given.nums_shallow_tower_sparse_ftrs)
    found: dict[str, Any] = {"length": given.label_column_name}
    found["each"] = each
    found["once"] = [name for name in dict.fromkeys(once) if name is not None]
    found["sparse"] = dict(zip(names, sizes, strict=True))
    found["group"] = GROUP
    return {name: value for name, value in found.items() if value}
