"""GDMix's output tree, written into the run directory.

<coordinate>/
  models/             global_model.avro of a fixed effect, part-00000.avro of a random effect
  train_scores/       part-00000.avro; of a random effect in partitionId=0/
  validation_scores/  the same
  metric/evalSummary.json
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.compat.gdmix_data import Params, is_external
from gdmix.compat.gdmix_options import GdmixConfig, RandomParams
from gdmix.data.dataset import Dataset
from gdmix.data.formats.avro_records import Record, write_records
from gdmix.metrics import Evaluation
from gdmix.store.aside import replacing
from gdmix.store.run import write_json
from gdmix.workflow import Beside, Run

Floats = NDArray[np.float64]

_FOLDERS = {"train": "train_scores", "validation": "validation_scores"}
_BATCH = 1 << 14


class GdmixTree(Beside):
    """Writes what GDMix would have written, coordinate by coordinate.

    Parameters
    ----------
    config : GdmixConfig
        Names of the coordinates and of the columns of their scores.
    """

    def __init__(self, config: GdmixConfig) -> None:
        self._coordinates = config.coordinates()

    def scores(self, run: Run, split: str, rows: Dataset, table: pa.Table) -> None:
        """Write scores of a split, up to each coordinate and its own; and metrics of validation."""
        if run.options.output_mode == "none":
            return
        total = np.array(rows.offset)
        for name in run.options.coordinates:
            own = table[f"score_{name}"].to_numpy()
            total = total + own
            params = self._coordinates.get(name)
            if params is None:
                continue
            if split == "validation" or params.writes_training_scores:
                path = run.path / name / _scores_file(split, params)
                _write_scores(path, params, _Scored(table, rows, total, own))
            if split == "validation" and not is_external(params):
                _write_metric(run, name, rows, total)


class _Scored:
    """Columns of a table of scores, and the scores up to one coordinate."""

    def __init__(self, table: pa.Table, rows: Dataset, total: Floats, own: Floats) -> None:
        self.uid = table["uid"].combine_chunks()
        self.total, self.own = total, own
        self.label = rows.label if rows.has_label else None
        self.weight = table["weight"].to_numpy() if "weight" in table.column_names else None


def _scores_file(split: str, params: Params) -> Path:
    folder = Path(_FOLDERS[split])
    if not isinstance(params, RandomParams):
        return folder / "part-00000.avro"
    # rows that train are told from those that are scored alone
    name = "part-00000-active.avro" if split == "train" else "part-00000.avro"
    return folder / "partitionId=0" / name


def _write_scores(path: Path, params: Params, scored: _Scored) -> None:
    schema, columns = _columns(params, scored)
    with replacing(path) as aside:
        write_records(aside, schema, _records(columns), codec="deflate")


def _columns(params: Params, scored: _Scored) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema that GDMix gives its scores, and the columns of it.

    Labels that are no whole numbers, and weights with fractions, are kept: GDMix cuts them off.
    """
    driver = params.gdmix_config
    uid = "long" if pat.is_integer(scored.uid.type) else "string"
    fields: list[dict[str, Any]] = [
        {"name": driver.uid_column_name, "type": uid},
        {"name": driver.prediction_score_column_name, "type": "float"},
    ]
    columns: dict[str, Any] = {
        driver.uid_column_name: scored.uid,
        driver.prediction_score_column_name: scored.total,
    }
    label = driver.label_column_name
    if label is not None and scored.label is not None:
        whole = bool((scored.label == np.rint(scored.label)).all())
        kind = "int" if whole else "double"
        fields.append({"name": label, "type": ["null", kind], "default": None})
        columns[label] = scored.label.astype(np.int64) if whole else scored.label
    weight = driver.weight_column_name
    if weight is not None and scored.weight is not None:
        fields.append({"name": weight, "type": "float"})
        columns[weight] = scored.weight
    own = driver.prediction_score_per_coordinate_column_name
    fields.append({"name": own, "type": "float"})
    columns[own] = scored.own
    return {"name": "validation_result", "type": "record", "fields": fields}, columns


def _records(columns: Mapping[str, Any]) -> Iterator[Record]:
    rows = len(next(iter(columns.values())))
    for first in range(0, rows, _BATCH):
        parts = [column[first : first + _BATCH].tolist() for column in columns.values()]
        for values in zip(*parts, strict=True):
            yield dict(zip(columns, values, strict=True))


def _write_metric(run: Run, name: str, rows: Dataset, total: Floats) -> None:
    """Write the metric as GDMix computes it: every row counts once, whatever its weight."""
    evaluator = run.options.evaluators[0]
    even = replace(rows, weight=np.ones(rows.rows))
    values = Evaluation([evaluator], even, total).values()
    write_json(run.path / name / "metric" / "evalSummary.json", values)
