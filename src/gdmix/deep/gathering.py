"""Lists of some rows, gathered from those of all rows by array operations alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def places(pointers: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """Find the elements of some lists, one list after the other.

    Parameters
    ----------
    pointers : int64[lists + 1]
        Where each of all lists begins.
    chosen : int64[some]
        Numbers of lists.

    Returns
    -------
    begins : int64[some + 1]
        Where each chosen list begins among the found elements.
    elements : int64[total]
        Where they lie among the elements of all lists.
    """
    first = pointers[chosen]
    sizes = pointers[chosen + 1] - first
    begins = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(sizes, out=begins[1:])
    elements = np.arange(begins[-1]) + np.repeat(first - begins[:-1], sizes)
    return begins, elements


def padded(
    pointers: Integers, ids: NDArray[np.int32], chosen: Integers, pad: int, least: int
) -> tuple[Integers, Integers]:
    """Gather some lists into a table.

    Parameters
    ----------
    pointers : int64[lists + 1]
    ids : int32[total]
    chosen : int64[some]
        Numbers of lists.
    pad : int
        What shorter lists are filled up with.
    least : int
        Least length of the table.

    Returns
    -------
    table : int64[some, length]
        Its length is that of the longest list.
    sizes : int64[some]
    """
    begins, elements = places(pointers, chosen)
    sizes = np.diff(begins)
    length = max(int(sizes.max(initial=0)), least, 1)
    table = np.full((len(chosen), length), pad, np.int64)
    # an element's place in the table: its row's beginning there, and on
    shift = np.arange(len(chosen)) * length - begins[:-1]
    table.ravel()[np.arange(begins[-1]) + np.repeat(shift, sizes)] = ids[elements]
    return table, sizes
