"""The folder that keeps fetched files and prepared data sets."""

from __future__ import annotations

from pathlib import Path

from gdmix.cachedir import cache_root
from gdmix.datasets.describe import Files
from gdmix.store.aside import replacing


def folder(name: str) -> Path:
    """Return the cache folder of data set `name`; it need not exist."""
    return cache_root() / "datasets" / name


def keep(files: Files, where: Path) -> None:
    """Write `files` into `where`, each one whole or not at all."""
    for name, content in files.items():
        with replacing(where / name) as aside:
            aside.write_bytes(content)
