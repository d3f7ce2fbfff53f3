"""Statistics of the features of a shard: by blocks of rows, merged in the order of the rows.

The mean and the squared deviations are kept for values that are not zero, and merged by the
formula of Chan, Golub and LeVeque (1979); zeros, which sparse rows do not hold, join at the end.
So a column of large numbers that differ little keeps its digits, however the rows are cut.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.index import FeatureIndex
from gdmix.jit import kernel

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """What some rows say of every feature; all but `rows` is float64[features].

    Attributes
    ----------
    rows : float64[1]
    nonzeros : values that are not zero
    mean, squares : their mean, and the sum of squared deviations from it
    low, high : the least and the largest of them; infinities where there is none
    norm_l1, norm_l2_squared : sums of magnitudes and of squares
    """

    rows: Floats
    nonzeros: Floats
    mean: Floats
    squares: Floats
    low: Floats
    high: Floats
    norm_l1: Floats
    norm_l2_squared: Floats


def moments(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: Floats, width: int
) -> Moments:
    """Return the moments of sparse rows in which no row holds a feature twice."""
    nonzeros, mean, squares, norm_l1, norm_l2_squared = np.zeros((5, width))
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    rows = np.full(1, float(len(indptr) - 1))
    found = Moments(rows, nonzeros, mean, squares, low, high, norm_l1, norm_l2_squared)
    add_values(indptr, indices, values, found)
    return found


def merged(first: Moments, second: Moments) -> Moments:
    """Return the moments of the rows of both."""
    nonzeros = first.nonzeros + second.nonzeros
    share = np.divide(second.nonzeros, nonzeros, out=np.zeros_like(nonzeros), where=nonzeros > 0)
    # the mean of no values says nothing
    both = (first.nonzeros > 0) & (second.nonzeros > 0)
    apart = np.where(both, second.mean - first.mean, 0.0)
    mean = np.where(first.nonzeros > 0, first.mean + apart * share, second.mean)
    with np.errstate(over="ignore"):
        squares = first.squares + second.squares + apart * apart * first.nonzeros * share
    return Moments(
        first.rows + second.rows,
        nonzeros,
        mean,
        squares,
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.norm_l1 + second.norm_l1,
        first.norm_l2_squared + second.norm_l2_squared,
    )


@kernel
def add_values(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], values: Floats, out: Moments
) -> None:
    """Fill the moments of rows into arrays that `moments` made."""
    for k in range(indptr[0], indptr[len(indptr) - 1]):
        value = values[k]
        if value != 0.0:
            j = indices[k]
            out.nonzeros[j] += 1.0
            out.mean[j] += value
            out.low[j] = min(out.low[j], value)
            out.high[j] = max(out.high[j], value)
            out.norm_l1[j] += abs(value)
            out.norm_l2_squared[j] += value * value
    for j in range(len(out.mean)):
        if out.nonzeros[j] > 0.0:
            out.mean[j] /= out.nonzeros[j]
    for k in range(indptr[0], indptr[len(indptr) - 1]):
        value = values[k]
        if value != 0.0:
            away = value - out.mean[indices[k]]
            out.squares[indices[k]] += away * away


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of every feature of a shard, zeros counted and rows unweighted.

    Attributes
    ----------
    count : int64[features]
        Rows.
    mean, variance : float64[features]
        The variance is that of a sample, over ``count - 1``; 0 for one row and exactly 0 for a
        feature that never changes.
    min, max : float64[features]
    nonzeros : int64[features]
    norm_l1, norm_l2, mean_abs : float64[features]
        Sum of magnitudes, root of the sum of squares, mean of magnitudes.
    """

    count: NDArray[np.int64]
    mean: Floats
    variance: Floats
    min: Floats
    max: Floats
    nonzeros: NDArray[np.int64]
    norm_l1: Floats
    norm_l2: Floats
    mean_abs: Floats

    @classmethod
    def of(cls, found: Moments) -> Statistics:
        """Finish the moments of all rows, with the zeros that no row holds."""
        rows = float(found.rows[0])
        zeros = rows - found.nonzeros
        share = found.nonzeros / max(rows, 1.0)
        with np.errstate(over="ignore"):
            squares = found.squares + found.mean**2 * zeros * share
        # without a value that is not zero both are infinite, and zeros are there
        low = np.where(zeros > 0, np.minimum(found.low, 0.0), found.low)
        high = np.where(zeros > 0, np.maximum(found.high, 0.0), found.high)
        # rounding of the mean is no spread
        variance = np.where(low == high, 0.0, squares / max(rows - 1.0, 1.0))
        return cls(
            np.full(len(zeros), int(rows)),
            np.where(low == high, low, found.mean * share),
            variance,
            low,
            high,
            found.nonzeros.astype(np.int64),
            found.norm_l1,
            np.sqrt(found.norm_l2_squared),
            found.norm_l1 / max(rows, 1.0),
        )

    def to_table(self, index: FeatureIndex) -> pa.Table:
        """Return a table of name, term, index and all statistics, feature by feature."""
        table = index.to_table()
        for field in fields(self):
            table = table.append_column(field.name, pa.array(getattr(self, field.name)))
        return table

    @classmethod
    def from_table(cls, table: pa.Table) -> Statistics | None:
        """Rebuild from the table that `to_table` gave; None when it has no statistics."""
        if not {field.name for field in fields(cls)} <= set(table.column_names):
            return None
        table = table.sort_by("index")
        return cls(*(table[field.name].to_numpy() for field in fields(cls)))
