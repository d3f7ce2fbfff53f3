"""Where a run takes place: its engine, how it opens data, and how it writes scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.classes.scores import logits
from gdmix.config import ModelOptions
from gdmix.data.dataset import Dataset
from gdmix.data.source import Source, open_source
from gdmix.engine import Engine, Rows
from gdmix.engines.local import LocalEngine
from gdmix.models.mixed import Mixed
from gdmix.schema import Lists
from gdmix.scoring import Unseen, class_names, score_rows
from gdmix.store.aside import replacing
from gdmix.store.scores import scores_writer

Floats = NDArray[np.float64]

_SCORES = "part-00000.parquet"


class Scored(NamedTuple):
    """What became of scoring rows.

    Attributes
    ----------
    unseen : Unseen
    labelled : callable
        Returns labels, weights and entities of all rows, and their scores.
    table : pa.Table or None
        The scores, where they are in this process.
    """

    unseen: Unseen
    labelled: Callable[[], tuple[Dataset, Floats]]
    table: pa.Table | None = None


class Backend(Protocol):
    """Where a run takes place."""

    @property
    def engine(self) -> Engine:
        """Who holds the rows."""

    @property
    def grouping(self) -> float:
        """Seconds spent so far on bringing rows into the order of entities."""

    def open(self, files: Sequence[str | Path], metadata: Path | Lists | None) -> Source:
        """Open files as one table."""

    def write_scores(
        self, options: ModelOptions, model: Mixed, rows: Rows, folder: Path | None
    ) -> Scored:
        """Score rows, and write the scores as Parquet files of a folder, if one is given."""


@dataclass(frozen=True)
class LocalBackend:
    """All in one process."""

    engine: LocalEngine

    @property
    def grouping(self) -> float:
        """Seconds spent so far on bringing rows into the order of entities."""
        return self.engine.grouping

    def open(self, files: Sequence[str | Path], metadata: Path | Lists | None) -> Source:
        """Open files as one table."""
        return open_source(list(files), metadata=metadata)

    def write_scores(
        self, options: ModelOptions, model: Mixed, rows: Dataset, folder: Path | None
    ) -> Scored:
        """Score rows, and write the scores as one file of a folder, if one is given."""
        found = Unseen()
        table = score_rows(self.engine, options, model, rows, found)
        if folder is not None:
            with replacing(folder, _SCORES) as aside:
                aside.mkdir(parents=True)
                with scores_writer(aside / _SCORES, table.schema) as writer:
                    writer.write_table(table)
        score = partial(_scores, options, model, table)
        return Scored(found, lambda: (rows, score()), table)


def _scores(options: ModelOptions, model: Mixed, table: pa.Table) -> Floats:
    if options.kind.several:
        return logits(class_names(options, model), table)
    return np.asarray(table["score"].to_numpy())
