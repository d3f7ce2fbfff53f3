"""Column roles: which columns of a table the model reads, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gdmix.options import INVALID, Options

Kind = Literal["auto", "numeric", "categorical"]


class Feature(Options):
    """One column used as features; in YAML a bare column name is enough.

    What a column becomes follows from its type: a number is one feature; a string, boolean or
    dictionary is one-hot; a list of strings is multi-hot; a list of numbers of one length is a
    dense block; a struct (or a pair of columns ``x_indices``, ``x_values``) is sparse; a list of
    name-term-value structs is taken as it is. A null is a feature that is absent.
    """

    positional: ClassVar[tuple[str, ...]] = ("column",)

    column: str = Field(min_length=1, description="Name of the column.")
    kind: Kind = Field(
        default="auto",
        description="`categorical` makes integer codes one-hot; `numeric` parses strings.",
    )
    scale: float = Field(
        default=1.0, allow_inf_nan=False, description="Factor by which values are multiplied."
    )
    separator: str | None = Field(
        default=None, min_length=1, description="Splits a string column into a list (multi-hot)."
    )

    names: str | None = Field(
        default=None,
        min_length=1,
        description="File with a line `name,term` for each index of a sparse or dense column, as "
        "GDMix's feature lists.",
    )
    only: str | None = Field(
        default=None,
        min_length=1,
        description="File or folder of the features to read, a `name,term` or `name<tab>term` a "
        "line; all others are left out.",
    )

    @model_serializer(mode="wrap")
    def _shortest(self, handler: SerializerFunctionWrapHandler) -> str | dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return self.column if self == Feature(column=self.column) else values


def _feature(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _features(value: object) -> object:
    return [value] if isinstance(value, (str, dict, Feature)) else value


FeatureColumn = Annotated[Feature, BeforeValidator(_feature)]
FeatureList = Annotated[tuple[FeatureColumn, ...], BeforeValidator(_features)]


class Columns(Options):
    """Columns that are not features."""

    label: str | None = Field(
        default=None, description="Response column; needed to train and to evaluate."
    )
    uid: str | None = Field(
        default=None, description="Sample id, copied to the scores; row numbers when absent."
    )
    weight: str | None = Field(default=None, description="Sample weight column (default 1).")
    offset: str | None = Field(
        default=None, description="Column with a score to start from (default 0)."
    )
    null_defaults: bool = Field(
        default=False,
        description="Whether a null weight is 1 and a null offset is 0, as in Photon-ML; either "
        "is an error otherwise.",
    )
    positive_above: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Labels above this are 1 and all others 0, for tasks of labels 0 and 1; "
        "Photon-ML takes 0.5.",
    )
    unique_uid: bool = Field(default=False, description="Refuse data in which a uid repeats.")

    def roles(self) -> dict[str, str]:
        """Return role to column name, for the roles that are given."""
        names: dict[str, Any] = {
            role: getattr(self, role) for role in ("label", "uid", "weight", "offset")
        }
        return {role: name for role, name in names.items() if name is not None}


def _path(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _paths(value: object) -> object:
    items = [value] if isinstance(value, str | Path) else value
    if not isinstance(items, list | tuple):
        return items
    return tuple(_path(item) for item in items)


Paths = Annotated[tuple[str, ...], BeforeValidator(_paths)]
OnePath = Annotated[str, BeforeValidator(_path)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_more)]


class Lists(Options):
    """TFRecords whose records are lists, as DeText's for ranking: each becomes several rows."""

    length: str = Field(
        min_length=1, description="Column of which a record has a value for each row: the label."
    )
    each: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="Columns with so many values for each row: 1 of a text."
    )
    once: Names = Field(
        default=(), description="Columns with one value for all rows: of the query, the weight."
    )
    sparse: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={},
        description="Sparse features and how many there are, kept as `x_indices0` (the row in the "
        "list), `x_indices1` (the feature) and `x_values`.",
    )
    group: str = Field(
        default="list", min_length=1, description="What to call the column that tells lists apart."
    )

    @model_validator(mode="after")
    def _require_one_of_each(self) -> Self:
        names = [self.length, *self.each, *self.once, *self.sparse, self.group]
        for name in names:
            if names.count(name) > 1:
                problem = f"found {name!r} in two places; expected each column in one"
                raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self


class Join(Options):
    """Columns of other files, taken to the rows by a key: 7 and "7" are one."""

    train: Paths = Field(min_length=1, description="Files for the training rows.")
    validation: Paths = Field(
        default=(), description="Files for the validation rows; those of `train` by default."
    )
    key: str = Field(default="uid", min_length=1, description="Column that names a row in both.")
    columns: Names = Field(
        default=(),
        description="Columns to take from here even where the rows have them; without any, "
        "those that the rows lack.",
    )
    allow: Annotated[
        tuple[Literal["missing", "duplicate", "extra"], ...], BeforeValidator(_one_or_more)
    ] = Field(
        default=(),
        description="What is no error: rows without a match (their columns are null), keys that "
        "repeat (the last counts), keys that belong to no row.",
    )
    metadata: OnePath | None = Field(
        default=None, description="Tensor metadata of these files, as `metadata` of the run."
    )


class Spark(Options):
    """How a run uses Spark."""

    master: str | None = Field(
        default=None,
        min_length=1,
        description="`spark://host:7077`, `yarn`, `k8s://...` or `local[2]`; without one, that of "
        "`spark-submit`, or `local[*]`.",
    )
    partitions: int | None = Field(
        default=None,
        ge=1,
        description="Parts that the rows are cut into; by default as Spark reads them.",
    )
    config: dict[str, str] = Field(
        default={}, description="Spark's own settings, as `spark.executor.memory: 4g`."
    )
