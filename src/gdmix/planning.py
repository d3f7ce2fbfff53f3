"""From options and data to a plan: what each coordinate is fitted under."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from gdmix.config import ModelOptions
from gdmix.coordinates import Bound, Box, Coordinate, Regressed, Setting
from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.data.statistics import Moments, Statistics, merged, moments
from gdmix.descent import Plan
from gdmix.engine import Engine, Rows
from gdmix.errors import ConfigError
from gdmix.glm.kernels import Block
from gdmix.glm.normalization import Normalization
from gdmix.models.mixed import Part
from gdmix.models.representation import places


def make_plan(
    options: ModelOptions,
    indexes: Mapping[str, FeatureIndex],
    statistics: Mapping[str, Statistics] | None = None,
    previous: Mapping[str, Part] | None = None,
) -> Plan:
    """Return what to descend on.

    Parameters
    ----------
    options : ModelOptions
    indexes : dict of shard to FeatureIndex
    statistics : dict of shard to Statistics, optional
        As `statistics_of` gives them.
    previous : dict of str to Part, optional
        What the initial model knows of coordinates, in the positions of `indexes`.

    Raises
    ------
    ConfigError
        A bound fits no feature, or a feature spreads too far to be normalized.
    """
    coordinates: Mapping[str, Coordinate] = options.coordinates
    settings = {}
    for name, shard in options.shards().items():
        coordinate, box, scale = coordinates[name], None, None
        if isinstance(coordinate, Regressed) and coordinate.bounds:
            where = f"coordinates.{name}.bounds"
            box = box_of(coordinate.bounds, indexes[shard], int(coordinate.intercept), where)
        if isinstance(coordinate, Regressed) and coordinate.normalization != "none":
            where = f"coordinates.{name}.normalization"
            told = (statistics or {})[shard]
            scale = normalization_of(coordinate.normalization, told, indexes[shard], where)
        known = (previous or {}).get(name)
        settings[name] = Setting(
            shard,
            options.kind.loss,
            prior=known if options.incremental and name not in options.locked else None,
            box=box,
            normalization=scale,
            previous=known,
            name=name,
            task=options.task,
        )
    return Plan(
        coordinates,
        settings,
        options.sweeps,
        options.sweep_tolerance,
        options.evaluators,
        frozenset(options.locked),
        places(indexes, options.representations()),
    )


def statistics_of(engine: Engine, options: ModelOptions, rows: Rows) -> dict[str, Statistics]:
    """Return the statistics of every shard whose features are normalized; of all, if asked for."""
    found: dict[str, Statistics] = {}
    for name, shard in options.shards().items():
        coordinate = options.coordinates[name]
        normalized = isinstance(coordinate, Regressed) and coordinate.normalization != "none"
        wanted = options.statistics or normalized
        if wanted and shard not in found:
            width = engine.width(rows, shard)
            of_block = partial(_moments, width=width)
            found[shard] = Statistics.of(engine.merge(of_block, merged, rows, shard))
    return found


def _moments(block: Block, width: int) -> Moments:
    return moments(block.indptr, block.indices, block.values, width)


def normalization_of(
    kind: str, statistics: Statistics, index: FeatureIndex, where: str
) -> Normalization:
    """Return factors and shifts; a feature that never changes has a factor of 1.

    Parameters
    ----------
    kind : str
        ``standard_deviation`` and ``standardization`` divide by the sample's standard deviation,
        the latter after taking the mean away; ``max_magnitude`` divides by the largest magnitude.
    statistics : Statistics
    index : FeatureIndex
    where : str
        The option, for messages.

    Raises
    ------
    ConfigError
        A feature's spread, or its inverse, is beyond float64.
    """
    if kind == "max_magnitude":
        scale = np.maximum(np.abs(statistics.min), np.abs(statistics.max))
    else:
        scale = np.sqrt(statistics.variance)
    with np.errstate(divide="ignore", over="ignore"):
        factor = np.where(scale > 0.0, 1.0 / scale, 1.0)
    wrong = ~(np.isfinite(scale) & np.isfinite(factor))
    if wrong.any():
        first = int(np.argmax(wrong))
        found = f"feature {index.label(first)!r} has a spread of {scale[first]:g}"
        raise ConfigError(where, found, "one that float64 can invert", "scale the column")
    centred = kind == "standardization"
    return Normalization(factor, statistics.mean.copy() if centred else np.zeros(len(factor)))


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
