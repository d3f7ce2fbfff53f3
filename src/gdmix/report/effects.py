"""What each coordinate learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gdmix.data.index import FeatureIndex
from gdmix.descent import Update
from gdmix.inspection import Mover, Named, entity_norms, fixed_coefficients, movers
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.report.histogram import Histogram, of_sizes, of_values
from gdmix.report.quality import Quality

_LARGEST = 25
_MOVERS = 10


@dataclass(frozen=True)
class Fixed:
    """A fixed effect.

    Attributes
    ----------
    name : str
    last : Update or None
        Its last update; None of one that is locked.
    intercept : float or None
    features, coefficients : int
    largest : list of (str, float)
        The largest coefficients by magnitude, largest first.
    unseen : int
        Validation feature values that it does not know.
    network : bool
        Whether it is a network, which has no coefficients to show.
    """

    name: str
    last: Update | None
    intercept: float | None
    features: int
    coefficients: int
    largest: list[Named]
    unseen: int
    network: bool = False


@dataclass(frozen=True)
class Random:
    """A random effect.

    Attributes
    ----------
    name, entity : str
        The coordinate and its entity column.
    last : Update or None
        Its last update; None of one that is locked.
    entities, coefficients : int
        In its part, those kept of an initial model too.
    samples : Histogram or None
        Training samples per entity.
    median_samples, most_samples : int
    norms : Histogram or None
        Norm of each entity's features' coefficients; None when there are no features.
    intercepts : Histogram or None
    iterations : (float, int)
        Median and largest number over entities, in the last update.
    movers : list of Mover
    unseen : int
        Validation rows whose entity has no model.
    unseen_features : int
    quality : Quality or None
    """

    name: str
    entity: str
    last: Update | None
    entities: int
    coefficients: int
    samples: Histogram | None
    median_samples: int
    most_samples: int
    norms: Histogram | None
    intercepts: Histogram | None
    iterations: tuple[float, int]
    movers: list[Mover]
    unseen: int
    unseen_features: int
    quality: Quality | None


def fixed_effect(
    name: str,
    part: LinearModel,
    index: FeatureIndex,
    last: Update | None,
    unseen: Mapping[str, int],
) -> Fixed:
    """Describe a fixed effect; `unseen` counts feature values by shard."""
    values = part.coefficients[part.intercept :]
    named = fixed_coefficients(part, index, _LARGEST)[part.intercept :]
    intercept = float(part.coefficients[0]) if part.intercept else None
    sizes = (len(values), len(part.coefficients))
    return Fixed(name, last, intercept, *sizes, named, unseen.get(part.shard, 0))


def random_effect(
    name: str,
    part: EntityModel,
    index: FeatureIndex,
    last: Update | None,
    unseen: tuple[int, int],
    quality: Quality | None,
) -> Random:
    """Describe a random effect; `unseen` counts rows without a model, and feature values."""
    table = part.table
    iterations = table.outcome.iterations
    intercepts, _ = part.split()
    any_features = len(table.features) > 0
    norms = entity_norms(part)
    some = len(table.ids) > 0
    return Random(
        name,
        part.entity,
        last,
        len(table.ids),
        len(table.coefficients),
        of_sizes(table.samples),
        int(np.median(table.samples)) if some else 0,
        int(table.samples.max(initial=0)),
        of_values(norms) if any_features else None,
        of_values(intercepts) if part.intercept else None,
        (float(np.median(iterations)) if some else 0.0, int(iterations.max(initial=0))),
        movers(part, index, _MOVERS),
        *unseen,
        quality,
    )
