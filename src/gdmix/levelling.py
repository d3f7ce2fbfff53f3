"""Before another sweep: what random effects' intercepts have in common moves to the fixed effect.

Descent by turns is slow along one direction: a constant taken from all intercepts of a random
effect and given to a fixed effect's changes no score, so that each alone sees little reason to move
(Gelfand, Sahu and Carlin, Efficient parametrisations for normal linear mixed models, 1995, tell of
the same in sampling). The best constant is the mean; it lowers the penalty, and leaves the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.coordinates import Coordinate, FixedEffect, RandomEffect, Setting
from gdmix.engine import Engine, Rows
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Part

Floats = NDArray[np.float64]


class Moved(NamedTuple):
    """What became of a coordinate.

    Attributes
    ----------
    part : Part
    shift : float
        What it adds to the score of every training row; over all coordinates, 0.
    saved : float
        By how much its penalty fell.
    """

    part: Part
    shift: float
    saved: float


def level(
    engine: Engine,
    rows: Rows,
    sequence: Sequence[str],
    coordinates: Mapping[str, Coordinate],
    settings: Mapping[str, Setting],
    parts: Mapping[str, Part],
) -> dict[str, Moved]:
    """Centre the intercepts of random effects, where a fixed effect has a free one.

    Parameters
    ----------
    engine : Engine
    rows : Rows
        Training data. A random effect must have a model for every row.
    sequence : sequence of str
        Coordinates in the order they are updated.
    coordinates, settings, parts
        By coordinate.
    """
    free = [name for name in sequence if _is_free(coordinates[name], settings[name])]
    if not free:
        return {}
    moved: dict[str, Moved] = {}
    for name in sequence:
        part, coordinate = parts[name], coordinates[name]
        if isinstance(part, EntityModel) and isinstance(coordinate, RandomEffect):
            price = _price(coordinate, settings[name])
            if price > 0.0 and _has_all(engine, rows, part):
                moved[name] = _centred(part, price)
    if moved:
        total = sum(one.shift for one in moved.values())
        moved[free[0]] = _raised(parts[free[0]], -total)
    return moved


def _has_all(engine: Engine, rows: Rows, part: EntityModel) -> bool:
    ids = part.table.ids
    return bool(len(ids)) and engine.strangers(rows, part.entity, ids) == 0


def _raised(part: Part, shift: float) -> Moved:
    assert isinstance(part, LinearModel)
    coefficients = part.coefficients.copy()
    coefficients[0] += shift
    return Moved(replace(part, coefficients=coefficients), shift, 0.0)


def _is_free(coordinate: Coordinate, setting: Setting) -> bool:
    """Tell whether an intercept may move at no cost."""
    if not (isinstance(coordinate, FixedEffect) and coordinate.intercept):
        return False
    return not _is_tied(setting) and not coordinate.penalize_intercept


def _price(coordinate: RandomEffect, setting: Setting) -> float:
    """Return the precision of the intercepts' ridge, 0 where another penalty holds them."""
    scale = setting.normalization
    if not coordinate.intercept or _is_tied(setting) or (scale is not None and scale.shift.any()):
        return 0.0
    penalty = coordinate.penalty(0, setting)
    return 0.0 if penalty.l1[0] > 0.0 else float(penalty.precision[0])


def _is_tied(setting: Setting) -> bool:
    return setting.box is not None or setting.previous is not None or setting.prior is not None


def _centred(part: EntityModel, price: float) -> Moved:
    """Return the part with intercepts of mean 0."""
    table = part.table
    heads = table.feature_ptr[:-1] + np.arange(len(table.ids))
    intercepts: Floats = table.coefficients[heads]
    mean = float(intercepts.mean())
    coefficients = table.coefficients.copy()
    coefficients[heads] -= mean
    change = 0.5 * price * (coefficients[heads] ** 2 - intercepts**2)
    outcome = table.outcome._replace(
        penalty=table.outcome.penalty + change, objective=table.outcome.objective + change
    )
    moved = table._replace(coefficients=coefficients, outcome=outcome)
    return Moved(replace(part, table=moved), -mean, -float(change.sum()))
