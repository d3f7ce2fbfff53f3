"""GDMix's output tree, written into the run directory.

<coordinate>/
  models/             global_model.avro of a fixed effect, part-00000.avro of a random effect;
                      none of a network, which lies in the run's own model directory
  train_scores/       part-00000.avro; of a random effect in partitionId=0/
  validation_scores/  the same
  metric/evalSummary.json
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.compat.gdmix_data import Params, is_external
from gdmix.compat.gdmix_file import GdmixConfig
from gdmix.compat.gdmix_options import RandomParams
from gdmix.data.dataset import Dataset
from gdmix.data.formats import avro
from gdmix.metrics import Evaluation
from gdmix.models.deep import DeepModel
from gdmix.models.mixed import Mixed
from gdmix.store.aside import replacing
from gdmix.store.foreign_scores import ScoreNames, gdmix_record, gdmix_scores
from gdmix.store.gdmix import MODELS, write_gdmix
from gdmix.store.run import write_json
from gdmix.workflow import Beside, Run

_FOLDERS = {"train": "train_scores", "validation": "validation_scores"}


class GdmixTree(Beside):
    """Writes what GDMix would have written, coordinate by coordinate.

    Parameters
    ----------
    config : GdmixConfig
        Names of the coordinates and of the columns of their scores.
    """

    def __init__(self, config: GdmixConfig) -> None:
        self._coordinates = config.coordinates()

    def model(self, run: Run) -> None:
        """Write the models of all coordinates that were learnt."""
        if run.options.output_mode == "none":
            return
        learnt = {
            name: part
            for name, part in run.model.parts.items()
            if name in self._coordinates
            and not is_external(self._coordinates[name])
            and not isinstance(part, DeepModel)
        }
        for name in learnt:
            # those of a run that was cut off here
            shutil.rmtree(run.path / name / MODELS, ignore_errors=True)
        write_gdmix(run.path, run.options, Mixed(learnt, run.model.indexes))

    def scores(self, run: Run, split: str, rows: Dataset, table: pa.Table) -> None:
        """Write scores of a split, up to each coordinate and its own; and metrics of validation."""
        if run.options.output_mode == "none":
            return
        total = rows.offset
        for name in run.options.coordinates:
            total = total + table[f"score_{name}"].to_numpy()
            params = self._coordinates.get(name)
            if params is None or is_external(params):
                continue
            if split == "validation" or params.writes_training_scores:
                path = run.path / name / _scores_file(split, params)
                _write_scores(path, run, name, params, table)
            if split == "validation":
                _write_metric(run, name, rows, total)


def _scores_file(split: str, params: Params) -> Path:
    folder = Path(_FOLDERS[split])
    if not isinstance(params, RandomParams):
        return folder / "part-00000.avro"
    # rows that train are told from those that are scored alone
    name = "part-00000-active.avro" if split == "train" else "part-00000.avro"
    return folder / "partitionId=0" / name


def _write_scores(path: Path, run: Run, name: str, params: Params, table: pa.Table) -> None:
    driver = params.gdmix_config
    names = ScoreNames(
        driver.uid_column_name,
        driver.prediction_score_column_name,
        driver.prediction_score_per_coordinate_column_name,
        driver.label_column_name or ScoreNames().label,
        driver.weight_column_name or ScoreNames().weight,
    )
    scores = gdmix_scores(table, run.options, name, names, texts=True)
    with (
        replacing(path) as aside,
        avro.open_writer(aside, scores.schema, gdmix_record(scores, names)) as writer,
    ):
        for batch in scores.to_batches():
            writer.write(batch)


def _write_metric(run: Run, name: str, rows: Dataset, total: NDArray[np.float64]) -> None:
    """Write the metric as GDMix computes it: every row counts once, whatever its weight."""
    evaluator = run.options.evaluators[0]
    even = replace(rows, weight=np.ones(rows.rows))
    values = Evaluation([evaluator], even, total).values()
    write_json(run.path / name / "metric" / "evalSummary.json", values)
