"""The run directory: who may write it, and that one run at a time does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from gdmix.errors import RunError
from gdmix.plainjson import dumps
from gdmix.store.aside import replacing, write_text

FINISHED = "metrics.json"
"""Written last: a run directory that holds it is whole."""

LOG = "log.jsonl"


@contextmanager
def claimed(path: Path, *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Hold `path` for one run, having checked that it may be written; nothing is changed yet.

    Raises
    ------
    RunError
        Another run is writing there, something else is there, or there is nothing to resume.
    """
    path = Path(os.path.abspath(path))
    lock = path.with_name(f".{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("w", encoding="utf-8")
    except OSError as error:
        raise _cannot_be_made(path, error) from None
    with stream:
        if not _locked(stream.fileno()):
            raise RunError(str(path), "another run is writing here", hint="wait, or end it")
        try:
            _require_free(path, resume=resume, overwrite=overwrite)
            yield
        finally:
            with suppress(OSError):
                lock.unlink()


def make_folder(path: Path, *, resume: bool) -> None:
    """Make the folder of a run; a run that is replaced stays beside it until this one is whole.

    Raises
    ------
    RunError
        The folder cannot be made.
    """
    try:
        if path.exists() and not resume:
            if (path / FINISHED).exists():
                shutil.rmtree(previous(path), ignore_errors=True)
                path.rename(previous(path))
            else:
                shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(path, error) from None


def finish(path: Path, metrics: dict[str, Any]) -> None:
    """Write ``metrics.json``, which makes the run a whole one, and drop what it replaces."""
    write_json(path / FINISHED, metrics)
    shutil.rmtree(path / "checkpoints", ignore_errors=True)
    shutil.rmtree(previous(path), ignore_errors=True)


def save_groups(folder: Path, tables: Mapping[str, pa.Table]) -> None:
    """Write the metrics of groups, a file for each group column, as ``query_id.parquet``."""
    for column, table in tables.items():
        # a column may be named as no file can
        with replacing(folder / f"{quote(column, safe=' ')}.parquet") as aside:
            pq.write_table(table, aside, compression="zstd")


def previous(path: Path) -> Path:
    """Return where a finished run waits while another is trained in its place."""
    return path.with_name(f"{path.name}.previous")


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


def _require_free(path: Path, *, resume: bool, overwrite: bool) -> None:
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


def _require_resumable(path: Path) -> None:
    if (path / FINISHED).exists():
        raise RunError(str(path), "the run is finished", hint="--overwrite trains again")
    if not _is_run(path):
        raise RunError(str(path), "no run to resume", hint="train without --resume")


def _is_run(path: Path) -> bool:
    """Whether the log begins as a run's does: a log of that name alone is no proof."""
    try:
        with (path / LOG).open(encoding="utf-8") as stream:
            return bool(json.loads(stream.readline())["event"] == "start")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks on this system: two runs must be kept apart by hand
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _cannot_be_made(path: Path, error: OSError) -> RunError:
    hint = "choose another output, or change the permissions"
    return RunError(str(path), f"cannot be made ({error.strerror})", hint=hint)
