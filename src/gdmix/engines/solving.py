"""Entities grouped in one place → what was learnt of them, and their rows' margins."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from gdmix.data.grouping import Grouped
from gdmix.data.ids import positions
from gdmix.engine import EntityTable, Run
from gdmix.glm.alignment import copy_matching
from gdmix.glm.groups import Outcome
from gdmix.glm.kernels import Block

Floats = NDArray[np.float64]
Bounds = tuple[int, int]
Each = Callable[[Callable[[Bounds], None], list[Bounds]], Iterable[object]]
"""Calls a function for every run of entities, as ``map`` does."""


def solve(
    function: Callable[[Run], None],
    grouped: Grouped,
    intercept: int,
    offset: Floats,
    start: EntityTable | None,
    prior: EntityTable | None,
    each: Each = map,
) -> tuple[EntityTable, Floats]:
    """Call `function` on runs of whole entities.

    Parameters
    ----------
    function : callable
    grouped : Grouped
    intercept : int
    offset : float64[grouped rows]
        In the order of the entities.
    start, prior : EntityTable or None
        See `Engine.group`.
    each : callable, optional
        Who calls it: one run after another, or a pool of threads.

    Returns
    -------
    EntityTable, float64[grouped rows]
        What was learnt, and the own score of each row that trains.
    """
    pointers = grouped.feature_ptr + intercept * np.arange(grouped.entities + 1)
    coefficients = np.zeros(pointers[-1])
    _copy(grouped, intercept, start, "coefficients", coefficients)
    variances = np.zeros(pointers[-1])
    believed: tuple[Floats, ...] = ()
    if prior is not None:
        believed = np.full(pointers[-1], np.nan), np.full(pointers[-1], np.nan)
        _copy(grouped, intercept, prior, "coefficients", believed[0])
        _copy(grouped, intercept, prior, "variances", believed[1])
    margin = np.empty_like(offset)
    outcome = _empty_outcome(grouped.entities)
    block = Block(grouped.indptr, grouped.indices, grouped.values, grouped.label, grouped.weight)

    def run(bounds: Bounds) -> None:
        entities = (grouped.row_ptr, *bounds, grouped.feature_ptr, grouped.features)
        solution = (coefficients, pointers, margin, variances, outcome)
        function(Run(block, offset, *entities, *solution, *believed))

    for _ in each(run, grouped.runs()):
        pass
    learnt = (grouped.feature_ptr, grouped.features, coefficients, outcome, variances)
    table = EntityTable(grouped.ids, np.diff(grouped.row_ptr), *learnt)
    return table, margin - offset


def _empty_outcome(entities: int) -> Outcome:
    """Return an outcome for solvers to write to."""
    return Outcome(
        np.zeros(entities, np.int8),
        np.zeros(entities, np.int32),
        np.zeros(entities),
        np.zeros(entities),
        np.zeros(entities),
    )


def _copy(
    grouped: Grouped, intercept: int, source: EntityTable | None, name: str, out: Floats
) -> None:
    """Write what `source` has under `name` for the same entity and feature."""
    if source is None or getattr(source, name) is None:
        return
    copy_matching(
        positions(grouped.ids, source.ids),
        grouped.feature_ptr,
        grouped.features,
        source.feature_ptr,
        source.features,
        getattr(source, name),
        intercept,
        out,
    )
