"""Where a training stands, kept on disk, so that a killed one goes on to the same bits."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import torch

from gdmix.errors import RunError

STATE = "state.json"
"""Name of the file that says which checkpoint counts; it is replaced last, in one go."""


def write_checkpoint(folder: Path, step: int, fingerprint: str, values: dict[str, Any]) -> None:
    """Keep tensors and plain values in a folder; the one before goes when this one is whole.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    box = io.BytesIO()
    torch.save(values, box)
    body = box.getvalue()
    name = f"step-{step}.pt"
    state = {
        "step": step,
        "file": name,
        "sha256": hashlib.sha256(body).hexdigest(),
        "fingerprint": fingerprint,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / name, body)
        _write(folder / STATE, json.dumps(state).encode())
        for old in folder.glob("step-*.pt"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise RunError(str(folder), f"cannot be written ({error.strerror})") from error


def read_checkpoint(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """Return what was kept last; None where nothing was.

    Raises
    ------
    RunError
        It is damaged, or of a training with other data or options.
    """
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        name, digest, other = state["file"], state["sha256"], state["fingerprint"]
        body = b"" if other != fingerprint else (folder / Path(name).name).read_bytes()
    except FileNotFoundError as error:
        if error.filename == str(folder / STATE):
            return None
        raise _damaged(folder, f"{error.filename} is missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{STATE} cannot be read") from error
    if other != fingerprint:
        problem = "was begun with other data or options"
        raise RunError(str(folder), problem, hint="remove it, or train what was begun")
    if hashlib.sha256(body).hexdigest() != digest:
        raise _damaged(folder, f"{name} is not what was written")
    values: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return values


def _write(path: Path, body: bytes) -> None:
    aside = path.with_name(f".{os.getpid()}.part.{path.name}")
    with aside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _damaged(folder: Path, problem: str) -> RunError:
    return RunError(str(folder), f"the checkpoint is damaged: {problem}", hint="remove the folder")
