"""Scores in the columns of GDMix and of Photon-ML, which write them as Avro records."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.config import ModelOptions
from gdmix.coordinates import RandomEffect
from gdmix.errors import DataError

_TEXT = pa.map_(pa.string(), pa.string())


class ScoreNames(NamedTuple):
    """What GDMix's columns are called; its configs may rename them."""

    uid: str = "uid"
    score: str = "predictionScore"
    own: str = "predictionScorePerCoordinate"
    label: str = "label"
    weight: str = "weight"


def gdmix_scores(
    scores: pa.Table,
    options: ModelOptions,
    coordinate: str | None = None,
    names: ScoreNames | None = None,
    *,
    texts: bool = False,
) -> pa.Table:
    """Return scores as GDMix has them: in single precision, the label as a whole number.

    Labels and weights that are not whole numbers are kept, which GDMix cuts off.

    Parameters
    ----------
    scores : pa.Table
        As `gdmix.scoring.scores_table` gives it.
    options : ModelOptions
    coordinate : str, optional
        The scores after the update of this one: those before it are its offset. Without one, the
        scores of the whole model on the sample's offset.
    names : ScoreNames, optional
    texts : bool
        Whether uids may be text, which GDMix does not know.

    Raises
    ------
    DataError
        A uid is no whole number.
    """
    names = names or ScoreNames()
    sequence = list(options.coordinates)
    upto = len(sequence) if coordinate is None else sequence.index(coordinate) + 1
    own = sequence[:upto] if coordinate is None else [coordinate]
    later = sequence[upto:]
    score = scores["score"].to_numpy() - _sum(scores, later)
    columns = {
        names.uid: _whole(scores["uid"], texts=texts),
        names.score: pa.array(score, pa.float32()),
    }
    if "label" in scores.column_names:
        kind = pa.float64() if options.task == "linear" else pa.int32()
        columns[names.label] = scores["label"].cast(kind)
    if "weight" in scores.column_names:
        columns[names.weight] = scores["weight"].cast(pa.float32(), safe=False)
    columns[names.own] = pa.array(_sum(scores, own), pa.float32())
    return pa.table(columns)


def gdmix_record(table: pa.Table, names: ScoreNames | None = None) -> dict[str, Any]:
    """Return the Avro schema of scores as `gdmix_scores` gives them."""
    label = (names or ScoreNames()).label
    kinds = {pa.int64(): "long", pa.int32(): "int", pa.float32(): "float", pa.float64(): "double"}
    kinds[pa.string()] = "string"
    fields: list[dict[str, Any]] = []
    for field in table.schema:
        kind = kinds[field.type]
        if field.name == label:
            fields.append({"name": label, "type": ["null", kind], "default": None})
        else:
            fields.append({"name": field.name, "type": kind})
    return {"name": "validation_result", "type": "record", "fields": fields}


def photon_scores(scores: pa.Table, options: ModelOptions, model_id: str = "") -> pa.Table:
    """Return scores as Photon-ML's ScoringResultAvro has them; ids of entities are its metadata."""
    rows = scores.num_rows
    entities = {
        coordinate.entity: f"entity_{coordinate.entity}"
        for coordinate in options.coordinates.values()
        if isinstance(coordinate, RandomEffect)
    }
    texts = {
        name.rpartition(".")[2]: scores[other if other in scores.column_names else name]
        .combine_chunks()
        .cast(pa.string())
        for name, other in entities.items()
    }
    columns: dict[str, Any] = {
        "uid": scores["uid"].cast(pa.string()),
        "label": pa.nulls(rows, pa.float64()),
        "modelId": pa.array([model_id] * rows, pa.string()),
        "predictionScore": scores["score"],
        "weight": pa.nulls(rows, pa.float64()),
        "metadataMap": _maps(texts, rows),
    }
    columns |= {name: scores[name] for name in ("label", "weight") if name in scores.column_names}
    return pa.table(columns)


def _nullable(kind: object) -> list[object]:
    return ["null", kind]


PHOTON_RECORD: dict[str, Any] = {
    "name": "ScoringResultAvro",
    "namespace": "com.linkedin.photon.avro.generated",
    "type": "record",
    "fields": [
        {"name": "uid", "type": _nullable("string"), "default": None},
        {"name": "label", "type": _nullable("double"), "default": None},
        {"name": "modelId", "type": "string"},
        {"name": "predictionScore", "type": "double"},
        {"name": "weight", "type": _nullable("double"), "default": None},
        {
            "name": "metadataMap",
            "type": _nullable({"type": "map", "values": "string"}),
            "default": None,
        },
    ],
}
"""The Avro schema of scores as `photon_scores` gives them."""


def _sum(scores: pa.Table, coordinates: list[str]) -> NDArray[np.float64]:
    total = np.zeros(scores.num_rows)
    for name in coordinates:
        total += scores[f"score_{name}"].to_numpy()
    return total


def _whole(uid: pa.ChunkedArray, *, texts: bool) -> pa.Array:
    try:
        return uid.combine_chunks().cast(pa.int64())
    except pa.ArrowInvalid as error:
        if texts:
            return uid.combine_chunks().cast(pa.string())
        problem = f"a uid is no whole number ({error})"
        hint = "write Parquet, or Photon-ML's records"
        raise DataError("column 'uid'", problem, "whole numbers, as GDMix has them", hint) from None


def _maps(texts: dict[str, pa.StringArray], rows: int) -> pa.Array:
    """Return a map of names to values for each row."""
    if not texts:
        return pa.nulls(rows, _TEXT)
    # row after row: the values of the first one, of the second one, ...
    every = pa.concat_arrays(list(texts.values()))
    order = np.arange(rows * len(texts)).reshape(len(texts), rows).T.ravel()
    keys = pa.array(list(texts), pa.string()).take(pa.array(np.tile(np.arange(len(texts)), rows)))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * np.int32(len(texts)))
    return pa.MapArray.from_arrays(offsets, keys, every.take(pa.array(order)))
