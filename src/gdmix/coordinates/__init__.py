"""Coordinates: a block of the model, its options and how it is solved against the others."""

from gdmix.coordinates.base import (
    Bound,
    Box,
    Coordinate,
    ElasticNet,
    Fit,
    HeldOut,
    Regressed,
    Setting,
    Summary,
)
from gdmix.coordinates.deep import DeepEffect
from gdmix.coordinates.external import ExternalEffect
from gdmix.coordinates.fixed import FixedEffect
from gdmix.coordinates.random import RandomEffect

__all__ = [
    "Bound",
    "Box",
    "Coordinate",
    "DeepEffect",
    "ElasticNet",
    "ExternalEffect",
    "Fit",
    "FixedEffect",
    "HeldOut",
    "RandomEffect",
    "Regressed",
    "Setting",
    "Summary",
]
