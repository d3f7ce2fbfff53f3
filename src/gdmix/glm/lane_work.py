"""Scratch of the solver that takes eight entities at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.glm.lanes import LANES
from gdmix.jit import inner_kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# what a lane is besides a Status; numba compiles for each plain integer once more
PENDING, OPEN, CLOSED = np.int64(-1), np.int64(-2), np.int64(-3)


class Sheet(NamedTuple):
    """Flat arrays of lanes.

    The unknowns of the dual are one for each row, those of the primal are the coefficients.

    Attributes
    ----------
    label, weight, base : float64[8 rows]
        `base` is the margin where the own score is zero. A row of no weight fills up a problem
        that has fewer rows than its neighbours.
    margin, ahead, move : float64[8 rows]
        Margins at the point and at the one tried; their change along the step.
    fit, slope, curve : float64[8 rows]
        Weighted loss, and its derivatives, at the last margins tried.
    own : float64[8 rows]
        In the dual: the own score, less that of the prior's mean.
    point, step, residual, image : float64[8 unknowns]
        In the dual `residual` is ``w d1 + a``, and `image` its product with the matrix; in the
        primal `residual` is the gradient.
    precision, mean : float64[8 unknowns]
        In the primal: of the ridge.
    matrix : float64[8 rows unknowns]
        ``X P^-1 X'`` in the dual, ``X`` in the primal.
    system : float64[8 unknowns (unknowns + 1)]
        The Newton system with its right-hand side.
    """

    label: Floats
    weight: Floats
    base: Floats
    margin: Floats
    ahead: Floats
    move: Floats
    fit: Floats
    slope: Floats
    curve: Floats
    own: Floats
    point: Floats
    step: Floats
    residual: Floats
    image: Floats
    precision: Floats
    mean: Floats
    matrix: Floats
    system: Floats


class Progress(NamedTuple):
    """One number of each of eight problems.

    Attributes
    ----------
    entity, rows, used, status : int64[8]
        Which entity, its rows, iterations used, and how it stands: see `lane_newton`.
    objective, fit, trial, trial_fit : float64[8]
        Objective and its loss at the point, and at the one tried.
    size, previous, reference, target : float64[8]
        Norm of the gradient, that before, that at zero, and that to reach.
    descent, length : float64[8]
        What the full step promises, and the length to go.
    scale : float64[8]
        The dual's precision where all are equal, else 0.
    warm, energy : float64[8]
        In the dual: 1 as long as the point is not ``mean + P^-1 X'a`` for some ``a``, and its
        penalty then, twice.
    """

    entity: Integers
    rows: Integers
    used: Integers
    status: Integers
    objective: Floats
    fit: Floats
    trial: Floats
    trial_fit: Floats
    size: Floats
    previous: Floats
    reference: Floats
    target: Floats
    descent: Floats
    length: Floats
    scale: Floats
    warm: Floats
    energy: Floats


class Scratch(NamedTuple):
    """Arrays of one problem.

    Attributes
    ----------
    precision, mean, gradient : float64[coefficients]
    column : int64[coefficients + 1]
        Where each feature's values lie.
    row : int64[nnz]
    entry : float64[nnz]
    """

    precision: Floats
    mean: Floats
    gradient: Floats
    column: Integers
    row: Integers
    entry: Floats


@inner_kernel
def make_sheet(rows: int, unknowns: int, product: int) -> Sheet:
    """Return arrays for problems of at most this many rows, unknowns, and their product."""
    return Sheet(
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(rows),
        aligned(unknowns),
        aligned(unknowns),
        aligned(unknowns),
        aligned(unknowns),
        aligned(unknowns),
        aligned(unknowns),
        aligned(product),
        aligned(unknowns * (unknowns + 1)),
    )


@inner_kernel
def aligned(size: int) -> Floats:
    """Return eight times `size` zeros from a cache line on: each vector is then in one line."""
    whole = np.zeros(LANES * size + 8)
    first = (-whole.ctypes.data % 64) // 8
    return whole[first : first + LANES * size]


@inner_kernel
def make_progress() -> Progress:
    """Return what is known of eight problems that are none yet."""
    return Progress(
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
        np.zeros(LANES),
    )


@inner_kernel
def make_scratch(coefficients: int, nnz: int) -> Scratch:
    """Return arrays for one problem of at most this size."""
    return Scratch(
        np.empty(coefficients),
        np.empty(coefficients),
        np.empty(coefficients),
        np.empty(coefficients + 1, np.int64),
        np.empty(nnz, np.int64),
        np.empty(nnz),
    )
