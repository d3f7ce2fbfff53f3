"""Whether rows can be trained on for a target; and what they weigh in its loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gdmix.deep.examples import Examples
from gdmix.deep.losses import GAINS, loss_of
from gdmix.deep.order import groups_of
from gdmix.deep.target import Target
from gdmix.errors import DataError

# 2^y - 1 is summed in single precision
_LARGEST_GRADE = 30.0
_BINARY = ("logistic", "smoothed_hinge", "multilabel")

Floats = NDArray[np.float64]


def require_trainable(target: Target, examples: Examples) -> None:
    """Refuse rows whose labels, groups or tasks the loss cannot take.

    Raises
    ------
    DataError
        The first of them is named, and what was expected.
    """
    label = examples.label
    shape = (examples.rows, target.outputs) if target.kind == "multilabel" else (examples.rows,)
    if label.shape != shape:
        raise DataError("label", f"found an array of {label.shape}", f"one of {shape}")
    for name, numbers in {
        "label": label,
        "weight": examples.weight,
        "offset": examples.offset,
    }.items():
        _require(name, numbers, np.isfinite(numbers), "finite numbers")
    _require("weight", examples.weight, examples.weight >= 0.0, "weights from 0")
    _require_labels(target, label)
    if target.loss != "pointwise" and examples.group is None:
        raise DataError(
            "group", f"{target.loss} ranks the rows of a group, and there is no such column"
        )
    if target.heads > 1:
        task = examples.task
        if task is None:
            raise DataError("task", f"there are {target.heads} heads, and no column tells which")
        _require("task", task, (task >= 0) & (task < target.heads), f"0 to {target.heads - 1}")


def _require_labels(target: Target, label: Floats) -> None:
    if target.loss in GAINS:
        largest = np.inf if target.loss == "listwise" else _LARGEST_GRADE
        expected = "labels from 0" + ("" if largest == np.inf else f" to {largest:g}")
        _require("label", label, (label >= 0.0) & (label <= largest), expected)
    elif target.loss == "pairwise":
        return
    elif target.kind in _BINARY:
        _require("label", label, (label == 0.0) | (label == 1.0), "labels 0 and 1")
    elif target.kind == "poisson":
        _require("label", label, label >= 0.0, "counts from 0")
    elif target.kind == "multiclass":
        is_class = (label >= 0.0) & (label < target.outputs) & (label == np.floor(label))
        _require("label", label, is_class, f"whole numbers from 0 to {target.outputs - 1}")


def _require(
    column: str, numbers: NDArray[np.generic], right: NDArray[np.bool_], expected: str
) -> None:
    if not right.all():
        place = tuple(int(part) for part in np.argwhere(~right)[0])
        raise DataError(f"row {place[0]}, column {column!r}", f"found {numbers[place]}", expected)


def weight_of(target: Target, examples: Examples) -> float:
    """Return the weight of all rows, or groups, in the loss of `target`.

    It is what the weights of an epoch's batches add up to, whatever the scores.
    """
    rows, pointers = np.arange(examples.rows), None
    if target.loss != "pointwise":
        units = groups_of(examples)
        rows, pointers = units.rows, torch.from_numpy(units.pointers)
    head = None if examples.task is None else torch.from_numpy(examples.task[rows].astype(np.int64))
    label, weight = (torch.from_numpy(part[rows]) for part in (examples.label, examples.weight))
    return float(loss_of(target).weigh(label, weight, pointers, head))
