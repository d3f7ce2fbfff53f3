"""The folder that keeps fetched files and prepared data sets."""

from __future__ import annotations

import os
from pathlib import Path

from gdmix.datasets.describe import Files


def folder(name: str) -> Path:
    """Return the cache folder of data set `name`; it need not exist."""
    root = os.environ.get("GDMIX_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "gdmix" / "datasets" / name


def keep(files: Files, where: Path) -> None:
    """Write `files` into `where`, each one whole or not at all."""
    where.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        part = aside(where / name)
        try:
            part.write_bytes(content)
            part.replace(where / name)
        finally:
            part.unlink(missing_ok=True)


def aside(path: Path) -> Path:
    """Return the name under which `path` is written before it is complete."""
    # the process id keeps two runs that write the same file from mixing their bytes
    return path.with_name(f".{path.name}.{os.getpid()}.part")
