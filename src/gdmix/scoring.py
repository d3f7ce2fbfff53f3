"""Score new data with a model, batch by batch: bounded memory, unseen things counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.classes.options import shard_of
from gdmix.classes.scores import answers, named
from gdmix.config import ModelOptions
from gdmix.data.dataset import Dataset
from gdmix.data.reading import read_stream
from gdmix.data.source import Source
from gdmix.engine import Column, Engine, Rows
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed

Floats = NDArray[np.float64]


@dataclass
class Unseen:
    """What scoring met that the model does not know; such things score 0.

    Attributes
    ----------
    rows : int
        Rows scored.
    entities : Counter
        Rows by coordinate whose entity has no model.
    features : Counter
        Feature values by shard that the index does not hold.
    """

    rows: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)


def score_source(
    engine: Engine, options: ModelOptions, model: Mixed, source: Source, unseen: Unseen
) -> Iterator[pa.Table]:
    """Yield tables of scores in the order of the rows; `unseen` is counted up.

    The label and weight are copied to the scores where the data has them; a label may be null.
    """
    # scoring needs none of these
    options = without_absent(options, source, ("label", "weight", "uid"))
    first = 0
    label = options.label is not None
    for rows in read_stream(source, options.layout(), model.indexes, label=label):
        yield score_rows(engine, options, model, rows, unseen, first)
        first += rows.rows


def without_absent(options: ModelOptions, source: Source, roles: Sequence[str]) -> ModelOptions:
    """Return options that do not ask for those of the roles that the data has no column for."""
    absent = {
        role: None
        for role in roles
        if getattr(options, role) is None or not source.has(getattr(options, role))
    }
    return options.model_copy(update=absent)


def score_rows(
    engine: Engine,
    options: ModelOptions,
    model: Mixed,
    rows: Dataset,
    unseen: Unseen,
    first_row: int = 0,
) -> pa.Table:
    """Return the table of scores of one data set."""
    if options.kind.several:
        unseen.rows += rows.rows
        unseen.features.update(rows.unseen)
        names, score = class_names(options, model), total_scores(engine, options, model, rows)
        columns = answers(options.kind, names, score)
        return _table(options, rows, columns, named(names, rows.label), first_row)
    own = model.scores(engine, rows)
    unseen.rows += rows.rows
    unseen.features.update(rows.unseen)
    for name, part in model.parts.items():
        if isinstance(part, EntityModel):
            unseen.entities[name] += engine.strangers(rows, part.entity, part.table.ids)
    return scores_table(options, rows, own, first_row)


def scores_table(
    options: ModelOptions, rows: Dataset, own: Mapping[str, Floats], first_row: int = 0
) -> pa.Table:
    """Return uid, score, its mean under the link, each coordinate's score, and entity ids.

    A score includes the sample's offset. Without a uid column, uids are row numbers from 0.
    """
    total = rows.offset + sum(own.values())
    columns = {
        "score": total,
        options.kind.output: options.kind.mean(total),
        **{f"score_{name}": values for name, values in own.items()},
    }
    return _table(options, rows, columns, pa.array(rows.label, from_pandas=True), first_row)


def total_scores(engine: Engine, options: ModelOptions, model: Mixed, rows: Rows) -> Column:
    """Return the scores of rows: a number for each, or float64[rows, classes]."""
    if options.kind.several:
        (part,) = model.parts.values()
        assert isinstance(part, DeepModel)
        return np.asarray(part.scores(engine, rows))
    return engine.offset(rows) + sum(model.scores(engine, rows).values())


def class_names(options: ModelOptions, model: Mixed) -> pa.StringArray:
    """Return the names of the classes that a model of several knows."""
    (name,) = options.coordinates
    return model.indexes[shard_of(name)].terms


def _table(
    options: ModelOptions,
    rows: Dataset,
    scores: Mapping[str, Any],
    label: pa.Array,
    first_row: int,
) -> pa.Table:
    """Return a table of uid, scores, and what the rows bring along."""
    uid = rows.uid
    if uid is None:
        uid = pa.array(np.arange(first_row, first_row + rows.rows, dtype=np.int64))
    columns = {"uid": uid, **scores}
    if rows.has_label:
        columns["label"] = label
    if options.weight is not None:
        columns["weight"] = rows.weight
    for name, column in rows.entities.items():
        # a column that shares its name with a score keeps its ids under another
        key = f"entity_{name}" if name in columns else name
        columns[key] = column.ids.take(pa.array(column.codes))
    return pa.table(columns)
