"""Folders of an executor for packed arrays, in the place that Spark clears when it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

_OURS = "gdmix-packed"


def new_name() -> str:
    """Return a name that nothing else has."""
    return uuid.uuid4().hex


def write(name: str, number: int, fill: Callable[[Path], None]) -> str:
    """Let `fill` write into a folder, and return where it lies; it appears whole or not at all.

    Two tasks may write the same partition: what is there first stays, for they are alike.
    """
    homes = _homes()
    parent = homes[number % len(homes)] / _OURS / name
    parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{number}.", dir=parent))
    try:
        fill(aside)
        place = parent / str(number)
        try:
            aside.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return str(place)


def drop(names: Iterable[str]) -> None:
    """Remove what nobody needs any more from this executor."""
    for name in names:
        for home in _homes():
            shutil.rmtree(home / _OURS / name, ignore_errors=True)


def is_ours(path: object) -> bool:
    """Tell whether a path lies in such a folder."""
    return isinstance(path, str | os.PathLike) and _OURS in Path(path).parts


def _homes() -> list[Path]:
    # Spark tells its Python processes where the executor may write
    told = os.environ.get("SPARK_LOCAL_DIRS") or tempfile.gettempdir()
    return [Path(home) for home in told.split(",")]
