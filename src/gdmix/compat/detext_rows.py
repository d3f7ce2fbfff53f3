"""What must be known of DeText's rows before its arguments can be mapped: how many there are."""

from __future__ import annotations

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.detext_task import Aim
from gdmix.data.source import open_source
from gdmix.errors import DataError
from gdmix.schema import Lists


def files_of(given: str) -> list[str]:
    """Return files, folders and globs, which commas part."""
    return [part.strip() for part in given.split(",") if part.strip()]


def updates(given: DetextArguments) -> int:
    """Return how many updates are made in all; records are counted where epochs are asked for.

    Raises
    ------
    DataError
        Epochs are asked for, and the data is not there.
    """
    if not given.num_epochs:
        return given.num_train_steps
    source = open_source(files_of(given.train_file))
    records: int = sum(batch.num_rows for batch, _ in source.batches([], frozenset()))
    return max(1, records // given.train_batch_size) * given.num_epochs


def total_weight(given: DetextArguments, aim: Aim, path: str) -> float:
    """Return the weight of all rows, or lists: of what a loss is the mean.

    Raises
    ------
    DataError
        The data is not there, or cannot be read.
    """
    weight = given.weight_column_name
    by_row = aim.lists is not None and aim.loss == "pointwise"
    lists = Lists.parse(aim.lists) if by_row and aim.lists is not None else None
    try:
        source = open_source(files_of(given.train_file), metadata=lists)
        names = [weight] if weight is not None and source.has(weight) else []
        total = 0.0
        for batch, _ in source.batches(names, frozenset(names)):
            total += sum(batch.column(0).to_pylist()) if names else batch.num_rows
    except DataError as error:
        where = f"{path}train_file"
        hint = "l1 and l2 are added to a mean there, to a sum here: how many rows there are counts"
        raise DataError(where, str(error), "", hint) from None
    return total
