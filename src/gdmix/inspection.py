"""What a model learnt, by name: coefficients of the fixed effect or of one entity, movers."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.errors import ModelError
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Mixed

Rows = list[dict[str, Any]]
_P = TypeVar("_P", LinearModel, EntityModel)


def fixed_coefficients(model: Mixed, coordinate: str) -> Rows:
    """Return feature and coefficient, the intercept first, then by magnitude."""
    part = _part(model, coordinate, LinearModel)
    values = part.coefficients[part.intercept :]
    rows = _named(model.index_of(coordinate), np.arange(len(values)), values)
    head = [{"feature": INTERCEPT, "coefficient": float(part.coefficients[0])}]
    return head * part.intercept + rows


def entity_coefficients(model: Mixed, coordinate: str, entity: object) -> Rows:
    """Return one entity's coefficients, the intercept first, then by magnitude.

    Raises
    ------
    ModelError
        There is no model for this entity.
    """
    part = _part(model, coordinate, EntityModel)
    position = part.position(entity)
    if position < 0:
        ids = part.table.ids
        some = ", ".join(str(ids[i].as_py()) for i in range(min(5, len(ids))))
        raise ModelError(
            f"coordinate {coordinate!r}",
            f"no model for {part.entity} {entity!r}",
            hint=f"it had no training samples; some that had: {some}",
        )
    intercept, features, values = part.coefficients_of(position)
    rows = _named(model.index_of(coordinate), features, values)
    return [{"feature": INTERCEPT, "coefficient": intercept}] * part.intercept + rows


def movers(model: Mixed, coordinate: str, top: int) -> Rows:
    """Return the entities with the largest coefficient vectors.

    The norm includes the intercept: it says how far an entity's scores may be from the rest.
    """
    part = _part(model, coordinate, EntityModel)
    norms = _norms(part)
    order = np.argsort(-norms, kind="stable")[:top]
    rows = []
    for position in order.tolist():
        intercept, features, values = part.coefficients_of(position)
        rows.append(
            {
                "entity": part.table.ids[position].as_py(),
                "samples": int(part.table.samples[position]),
                "norm": float(norms[position]),
                "intercept": intercept,
                "top": _named(model.index_of(coordinate), features, values)[:3],
            }
        )
    return rows


def _part(model: Mixed, coordinate: str, kind: type[_P]) -> _P:
    part = model.parts[coordinate]
    if not isinstance(part, kind):
        found, wanted = ("random", "fixed") if kind is LinearModel else ("fixed", "random")
        raise ModelError(f"coordinate {coordinate!r}", f"a {found} effect", f"a {wanted} effect")
    return part


def _norms(part: EntityModel) -> NDArray[np.float64]:
    intercepts, values = part.split()
    # reduceat cannot do empty runs: sums of squares come from differences of their running sum
    running = np.concatenate([[0.0], np.cumsum(values * values)])
    pointers = part.table.feature_ptr
    squares = running[pointers[1:]] - running[pointers[:-1]]
    norms: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0) + intercepts * intercepts)
    return norms


def _named(index: FeatureIndex, features: NDArray[np.integer], values: NDArray[np.float64]) -> Rows:
    order = np.argsort(-np.abs(values), kind="stable")
    return [
        {"feature": index.label(int(features[i])), "coefficient": float(values[i])} for i in order
    ]
