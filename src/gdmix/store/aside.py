"""Write aside, then rename: a reader sees the old thing or the new one, never half of either."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gdmix.errors import RunError


@contextmanager
def replacing(path: Path, marker: str | None = None) -> Iterator[Path]:
    """Yield a path to write a file or folder at; it takes the place of `path` at the end.

    Nothing is left behind when the body raises.

    Parameters
    ----------
    path : Path
    marker : str, optional
        For a folder: a file that a folder which is replaced must hold. Any other folder that is
        not empty is somebody's, and stays. Without a marker, `path` is a file.

    Raises
    ------
    RunError
        Something else is at `path`, or it cannot be written.
    """
    path = Path(os.path.abspath(path))
    _require_replaceable(path, marker)
    # its name ends as that of `path`: some formats look at the suffix
    aside = path.with_name(f".{os.getpid()}.part.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    try:
        _remove(aside)
        yield aside
        _swap(aside, path)
    except OSError as error:
        if not _is_about(error, aside, path):
            raise
        raise _cannot_be_written(path, error) from error
    finally:
        with suppress(OSError):
            _remove(aside)


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _require_replaceable(path: Path, marker: str | None) -> None:
    if not path.is_dir():
        if marker is not None and path.exists():
            raise RunError(str(path), "is a file", "a folder, or nothing yet")
        return
    if marker is None:
        raise RunError(str(path), "is a folder", "a file, or nothing yet")
    if any(path.iterdir()) and not (path / marker).is_file():
        problem = f"is a folder that holds other things (no {marker})"
        raise RunError(str(path), problem, hint="choose another output")


def _swap(aside: Path, path: Path) -> None:
    if not path.is_dir():
        aside.replace(path)
        return
    # a folder cannot be renamed over another that holds files
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(old)
    aside.rename(path)
    shutil.rmtree(old)


def _cannot_be_written(path: Path, error: OSError) -> RunError:
    hint = "choose another output, make room, or change the permissions"
    return RunError(str(path), f"cannot be written ({error.strerror or error})", hint=hint)


def _is_about(error: OSError, aside: Path, path: Path) -> bool:
    """Whether an error comes from the output; a full disk names no file."""
    if error.filename is None:
        return True
    names = (str(error.filename), str(error))
    return any(str(place) in name for place in (aside, path, path.parent) for name in names)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
