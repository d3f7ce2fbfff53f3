"""Histograms counted here, so that a page holds bars and never the values of a million entities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BINS = 30


@dataclass(frozen=True)
class Histogram:
    """Counts between edges.

    Attributes
    ----------
    edges : tuple of float
        One more than counts.
    counts : tuple of int
    whole : bool
        Whether the values are whole numbers: a bin then holds ``edge <= value < next edge``.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    whole: bool = False


def of_sizes(values: NDArray[np.integer[Any]]) -> Histogram | None:
    """Count whole numbers in bins that grow by a constant factor; None without any."""
    if not len(values):
        return None
    low, top = max(int(values.min()), 1), max(int(values.max()), 1) + 1
    # small sizes have one bin each; rounding makes some of the bins equal
    edges = np.unique(np.round(np.geomspace(low, top, _BINS + 1)))
    return _counted(np.asarray(values, np.float64), edges, whole=True)


def of_values(values: Floats) -> Histogram | None:
    """Count finite values in equal bins; the few far outside are counted in the outer bins."""
    edges = edges_for(values)
    return None if edges is None else _counted(values[np.isfinite(values)], edges)


def edges_for(values: Floats, bins: int = _BINS) -> Floats | None:
    """Return equal bins over all but the outermost 0.5 percent; None without finite values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [0.005, 0.995])
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        # one value: a bin around it
        width = 0.05 * max(abs(low), 1.0)
        return np.array([low - width, high + width])
    return np.linspace(low, high, bins + 1)


def counted(values: Floats, edges: Floats) -> Histogram:
    """Count finite values between given edges; those outside go to the outer bins."""
    return _counted(values[np.isfinite(values)], edges)


def _counted(values: Floats, edges: Floats, *, whole: bool = False) -> Histogram:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()), whole)
