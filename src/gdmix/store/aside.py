"""Write aside, then rename: a reader sees the old thing or the new one, never half of either."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gdmix.errors import RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write a file or folder at; it takes the place of `path` at the end.

    Nothing is left behind when the body raises.

    Raises
    ------
    RunError
        The parent folder cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(aside)
        yield aside
        if path.is_dir():
            # a folder cannot be renamed over another that holds files
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(old)
            aside.rename(path)
            shutil.rmtree(old)
        else:
            aside.replace(path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        hint = "choose another output, or change the permissions"
        raise RunError(str(path), f"cannot be written ({error.strerror})", hint=hint) from None
    finally:
        _remove(aside)


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
