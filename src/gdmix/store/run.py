"""The run directory: who may write it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from gdmix.errors import RunError
from gdmix.plainjson import dumps
from gdmix.store.aside import write_text

FINISHED = "metrics.json"
"""Written last: a run directory that holds it is whole."""


def require_free(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Check that a run may be written at `path`; nothing is changed yet.

    Raises
    ------
    RunError
        Something else is there, or there is nothing to resume.
    """
    if resume:
        _require_resumable(path)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        if not _is_run(path):
            hint = "choose another output; only a run directory can be overwritten"
            raise RunError(str(path), "exists and is not a run directory", hint=hint)
        if not overwrite:
            done = (path / FINISHED).exists()
            problem = "holds a finished run" if done else "holds a run that was cut off"
            hint = "--overwrite replaces it"
            hint = hint if done else "--resume goes on, --overwrite starts anew"
            raise RunError(str(path), problem, hint=hint)


def make_folder(path: Path, *, resume: bool) -> None:
    """Make the folder of a run that `require_free` allowed; a new run replaces an old one.

    Raises
    ------
    RunError
        The folder cannot be made.
    """
    try:
        if path.exists() and not resume:
            shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another output, or change the permissions"
        raise RunError(str(path), f"cannot be made ({error.strerror})", hint=hint) from None


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file whole."""
    write_text(path, dumps(values, indent=1))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run.

    Raises
    ------
    RunError
        It is missing or not JSON.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(str(path), "no such file", hint="is this a finished run?") from None
    except ValueError as error:
        raise RunError(str(path), f"not JSON ({error})") from None
    return values


def _require_resumable(path: Path) -> None:
    if (path / FINISHED).exists():
        raise RunError(str(path), "the run is finished", hint="--overwrite trains again")
    if not _is_run(path):
        raise RunError(str(path), "no run to resume", hint="train without --resume")


def _is_run(path: Path) -> bool:
    return (path / "log.jsonl").is_file()
