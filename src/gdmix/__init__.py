"""Generalized deep mixed models: a global trend, and a small model for each member and item.

Names load on first use, so that ``import gdmix`` and ``gdmix --help`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gdmix.version import __version__

if TYPE_CHECKING:
    from gdmix.coordinates import DeepEffect, ExternalEffect, FixedEffect, RandomEffect
    from gdmix.data.days import daily
    from gdmix.errors import GdmixError
    from gdmix.estimator import MixedModel, join, load
    from gdmix.schema import Feature
    from gdmix.workflow import train

__all__ = [
    "DeepEffect",
    "ExternalEffect",
    "Feature",
    "FixedEffect",
    "GdmixError",
    "MixedModel",
    "RandomEffect",
    "__version__",
    "daily",
    "join",
    "load",
    "train",
]

_HOMES = {
    "DeepEffect": "gdmix.coordinates",
    "ExternalEffect": "gdmix.coordinates",
    "Feature": "gdmix.schema",
    "FixedEffect": "gdmix.coordinates",
    "GdmixError": "gdmix.errors",
    "MixedModel": "gdmix.estimator",
    "RandomEffect": "gdmix.coordinates",
    "daily": "gdmix.data.days",
    "join": "gdmix.estimator",
    "load": "gdmix.estimator",
    "train": "gdmix.workflow",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gdmix' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
