"""What a network makes of a row, as features of other coordinates.

A feature whose column is ``<coordinate>.representation`` stands for the last hidden layer of that
deep effect: one number for each of its units, known once the network is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.index import FeatureIndex
from gdmix.data.piece import SEPARATOR
from gdmix.engine import Engine, Rows
from gdmix.models.deep import DeepModel

SUFFIX = ".representation"


class Place(NamedTuple):
    """Where a representation lies in a shard.

    Attributes
    ----------
    coordinate : str
        The deep effect.
    positions : int32[units]
    """

    coordinate: str
    positions: NDArray[np.int32]


def keys_of(coordinate: str, units: int) -> pa.StringArray:
    """Return the features of a representation."""
    name = coordinate + SUFFIX
    return pa.array([f"{name}{SEPARATOR}{unit}" for unit in range(units)], pa.string())


def places(indexes: Mapping[str, FeatureIndex], units: Mapping[str, int]) -> dict[str, list[Place]]:
    """Return where representations lie, by shard.

    Parameters
    ----------
    indexes : dict of shard to FeatureIndex
    units : dict of coordinate to int
        Of every deep effect whose last hidden layer may be asked for.
    """
    found: dict[str, list[Place]] = {}
    for shard, index in indexes.items():
        for coordinate, count in units.items():
            positions = index.positions(keys_of(coordinate, count))
            if count and (positions >= 0).all():
                found.setdefault(shard, []).append(Place(coordinate, positions))
    return found


def completed(
    engine: Engine,
    rows: Rows,
    where: Mapping[str, Sequence[Place]],
    parts: Mapping[str, object],
) -> Rows:
    """Return rows whose shards hold the representations of those networks that are there."""
    for shard, own in where.items():
        for place in own:
            part = parts.get(place.coordinate)
            if isinstance(part, DeepModel):
                rows = engine.with_features(rows, shard, place.positions, part.represent)
    return rows
