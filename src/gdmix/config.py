"""The tree of options: what a model is, and what a training run reads and writes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    FiniteFloat,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gdmix.classes.options import classes_in
from gdmix.classes.options import fault_of as fault_of_classes
from gdmix.coordinates import Coordinate, DeepEffect, ExternalEffect, FixedEffect, RandomEffect
from gdmix.data.days import EXPECTED, parse_days
from gdmix.data.layout import Layout
from gdmix.errors import ConfigError, did_you_mean
from gdmix.grid import Point, fault_of, points_of
from gdmix.metrics import Evaluator
from gdmix.models.representation import SUFFIX
from gdmix.options import INVALID, VARIANT, override, read_yaml
from gdmix.schema import Columns, Feature, FeatureList, Join, Lists, Names, OnePath, Paths, Spark
from gdmix.tasks import TASKS, Task, TaskName

_FIXED, _RANDOM, _EXTERNAL, _DEEP = (
    f"{VARIANT}{kind}" for kind in ("fixed", "random", "external", "deep")
)


def _which(value: object) -> str:
    """Tell a random effect by its entity, given scores by their column, a network by itself."""
    for name, kind, tag in (
        ("entity", RandomEffect, _RANDOM),
        ("score", ExternalEffect, _EXTERNAL),
        ("network", DeepEffect, _DEEP),
    ):
        if name in value if isinstance(value, Mapping) else isinstance(value, kind):
            return tag
    return _FIXED


AnyCoordinate = Annotated[
    Annotated[FixedEffect, Tag(_FIXED)]
    | Annotated[RandomEffect, Tag(_RANDOM)]
    | Annotated[ExternalEffect, Tag(_EXTERNAL)]
    | Annotated[DeepEffect, Tag(_DEEP)],
    Discriminator(_which),
]
# coordinates name folders of the model directory
CoordinateName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


def _invalid(option: str, problem: str) -> PydanticCustomError:
    # pydantic fills in what stands in braces
    return PydanticCustomError(INVALID, "{text}", {"text": f"{option}: {problem}"})


def _absent_is_empty(value: object) -> object:
    """``global:`` with nothing below it is a coordinate with all defaults."""
    if isinstance(value, Mapping):
        return {name: {} if item is None else item for name, item in value.items()}
    return value


def _days(text: str) -> str:
    try:
        parse_days(text, "")
    except ConfigError:
        raise PydanticCustomError("gdmix_days", "{text}", {"text": EXPECTED}) from None
    return text


DaysText = Annotated[str, AfterValidator(_days)]


class ModelOptions(Columns):
    """Everything that defines a model; `MixedModel` takes these as arguments."""

    task: TaskName = Field(
        default="logistic",
        description="Loss and link. `multiclass` and `multilabel` are for one deep effect alone.",
    )
    label_separator: str | None = Field(
        default=None,
        min_length=1,
        description="`multilabel`: what stands between the names in labels that are text, as in "
        "`a|b`; lists need none.",
    )
    coordinates: Annotated[
        dict[CoordinateName, AnyCoordinate], BeforeValidator(_absent_is_empty)
    ] = Field(
        min_length=1,
        description="The model's blocks in the order they are updated; one with `entity` is a "
        "random effect.",
    )
    bags: dict[str, FeatureList] = Field(
        default={}, description="Named lists of columns that coordinates may use as features."
    )
    sweeps: int = Field(default=1, ge=1, description="Most passes over the coordinates.")
    sweep_tolerance: float = Field(
        default=1e-6,
        ge=0.0,
        description="Stop after a sweep that changes the objective by less than this, relatively.",
    )
    metrics: Names = Field(
        default=(),
        description="Evaluated on validation data, the first one choosing models; by default the "
        "task's own. `ndcg@10:query_id` is the mean over the groups of an id column.",
    )
    grid: dict[str, tuple[FiniteFloat, ...]] = Field(
        default={},
        description="Values to try of numeric options of coordinates, as `global.l2: [10, 1]`: "
        "every combination is trained, and the first metric chooses.",
    )
    keep_best: bool = Field(
        default=False,
        description="Whether a model is taken after the update, once every coordinate was "
        "updated, where the first metric was best, not after the last.",
    )
    statistics: bool = Field(
        default=False,
        description="Whether statistics of every feature are saved with the model; those that "
        "`normalization` takes are saved in any case.",
    )

    initial_model: OnePath | None = Field(
        default=None,
        description="Model or run directory to begin from: coordinates of the same names start "
        "there, and what no row speaks of stays.",
    )
    locked: Names = Field(
        default=(),
        description="Coordinates of the initial model that are scored as they are, not trained.",
    )
    incremental: bool = Field(
        default=False,
        description="Whether the initial model's means and variances are the prior, in place of "
        "the L2 penalty.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_locked()
        self._check_labels()
        self._check_classes()
        self._check_metrics()
        self._check_bags()
        for name, coordinate in self.coordinates.items():
            self._check_columns(name, coordinate)
        self._check_grid()
        return self

    def _check_locked(self) -> None:
        for name in self.locked:
            if name not in self.coordinates:
                hint = did_you_mean(name, self.coordinates)
                raise _invalid("locked", f"no coordinate {name!r}; {hint}")
        if len(set(self.locked)) == len(self.coordinates):
            raise _invalid("locked", "every coordinate is locked: nothing to train")

    def _check_labels(self) -> None:
        if self.positive_above is not None and self.kind.labels != "binary":
            problem = f"found {self.positive_above:g}, though task {self.task!r} takes labels as "
            raise _invalid("positive_above", problem + "they are; remove this option")

    def _check_classes(self) -> None:
        if self.kind.several:
            fault = fault_of_classes(self.task, self, self.coordinates, self.sweeps)
            if fault is not None:
                raise _invalid(*fault)
        if self.label_separator is not None and self.task != "multilabel":
            problem = f"found {self.label_separator!r}, though task {self.task!r} has one label a "
            raise _invalid("label_separator", problem + "row; remove this option")

    def _check_metrics(self) -> None:
        for evaluator in self.evaluators:
            if evaluator.column is not None and evaluator.column == self.label:
                problem = f"{evaluator.column!r} is the label; expected the column of an id"
                raise _invalid("metrics", problem)

    def _check_bags(self) -> None:
        for bag, features in self.bags.items():
            for feature in features:
                if feature.column in self.bags:
                    problem = f"holds the bag {feature.column!r}; expected columns"
                    raise _invalid(f"bags.{bag}", problem)

    def _check_columns(self, name: str, coordinate: Coordinate) -> None:
        where = f"coordinates.{name}.features"
        for feature in coordinate.features:
            if feature.column in self.bags and feature != Feature(column=feature.column):
                problem = f"{feature.column!r} is a bag; expected its name alone"
                raise _invalid(where, f"{problem}; give kind, scale and separator in the bag")
        self._check_representations(name, coordinate)
        seen: set[tuple[str, str]] = set()
        for feature in self.features_of(name):
            if feature.column == self.label:
                raise _invalid(where, f"{feature.column!r} is the label; remove it")
            if (feature.column, feature.kind) in seen:
                raise _invalid(where, f"column {feature.column!r} is there twice; remove one")
            seen.add((feature.column, feature.kind))
        if isinstance(coordinate, RandomEffect) and coordinate.entity == self.label:
            problem = f"{coordinate.entity!r} is the label; expected the column of an id"
            raise _invalid(f"coordinates.{name}.entity", problem)

    def _check_representations(self, name: str, coordinate: Coordinate) -> None:
        """Hold what a network makes of rows to coordinates that come after it."""
        where, before = f"coordinates.{name}.features", list(self.coordinates)
        for feature in self.features_of(name):
            source = feature.column.removesuffix(SUFFIX)
            if not self._is_representation(feature):
                continue
            problem = ""
            if before.index(source) >= before.index(name):
                problem = f"{source!r} is trained after it; put it first"
            elif source not in self.representations():
                problem = f"{source!r} has no hidden layers; give its network `hidden` sizes"
            elif isinstance(coordinate, DeepEffect):
                problem = "a network reads no other; remove it"
            elif getattr(coordinate, "normalization", "none") != "none":
                problem = "it is known too late for `normalization`; remove one of the two"
            elif feature != Feature(column=feature.column):
                problem = "it is taken as it is; give its name alone"
            if problem:
                raise _invalid(where, f"{feature.column!r}: {problem}")

    def _check_grid(self) -> None:
        if problem := fault_of(self.grid, self.coordinates):
            raise _invalid("grid", problem)
        for key in self.grid:
            name = key.partition(".")[0]
            if name in self.locked:
                problem = f"{key}: {name!r} is locked and nothing of it varies; unlock it, or"
                raise _invalid("grid", f"{problem} remove this option")
        for point in points_of(self.grid) if self.grid else ():
            try:
                self._at(point)
            except ConfigError as error:
                raise _invalid("grid", str(error)) from None

    def at_points(self) -> list[tuple[Point, ModelOptions]]:
        """Return the points of the grid, from the largest values down, and the options there."""
        return [(point, self._at(point)) for point in points_of(self.grid)]

    def _at(self, point: Point) -> ModelOptions:
        plain = {name: item for name, item in self.plain().items() if name in _MODEL_FIELDS}
        plain.pop("grid", None)
        for key, value in point.items():
            *parents, option = key.split(".")
            place = plain["coordinates"]
            for parent in parents:
                place = place.setdefault(parent, {})
            place[option] = value
        return ModelOptions.parse(plain)

    @property
    def kind(self) -> Task:
        """The task's loss, labels, link and metrics."""
        return TASKS[self.task]

    @property
    def evaluators(self) -> tuple[Evaluator, ...]:
        """The metrics that are asked for, or the task's own; the first one chooses models."""
        return self.kind.evaluators(self.metrics)

    def features_of(self, name: str) -> tuple[Feature, ...]:
        """Return the columns a coordinate reads, bags written out."""
        return self._written_out(self.coordinates[name].features)

    def _written_out(self, features: FeatureList) -> tuple[Feature, ...]:
        found: list[Feature] = []
        for item in features:
            found += self.bags.get(item.column, (item,))
        return tuple(dict.fromkeys(found))

    def shards(self) -> dict[str, str]:
        """Return the shard of every coordinate; equal features share one, named by the first."""
        first: dict[tuple[Feature, ...], str] = {}
        return {name: first.setdefault(self.features_of(name), name) for name in self.coordinates}

    def layout(self) -> Layout:
        """Return what to read from a table to score it."""
        shards = {
            shard: tuple(f for f in self.features_of(shard) if not self._is_representation(f))
            for shard in self.shards().values()
        }
        options: dict[Feature, str] = {}
        entities: dict[str, str] = {}
        texts: dict[str, str] = {}
        for name, coordinate in self.coordinates.items():
            for feature in self.features_of(name):
                options.setdefault(feature, f"coordinates.{name}.features")
            if isinstance(coordinate, RandomEffect):
                entities.setdefault(coordinate.entity, f"coordinates.{name}.entity")
            if isinstance(coordinate, DeepEffect):
                network = f"coordinates.{name}.network"
                for key, features in coordinate.columns().items():
                    shards[f"{name}.{key}"] = self._written_out(features)
                    for feature in shards[f"{name}.{key}"]:
                        options.setdefault(feature, network)
                for column in coordinate.network.texts:
                    texts.setdefault(column, network)
                if coordinate.task_column is not None:
                    where = f"coordinates.{name}.task_column"
                    entities.setdefault(coordinate.task_column, where)
        columns: Columns = self
        classes = None
        if self.kind.several and self.label is not None:
            (name,) = self.coordinates
            classes = classes_in(self.label, self.label_separator, name, self.task)
            shards[classes.shard] = (classes.feature,)
            options[classes.feature] = "label"
            columns = self.model_copy(update={"label": None})
        of = f"task {self.task!r}"
        labels = self.kind.labels
        return Layout(columns, entities, shards, options, labels, of, texts, classes)

    def representations(self) -> dict[str, int]:
        """Return the deep effects whose last hidden layer may be a feature, and its units."""
        return {
            name: coordinate.network.hidden[-1]
            for name, coordinate in self.coordinates.items()
            if isinstance(coordinate, DeepEffect) and coordinate.network.hidden
        }

    def _is_representation(self, feature: Feature) -> bool:
        source = feature.column.removesuffix(SUFFIX)
        return source != feature.column and isinstance(self.coordinates.get(source), DeepEffect)

    def training_layout(self) -> Layout:
        """Return what to read from a table to train on it: the groups that are ranked too."""
        layout = self.layout()
        entities = dict(layout.entities)
        for name, coordinate in self.coordinates.items():
            if isinstance(coordinate, DeepEffect) and coordinate.group is not None:
                entities.setdefault(coordinate.group, f"coordinates.{name}.group")
        return replace(layout, entities=entities)

    def evaluation_layout(self) -> Layout:
        """Return what to read from a table to evaluate on it: the groups of metrics too."""
        layout = self.layout()
        entities = dict(layout.entities)
        for evaluator in self.evaluators:
            if evaluator.column is not None:
                entities.setdefault(evaluator.column, "metrics")
            if evaluator.metric.gains and layout.labels == "any":
                of = f"metric {evaluator.name!r}"
                layout = replace(layout, labels="counts", labels_of=of)
        return replace(layout, entities=entities)


_MODEL_FIELDS = ModelOptions.model_fields


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file as plain values.

    Raises
    ------
    ConfigError
        The file is missing, or is not YAML.
    """
    if not path.is_file():
        raise ConfigError(str(path), "no such file", hint="gdmix init DATA writes a first one")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read as UTF-8 text ({error})") from None
    return read_yaml(text, str(path))


class TrainOptions(ModelOptions):
    """A training run: a model, its data, and where the results go."""

    label: str = Field(description="Response column.")
    train: Paths = Field(min_length=1, description="Training data: files, globs or folders.")
    validation: Paths = Field(default=(), description="Validation data.")
    train_dates: DaysText | None = Field(
        default=None,
        description="Days to train on, as `20160101-20160131`, or `30-1` for days ago: `train` "
        "then names folders of daily folders `yyyy/MM/dd`. Days without files are passed over.",
    )
    validation_dates: DaysText | None = Field(
        default=None, description="Days to validate on, in the folders of `validation`."
    )
    joins: tuple[Join, ...] = Field(
        default=(), description="Other files whose columns are taken to the rows by a key."
    )
    metadata: OnePath | None = Field(
        default=None,
        description="GDMix's `tensor_metadata.json` of TFRecord data; one beside it is found.",
    )
    lists: Lists | None = Field(
        default=None, description="What TFRecords hold whose records are lists, as for ranking."
    )
    output: str = Field(min_length=1, description="Run directory to write.")
    threads: int | None = Field(
        default=None, ge=1, description="Threads that run kernels; all cores by default."
    )
    engine: Literal["local", "spark"] = Field(
        default="local", description="Where the rows lie: in this process, or on a Spark cluster."
    )
    spark: Spark = Field(default=Spark(), description="How `engine: spark` uses Spark.")
    output_mode: Literal["none", "best", "explicit", "all"] = Field(
        default="best",
        description="Models to write: none, only metrics; `best`; `explicit`, that of every point "
        "of the grid too, in `models/`; `all`, which is the same.",
    )
    save_group_metrics: bool = Field(
        default=False,
        description="Whether to write the values of grouped metrics, such as `auc:user_id`, on "
        "validation data: one file for each group column.",
    )
    report: bool = Field(default=True, description="Whether to write report.html.")

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.validation_dates is not None and not self.validation:
            raise _invalid("validation_dates", "there is no validation data; give `validation`")
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine == "local" and self.spark != Spark():
            raise _invalid("spark", "the engine is local; set `engine: spark`, or remove this")
        if self.engine == "spark" and self.joins:
            hint = "join with Spark first, or set `engine: local`"
            raise _invalid("joins", f"the Spark engine reads one table; {hint}")
        for name, coordinate in self.coordinates.items():
            if self.engine == "spark" and isinstance(coordinate, DeepEffect):
                problem = "a deep effect is trained by `engine: local`; give its scores to a run"
                raise _invalid(f"coordinates.{name}", f"{problem} on Spark as `score`")
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.save_group_metrics:
            if not any(evaluator.column for evaluator in self.evaluators):
                problem = "no metric is grouped; expected one such as 'auc:user_id' in metrics"
                raise _invalid("save_group_metrics", problem)
            if not self.validation:
                raise _invalid("save_group_metrics", "there is no validation data to measure on")
        return self

    @classmethod
    def from_file(cls, path: Path, overrides: tuple[str, ...] = ()) -> TrainOptions:
        """Read a YAML file; `overrides` are assignments such as ``coordinates.global.l2=3``.

        Raises
        ------
        ConfigError
            The file is missing, is not YAML, or an option is wrong.
        """
        return cls.from_values(read_config(path), str(path), overrides)

    @classmethod
    def from_values(
        cls, values: Mapping[str, Any], where: str, overrides: tuple[str, ...] = ()
    ) -> TrainOptions:
        """Validate plain values with overrides; `where` is what to call their place.

        Raises
        ------
        ConfigError
            An option is wrong, or an override is no assignment.
        """
        changed = copy.deepcopy(dict(values))
        for assignment in overrides:
            override(changed, assignment)
        return cls.parse(changed, where)

    def dated(self, today: date) -> TrainOptions:
        """Return these options with days ago as dates, which mean the same tomorrow."""
        given = {name: getattr(self, name) for name in ("train_dates", "validation_dates")}
        return self.model_copy(
            update={
                name: str(parse_days(text, name, today))
                for name, text in given.items()
                if text is not None
            }
        )

    def model_options(self) -> ModelOptions:
        """Return the part that defines the model."""
        return ModelOptions.model_construct(**{name: getattr(self, name) for name in _MODEL_FIELDS})
