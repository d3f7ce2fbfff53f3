"""What a model learnt, by name: coefficients of the fixed effect or of one entity, movers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.errors import ModelError
from gdmix.glm.status import Status
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel

Floats = NDArray[np.float64]
Named = tuple[str, float]


@dataclass(frozen=True)
class Mover:
    """An entity whose coefficients are among the largest.

    Attributes
    ----------
    entity : str
        Its id.
    samples : int
        Its training samples.
    norm : float
        As `entity_norms` gives it.
    intercept : float or None
        None when the random effect has no intercept.
    features : list of (str, float)
        Its largest coefficients.
    status : Status
    """

    entity: str
    samples: int
    norm: float
    intercept: float | None
    features: list[Named]
    status: Status


def fixed_coefficients(
    part: LinearModel, index: FeatureIndex, top: int | None = None
) -> list[Named]:
    """Return names and coefficients, the intercept first, then the `top` largest."""
    values = part.coefficients[part.intercept :]
    head = [(INTERCEPT, float(part.coefficients[0]))] if part.intercept else []
    return head + _named(index, np.arange(len(values)), values, top)


def entity_coefficients(
    part: EntityModel, index: FeatureIndex, entity: object, top: int | None = None
) -> list[Named]:
    """Return one entity's names and coefficients, the intercept first, then the `top` largest.

    Raises
    ------
    ModelError
        There is no model for this entity.
    """
    position = part.position(entity)
    if position < 0:
        ids = part.table.ids
        some = ", ".join(str(ids[i].as_py()) for i in range(min(5, len(ids))))
        raise ModelError(
            f"entity column {part.entity!r}",
            f"no model for {part.entity} {entity!r}",
            hint=f"it had no training samples; some that had: {some}",
        )
    intercept, features, values = part.coefficients_of(position)
    head = [(INTERCEPT, intercept)] if part.intercept else []
    return head + _named(index, features, values, top)


def movers(part: EntityModel, index: FeatureIndex, top: int) -> list[Mover]:
    """Return the entities that differ most from the rest."""
    norms = entity_norms(part)
    return [_mover(part, index, at, float(norms[at])) for at in largest(norms, top)]


def entity_norms(part: EntityModel) -> Floats:
    """Return the norm of each entity's features' coefficients, without its intercept.

    Where a random effect is of intercepts alone, their magnitudes: else an entity whose labels
    are of one class, its intercept at the bound, would hide all that features tell.
    """
    intercepts, coefficients = part.split()
    if not len(coefficients):
        magnitudes: Floats = np.abs(intercepts)
        return magnitudes
    entities = len(part.table.ids)
    owner = np.repeat(np.arange(entities), np.diff(part.table.feature_ptr))
    norms: Floats = np.sqrt(np.bincount(owner, coefficients**2, entities))
    return norms


def largest(sizes: Floats, most: int | None = None) -> list[int]:
    """Return where the largest sizes lie, largest first, what is not a number last."""
    sizes = np.nan_to_num(sizes, nan=-1.0)
    most = len(sizes) if most is None else min(most, len(sizes))
    if not most:
        return []
    top = np.argpartition(-sizes, most - 1)[:most]
    return [int(at) for at in top[np.lexsort((top, -sizes[top]))]]


def _mover(part: EntityModel, index: FeatureIndex, at: int, norm: float) -> Mover:
    intercept, features, values = part.coefficients_of(at)
    table = part.table
    return Mover(
        str(table.ids[at].as_py()),
        int(table.samples[at]),
        norm,
        intercept if part.intercept else None,
        _named(index, features, values, 3),
        Status(int(table.outcome.status[at])),
    )


def _named(
    index: FeatureIndex, features: NDArray[np.integer], values: Floats, top: int | None
) -> list[Named]:
    at = largest(np.abs(values), top)
    return [(index.label(int(features[i])), float(values[i])) for i in at]
