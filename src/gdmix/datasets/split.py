"""The random split of a table in two, and how it is written."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gdmix.errors import DatasetError, RunError
from gdmix.store.aside import replacing

if TYPE_CHECKING:
    import pyarrow as pa

_TRAIN_SHARE = 0.8


class Parts(NamedTuple):
    """The rows to train on and the rows to validate on, each in their first order."""

    train: pa.Table
    validation: pa.Table


def split(table: pa.Table, seed: int) -> Parts:
    """Draw for every row whether it trains; the same seed draws the same rows."""
    import numpy as np
    import pyarrow as pa

    trains = np.random.default_rng(seed).random(table.num_rows) < _TRAIN_SHARE
    return Parts(table.filter(pa.array(trains)), table.filter(pa.array(~trains)))


def write(parts: Parts, folder: Path) -> tuple[Path, Path]:
    """Write ``train.parquet`` and ``validation.parquet``; return their paths."""
    import pyarrow.parquet as pq

    paths = (folder / "train.parquet", folder / "validation.parquet")
    try:
        # renamed when both are complete, lest one split's train meet another's validation
        with ExitStack() as both:
            for table, path in zip(parts, paths, strict=True):
                aside = both.enter_context(replacing(path))
                pq.write_table(table, aside, compression="zstd")
    except (OSError, RunError) as error:
        raise DatasetError(
            str(folder),
            f"cannot be written ({error.__cause__ or error})",
            hint="name another output folder",
        ) from None
    return paths
