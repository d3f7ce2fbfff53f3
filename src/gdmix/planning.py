"""From options and data to a plan: what each coordinate is fitted under."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from gdmix.config import ModelOptions
from gdmix.coordinates import Bound, Box, Coordinate, Setting
from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.descent import Plan
from gdmix.errors import ConfigError
from gdmix.models.mixed import Part


def make_plan(
    options: ModelOptions,
    indexes: Mapping[str, FeatureIndex],
    previous: Mapping[str, Part] | None = None,
) -> Plan:
    """Return what to descend on.

    Parameters
    ----------
    options : ModelOptions
    indexes : dict of shard to FeatureIndex
    previous : dict of str to Part, optional
        What the initial model knows of coordinates, in the positions of `indexes`.

    Raises
    ------
    ConfigError
        A bound fits no feature.
    """
    coordinates: Mapping[str, Coordinate] = options.coordinates
    settings = {}
    for name, shard in options.shards().items():
        coordinate = coordinates[name]
        box = None
        if coordinate.bounds:
            where = f"coordinates.{name}.bounds"
            box = box_of(coordinate.bounds, indexes[shard], int(coordinate.intercept), where)
        known = (previous or {}).get(name)
        prior = known if options.incremental and name not in options.locked else None
        settings[name] = Setting(shard, options.kind.loss, prior=prior, box=box, previous=known)
    return Plan(
        coordinates,
        settings,
        options.sweeps,
        options.sweep_tolerance,
        options.evaluators,
        frozenset(options.locked),
    )


def box_of(bounds: Sequence[Bound], index: FeatureIndex, intercept: int, where: str) -> Box:
    """Return the bounds of every coefficient; of two that fit, the later one holds.

    The intercept is bounded by its own name alone, never by a wildcard.

    Raises
    ------
    ConfigError
        A bound fits no feature.
    """
    size = intercept + len(index)
    lower, upper = np.full(size, -np.inf), np.full(size, np.inf)
    pairs = list(zip(index.names.to_pylist(), index.terms.to_pylist(), strict=True))
    for bound in bounds:
        name, term = _pattern(bound.name), _pattern(bound.term)
        fits = np.zeros(size, bool)
        fits[:intercept] = bound.name == INTERCEPT
        fits[intercept:] = [bool(name.fullmatch(a) and term.fullmatch(b)) for a, b in pairs]
        if not fits.any():
            found = f"name {bound.name!r} and term {bound.term!r} fit no feature"
            raise ConfigError(where, found, hint="gdmix inspect shows names and terms")
        lower[fits] = -np.inf if bound.lower is None else bound.lower
        upper[fits] = np.inf if bound.upper is None else bound.upper
    return Box(lower, upper)


def _pattern(text: str) -> re.Pattern[str]:
    wild = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wild, re.DOTALL)
