"""The deep fixed effect: a network of texts, ids and numbers, as one block of the model."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.coordinates.base import Coordinate, Fit, Setting, Summary
from gdmix.deep.options import LossName, Network, Training
from gdmix.deep.target import Target
from gdmix.engine import Column, Engine, Rows
from gdmix.errors import MissingExtraError
from gdmix.glm.minimize import Record
from gdmix.glm.status import Status
from gdmix.models.deep import DeepModel, Inputs, examples_of
from gdmix.options import INVALID
from gdmix.schema import Feature, Kind

if TYPE_CHECKING:
    from gdmix.deep.observing import Progress


class DeepEffect(Coordinate):
    """A deep text and wide model for all samples, in the manner of DeText.

    Its score is that of the hidden layers, plus a linear tower of `features`. The data's offset and
    the scores of the coordinates before it are added to it while it learns.
    """

    network: Network = Field(description="What it reads, and its layers.")
    training: Training = Field(default=Training(), description="How it is trained.")
    loss: LossName = Field(
        default="pointwise",
        description="`pointwise`: the task's loss of each row. The others rank the rows of a "
        "`group` among each other.",
    )
    group: str | None = Field(
        default=None, min_length=1, description="Column of the id of rows that are ranked together."
    )
    task_column: str | None = Field(
        default=None,
        min_length=1,
        description="Column of tasks: each has a head of its own, on shared layers.",
    )
    task_weights: dict[str, float] = Field(
        default={}, description="Weights of the tasks' losses; all alike by default."
    )

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        problem = ""
        if self.loss != "pointwise" and self.group is None:
            problem = f"group: {self.loss} ranks the rows of a group; name the column of its id"
        elif self.loss == "pointwise" and self.group is not None:
            problem = "group: pointwise knows no groups; set `loss`, or remove this option"
        elif self.task_weights and self.task_column is None:
            problem = "task_weights: there are no tasks; set task_column, or remove this option"
        elif any(not weight > 0.0 for weight in self.task_weights.values()):
            problem = "task_weights: expected numbers above 0"
        if problem:
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self

    def columns(self) -> dict[str, tuple[Feature, ...]]:
        """Return what is read beside the features of the linear tower, by the name of a shard.

        ``dense`` is one shard; each column of ids or embedded features has its own.
        """
        found: dict[str, tuple[Feature, ...]] = {}
        if self.network.dense:
            found["dense"] = self.network.dense
        ids = [
            feature.model_copy(update={"kind": _id_kind(feature)}) for feature in self.network.ids
        ]
        for number, feature in enumerate([*ids, *self.network.embedded]):
            found[f"field-{number}"] = (feature,)
        return found

    def inputs(self, shard: str, name: str) -> Inputs:
        """Return where a network's inputs lie, given the shard of its tower and its name."""
        columns = self.columns()
        fields = {
            features[0].column: f"{name}.{key}"
            for key, features in columns.items()
            if key != "dense"
        }
        dense = f"{name}.dense" if "dense" in columns else None
        return Inputs(shard, dense, fields, self.network.texts, self.task_column)

    def fit(self, engine: Engine, rows: Rows, setting: Setting, offset: Column) -> Fit:
        """Train the network on top of `offset`; see `Coordinate.fit`.

        Raises
        ------
        MissingExtraError
            PyTorch is not installed.
        """
        watched = setting.held_out
        if watched is not None:
            watched = watched._replace(metric=partial(_first_score, watched.metric))
        part, summary = self.learn(engine, rows, setting._replace(held_out=watched), offset)
        own = part.score(engine, rows)
        loss = engine.weighted_loss(setting.loss, rows, offset + own)
        return Fit(part, own, loss, 0.0, summary)

    def learn(
        self, engine: Engine, rows: Rows, setting: Setting, offset: Column, outputs: int = 1
    ) -> tuple[DeepModel, Summary]:
        """Train the network on top of `offset`; returned as well is how that went.

        Parameters
        ----------
        engine, rows, setting, offset
            As for `fit`; but the metric of held-out rows takes scores float64[rows, outputs].
        outputs : int
            Scores of a row.

        Raises
        ------
        MissingExtraError
            PyTorch is not installed.
        """
        try:
            from gdmix.deep.threads import fitting_threads
            from gdmix.deep.training import fit
        except ImportError as error:
            raise MissingExtraError.needs("the deep effect", "deep") from error
        inputs = self.inputs(setting.shard, setting.name)
        data, others = engine.gathered(rows, offset)
        heads = None if self.task_column is None else data.entities[self.task_column].ids
        train = examples_of(data, inputs, others, heads, self.group)
        watched, apart = setting.held_out, None
        if self.training.evaluate_every is None:
            watched = None
        if watched is not None:
            known = engine.gathered(watched.rows, watched.offset)
            apart = examples_of(known[0], inputs, known[1], heads)
        start, curve = setting.start, _Curve(engine, float(train.weight.sum()))
        with fitting_threads(self.network, self.training.batch):
            trained = fit(
                self.network,
                self.training,
                self._target(setting, heads, outputs),
                train,
                apart,
                start=None if start is None else start.trained,
                folder=setting.workspace,
                metric=None if watched is None else watched.metric,
                larger_is_better=watched is None or watched.larger_is_better,
                observer=curve.hear,
            )
        part, steps = DeepModel(inputs, trained, heads), float(trained.summary["steps"])
        went = (1, part.parameters, {Status.TRAINED: 1}, steps, 0.0)
        return part, Summary(*went, trace=tuple(curve.records))

    def _target(self, setting: Setting, heads: pa.Array | None, outputs: int) -> Target:
        names = [] if heads is None else [str(head) for head in heads.to_pylist()]
        weights = tuple(self.task_weights.get(name, 1.0) for name in names)
        return Target(setting.task, self.loss, outputs, max(1, len(names)), weights)


class _Curve:
    """Hears how a training goes on: for whoever watches the run, and for its record."""

    def __init__(self, engine: Engine, weight: float) -> None:
        self._engine, self._weight = engine, weight
        self.records: list[Record] = []

    def hear(self, progress: Progress) -> None:
        """Keep the loss, as that of all rows, and tell how far it is."""
        loss = progress.loss * self._weight
        self.records.append(Record(progress.step, loss, math.nan, progress.step))
        note = f"step {progress.step:,} of {progress.steps:,}, loss {progress.loss:.4f}, "
        note += f"{progress.samples_per_second:,.0f} rows/s:"
        self._engine.tell(progress.step / progress.steps, note)


def _first_score(metric: Callable[[Column], float], scores: NDArray[np.float64]) -> float:
    return metric(scores[:, 0])


def _id_kind(feature: Feature) -> Kind:
    """Ids are one-hot, whole numbers too."""
    return "categorical" if feature.kind == "auto" else feature.kind
