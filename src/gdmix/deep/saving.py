"""A trained network as a folder: weights, shape and tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from gdmix import plainjson
from gdmix.deep.network import DeepNetwork
from gdmix.deep.shape import Shape
from gdmix.deep.target import Target
from gdmix.deep.trained import Trained
from gdmix.deep.vocabulary import Tokens
from gdmix.errors import ModelError

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
_FORMAT = "gdmix deep network"
_VERSION = 1
_HINT = "restore the folder from a copy, or train again"


def save(folder: str | Path, trained: Trained) -> None:
    """Write a trained network into a folder, which is made where it is missing.

    `config.json` comes last, with checksums of the other files.

    Parameters
    ----------
    folder : str or Path
    trained : Trained
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # tensors may share memory, or be parts of others; a file holds each alone
    state = {name: value.detach().cpu().clone() for name, value in trained.state.items()}
    safetensors.save_file(
        {name: value.contiguous() for name, value in state.items()}, folder / WEIGHTS
    )
    files = [WEIGHTS]
    if trained.tokens is not None:
        (folder / TOKENIZER).write_text(trained.tokens.to_json(), encoding="utf-8")
        files.append(TOKENIZER)
    config = {
        "format": _FORMAT,
        "version": _VERSION,
        "shape": trained.shape.to_json(),
        "target": trained.target._asdict(),
        "summary": dict(trained.summary),
        "checksums": {name: _checksum((folder / name).read_bytes()) for name in files},
    }
    config = json.loads(plainjson.dumps(config))
    config["checksum"] = _checksum_of(config)
    (folder / CONFIG).write_text(plainjson.dumps(config, indent=2), encoding="utf-8")


def load(folder: str | Path) -> Trained:
    """Read what `save` wrote.

    Raises
    ------
    ModelError
        A file is missing, damaged, or of another format or version.
    """
    folder = Path(folder)
    config = _read_config(folder / CONFIG)
    try:
        shape = Shape.from_json(config["shape"])
        values = config["target"]
        target = Target(**values | {"head_weights": tuple(values["head_weights"])})
        summary, checksums = dict(config["summary"]), dict(config["checksums"])
    except (KeyError, TypeError, ValueError) as error:
        problem = f"does not describe a network ({error!r})"
        raise ModelError(str(folder / CONFIG), problem, hint=_HINT) from error
    tokens = None
    if shape.vocabulary:
        text = _read(folder / TOKENIZER, checksums).decode("utf-8")
        tokens = Tokens.from_json(text, shape.network.encoder)
    state = safetensors.load(_read(folder / WEIGHTS, checksums))
    _require_weights(folder / WEIGHTS, shape, state)
    return Trained(shape, target, tokens, state, summary)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise ModelError(str(path), problem, "the folder of a trained network") from error
    except ValueError as error:
        raise ModelError(str(path), f"is not JSON ({error})", hint=_HINT) from error
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        raise ModelError(str(path), "is of another program", f"format {_FORMAT!r}")
    if config.get("version") != _VERSION:
        problem = f"is of version {config.get('version')!r}"
        raise ModelError(str(path), problem, f"version {_VERSION}", "use the gdmix that wrote it")
    if config.pop("checksum", None) != _checksum_of(config):
        raise ModelError(str(path), "was changed: its checksum is of other values", hint=_HINT)
    return config


def _read(path: Path, checksums: Mapping[str, str]) -> bytes:
    try:
        held = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise ModelError(str(path), problem, hint=_HINT) from error
    if checksums.get(path.name) != _checksum(held):
        raise ModelError(str(path), "is damaged: its checksum is another", hint=_HINT)
    return held


def _require_weights(path: Path, shape: Shape, state: Mapping[str, Tensor]) -> None:
    """Compare names and sizes with those of the network, of which nothing is allocated."""
    with torch.device("meta"):
        expected = DeepNetwork(shape).state_dict()
    found = {name: tuple(value.shape) for name, value in state.items()}
    wanted = {name: tuple(value.shape) for name, value in expected.items()}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            problem = f"{name} is {found.get(name, 'missing')}"
            raise ModelError(str(path), problem, str(wanted.get(name, "no such weights")), _HINT)


def _checksum(held: bytes) -> str:
    return hashlib.sha256(held).hexdigest()


def _checksum_of(config: Mapping[str, Any]) -> str:
    return _checksum(json.dumps(config, sort_keys=True).encode())
