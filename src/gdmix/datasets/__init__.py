"""Public data sets: fetched from where their owners publish them, split, ready to train on.

The data are never part of gdmix. To add a data set: write one file that holds a
:class:`~gdmix.datasets.describe.Dataset`, and name it in ``_KNOWN``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gdmix.datasets.movielens_100k import MOVIELENS_100K
from gdmix.errors import DatasetError, did_you_mean

__all__ = ["Prepared", "available", "get"]

_KNOWN = {dataset.name: dataset for dataset in (MOVIELENS_100K,)}


@dataclass(frozen=True)
class Prepared:
    """A data set on disk, split in two.

    Attributes
    ----------
    name : str
        Its name in :func:`available`.
    train, validation : Path
        The Parquet files.
    train_rows, validation_rows : int
        Their numbers of rows.
    origin : str
        Which source gave the data.
    licence : str
        What the owners allow, in short.
    """

    name: str
    train: Path
    validation: Path
    train_rows: int
    validation_rows: int
    origin: str
    licence: str


def available() -> dict[str, str]:
    """Return name and one-line description of every data set."""
    return {name: dataset.description for name, dataset in _KNOWN.items()}


def _silent(_: str) -> None:
    """Show nothing."""


def get(
    name: str,
    *,
    source: Path | None = None,
    output: Path | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = _silent,
) -> Prepared:
    """Find, verify, convert and split a public data set.

    Sources are tried in this order: `source` (then no other is), the folder named by the
    environment variable ``GDMIX_DATASETS``, the cache, and the places on the network.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    source : Path, optional
        Folder with the original files, directly or in a folder named as in the owners' archive.
    output : Path, optional
        Where ``train.parquet`` and ``validation.parquet`` go; by default a folder in the cache.
    seed : int
        Of the random split: about four rows in five train, the rest validates.
    progress : callable
        Called with one line of text before each step that may take a while.

    Returns
    -------
    Prepared
        Where the two files are, and where the data came from.

    Raises
    ------
    DatasetError
        The name is unknown, the files are missing or not the published ones, no source has
        them, or the output cannot be written.
    """
    from gdmix.datasets import cache, sources, split

    if name not in _KNOWN:
        raise DatasetError("data set", f"unknown name {name!r}", hint=did_you_mean(name, _KNOWN))
    if seed < 0:
        raise DatasetError("seed", f"{seed} is negative", expected="0 or a positive whole number")
    dataset = _KNOWN[name]
    found = sources.find(dataset, source, progress)
    progress(f"reading {found.form.label} from {found.origin}")
    parts = split.split(found.form.read(found.files), seed)
    folder = output if output is not None else cache.folder(name) / f"seed-{seed}"
    train, validation = split.write(parts, folder)
    progress(f"wrote {train} and {validation}")
    rows = (parts.train.num_rows, parts.validation.num_rows)
    return Prepared(name, train, validation, *rows, found.origin, dataset.licence)
