"""A deep effect's files: weights, config and tokenizer, and where its inputs lie.

inputs.json          shards and columns, and the tasks that have heads
model.safetensors  config.json  tokenizer.json
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from gdmix.errors import MissingExtraError
from gdmix.models.deep import DeepModel, Inputs
from gdmix.plainjson import dumps

_INPUTS = "inputs.json"


def write_network(folder: Path, part: DeepModel) -> None:
    """Write a network into a folder that exists."""
    from gdmix.deep.saving import save

    heads = None if part.heads is None else part.heads.to_pylist()
    about = {"inputs": asdict(part.inputs), "heads": heads}
    (folder / _INPUTS).write_text(dumps(about, indent=1), encoding="utf-8")
    save(folder, part.trained)


def read_network(folder: Path) -> DeepModel:
    """Read back what `write_network` wrote.

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    ModelError
        A file is damaged.
    """
    try:
        from gdmix.deep.saving import load
    except ImportError as error:
        raise MissingExtraError.needs("a model with a network", "deep") from error
    about = json.loads((folder / _INPUTS).read_text(encoding="utf-8"))
    plain = about["inputs"]
    inputs = Inputs(**{**plain, "texts": tuple(plain["texts"])})
    heads = None if about["heads"] is None else pa.array(about["heads"])
    return DeepModel(inputs, load(folder), heads)
