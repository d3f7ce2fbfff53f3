"""Coordinates: a block of the model, its options and how it is solved against the others."""

from gdmix.coordinates.base import Coordinate, Fit, Summary
from gdmix.coordinates.fixed import FixedEffect
from gdmix.coordinates.random import RandomEffect

__all__ = ["Coordinate", "Fit", "FixedEffect", "RandomEffect", "Summary"]
