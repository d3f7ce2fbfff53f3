"""`SparkColumn`: one number per row on the executors, as a sum taken when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.packed import load_array
from gdmix.engines.spark.answers import Record
from gdmix.engines.spark.cluster import Stored

Floats = NDArray[np.float64]

_FILE = "column.npy"


class Sum(NamedTuple):
    """How numbers of a partition are made of its stored columns.

    Attributes
    ----------
    factors : tuple of float
        Of each.
    constant : float
    """

    factors: tuple[float, ...]
    constant: float

    def of(self, records: Sequence[Record], rows: int) -> NDArray[Any]:
        """Return the numbers of a partition's rows."""
        arrays = [load_array(record.open() / _FILE) for record in records]
        if self.factors == (1.0,) and self.constant == 0.0:
            return arrays[0]
        out = np.full(rows, self.constant)
        for factor, array in zip(self.factors, arrays, strict=True):
            out += array if factor == 1.0 else factor * array
        return out


class SparkColumn:
    """A sum of stored columns and a constant; ``+`` and ``-`` cost nothing.

    A column that is taken away again is gone: what a sum does not hold is not kept.

    Parameters
    ----------
    terms : dict of Stored to float
    constant : float
    """

    def __init__(self, terms: dict[Stored, float], constant: float = 0.0) -> None:
        self._terms, self._constant = terms, constant

    @property
    def stored(self) -> tuple[Stored, ...]:
        """The stored columns, in the order in which they came."""
        return tuple(self._terms)

    @property
    def sum(self) -> Sum:
        """How they are added up."""
        return Sum(tuple(self._terms.values()), self._constant)

    @property
    def is_plain(self) -> bool:
        """Whether it is one stored column as it is."""
        return self.sum.factors == (1.0,) and self._constant == 0.0

    def __add__(self, other: SparkColumn | float) -> SparkColumn:
        return self._with(other, 1.0)

    def __sub__(self, other: SparkColumn | float) -> SparkColumn:
        return self._with(other, -1.0)

    __radd__ = __add__

    def _with(self, other: SparkColumn | float, sign: float) -> SparkColumn:
        if not isinstance(other, SparkColumn):
            return SparkColumn(self._terms, self._constant + sign * float(other))
        terms = dict(self._terms)
        for stored, factor in other._terms.items():
            terms[stored] = terms.get(stored, 0.0) + sign * factor
        left = {stored: factor for stored, factor in terms.items() if factor != 0.0}
        return SparkColumn(left, self._constant + sign * other._constant)


def save_column(folder: Path, column: NDArray[Any]) -> None:
    """Write a partition of a column."""
    np.save(folder / _FILE, column)
