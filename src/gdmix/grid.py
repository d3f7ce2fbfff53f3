"""A grid of options: what may vary, and the points of the cross product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from types import UnionType
from typing import Any, Union, get_args, get_origin

from gdmix.coordinates import Coordinate
from gdmix.errors import did_you_mean
from gdmix.options import Options

Point = dict[str, float]
"""``coordinate.option`` to its value."""


def points_of(grid: Mapping[str, Sequence[float]]) -> list[Point]:
    """Return the cross product, every option from its largest value down, the last one fastest.

    Without a grid there is one point, at which nothing differs.
    """
    falling = [sorted(values, reverse=True) for values in grid.values()]
    return [dict(zip(grid, values, strict=True)) for values in product(*falling)]


def fault_of(grid: Mapping[str, Sequence[float]], coordinates: Mapping[str, Coordinate]) -> str:
    """Return what is wrong with a grid, and what to do; an empty text when nothing is."""
    for key, values in grid.items():
        name, _, option = key.partition(".")
        if name not in coordinates:
            return f"{key}: no coordinate {name!r}; {did_you_mean(name, coordinates)}"
        coordinate = coordinates[name]
        known = list(numeric_options(type(coordinate)))
        if option not in known:
            hint = did_you_mean(option, known, most=20)
            return f"{key}: {name!r} has no numeric option {option!r}; {hint}"
        mixed = getattr(coordinate, "elastic_net", None)
        both = mixed is not None or f"{name}.elastic_net.weight" in grid
        if option in ("l1", "l2") and both:
            return f"{key}: `elastic_net` takes the place of {option}; remove one of the two"
        if not values:
            return f"{key}: no values; expected at least one"
        if len(set(values)) < len(values):
            return f"{key}: a value is there twice; remove one"
    return ""


def numeric_options(options: type[Options]) -> Iterator[str]:
    """Yield the options that are numbers, those of options within options too."""
    for name, field in options.model_fields.items():
        kinds: tuple[Any, ...] = (field.annotation,)
        if get_origin(field.annotation) in (Union, UnionType):
            kinds = get_args(field.annotation)
        if float in kinds or int in kinds:
            yield name
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Options):
                yield from (f"{name}.{inner}" for inner in numeric_options(kind))


def label_of(point: Point) -> str:
    """Return a point as people read it."""
    return ", ".join(f"{key}={value:g}" for key, value in point.items())
