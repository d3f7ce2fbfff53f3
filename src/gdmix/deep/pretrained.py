"""Pretrained transformers: the `transformers` library is used here alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from gdmix.errors import ConfigError, ModelError

_WHERE = "encoder.model"
_HINT = "name a folder with config.json, tokenizer.json and weights, or a model on the hub"


class ModelTokenizer(NamedTuple):
    """A model's tokenizer.

    Attributes
    ----------
    text : str
        As in a `tokenizer.json`.
    pad : int
        Number of the token that fills up.
    most : int
        Tokens that the model reads at most.
    """

    text: str
    pad: int
    most: int


def read_tokenizer(model: str) -> ModelTokenizer:
    """Return a model's tokenizer.

    Raises
    ------
    ConfigError
        There is no such model, or its tokenizer is not one of the `tokenizers` library.
    """
    from transformers import AutoTokenizer

    tokenizer = _found(model, AutoTokenizer)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(_WHERE, f"{model!r} has a tokenizer in Python alone", "tokenizer.json")
    pad = tokenizer.pad_token_id
    # a model without a pad token takes any: what stands behind a text is never looked at
    return ModelTokenizer(backend.to_str(), pad or 0, int(tokenizer.model_max_length))


def read_configuration(model: str) -> dict[str, Any]:
    """Return a model's configuration: plain JSON values.

    Raises
    ------
    ConfigError
        There is no such model, or it is no encoder.
    """
    from transformers import AutoConfig

    found = _found(model, AutoConfig)
    if found.is_encoder_decoder:
        raise ConfigError(_WHERE, f"{model!r} is an encoder with a decoder", "an encoder alone")
    configuration: dict[str, Any] = json.loads(found.to_json_string(use_diff=False))
    return configuration


def read_weights(model: str) -> nn.Module:
    """Return a pretrained model in single precision.

    Raises
    ------
    ConfigError
        There is none, or its weights cannot be read.
    """
    from transformers import AutoModel

    return _without_pooler(_found(model, AutoModel, dtype=torch.float32))


def empty_model(configuration: Mapping[str, Any]) -> nn.Module:
    """Return a model with new weights.

    Raises
    ------
    ModelError
        It is of no kind that the library at hand knows.
    """
    from transformers import CONFIG_MAPPING, AutoModel

    values = dict(configuration)
    kind = values.pop("model_type", None)
    try:
        config = CONFIG_MAPPING[kind].from_dict(values)
        return _without_pooler(AutoModel.from_config(config, dtype=torch.float32))
    except Exception as error:  # whatever the library makes of a foreign configuration
        hint = "install the version of transformers that it was trained with"
        raise ModelError("transformer", f"cannot be built ({error})", hint=hint) from error


def _found(model: str, reader: Any, **how: Any) -> Any:  # noqa: ANN401 - the library has no types
    from transformers.utils import logging

    local = Path(model).is_dir()
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return reader.from_pretrained(model, local_files_only=local, **how)
    except Exception as error:  # files, network, formats: the library raises what it likes
        first = str(error).strip().partition("\n")[0]
        raise ConfigError(_WHERE, f"{model!r} cannot be read ({first})", hint=_HINT) from error
    finally:
        if bars:
            logging.enable_progress_bar()


def _without_pooler(model: nn.Module) -> nn.Module:
    """Leave out what reads the last layer for another task: it would never be trained."""
    if getattr(model, "pooler", None) is not None:
        model.register_module("pooler", None)
    return model
