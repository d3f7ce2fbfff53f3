"""Lists of some rows, gathered from those of all rows: what every batch begins with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gdmix.jit import kernel

Integers = NDArray[np.int64]
Singles = NDArray[np.float32]


def begins_of(pointers: Integers, chosen: Integers) -> Integers:
    """Return where each of some lists begins, and the last one ends, when they are end to end.

    Parameters
    ----------
    pointers : int64[lists + 1]
        Where each of all lists begins.
    chosen : int64[some]
        Numbers of lists.

    Returns
    -------
    int64[some + 1]
    """
    begins = np.zeros(len(chosen) + 1, np.int64)
    np.subtract(pointers[chosen + 1], pointers[chosen], out=begins[1:])
    return np.cumsum(begins, out=begins)


def places(pointers: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """Find the elements of some lists, one list after the other.

    Returns
    -------
    begins : int64[some + 1]
        As `begins_of` gives them.
    elements : int64[total]
        Where they lie among the elements of all lists.
    """
    begins = begins_of(pointers, chosen)
    shift = pointers[chosen] - begins[:-1]
    return begins, np.arange(begins[-1]) + np.repeat(shift, np.diff(begins))


def bagged(
    pointers: Integers, indices: NDArray[np.int32], values: NDArray[np.float64], chosen: Integers
) -> tuple[Integers, Integers, Singles]:
    """Gather sparse rows.

    Returns
    -------
    begins : int64[some + 1]
    indices : int64[total]
    values : float32[total]
    """
    begins = begins_of(pointers, chosen)
    wide, single = np.empty(begins[-1], np.int64), np.empty(begins[-1], np.float32)
    _copy_rows(pointers, indices, values, chosen, begins, wide, single)
    return begins, wide, single


def padded(
    pointers: Integers, ids: NDArray[np.int32], chosen: Integers, pad: int, least: int
) -> tuple[Integers, Integers]:
    """Gather lists into a table.

    Parameters
    ----------
    pointers : int64[lists + 1]
    ids : int32[total]
    chosen : int64[some]
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
    sizes = pointers[chosen + 1] - pointers[chosen]
    length = max(int(sizes.max(initial=0)), least, 1)
    table = np.empty((len(chosen), length), np.int64)
    _fill(pointers, ids, chosen, pad, table)
    return table, sizes


@kernel
def _copy_rows(
    pointers: Integers,
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    chosen: Integers,
    begins: Integers,
    wide: Integers,
    single: Singles,
) -> None:
    for row in range(len(chosen)):
        shift = pointers[chosen[row]] - begins[row]
        for place in range(begins[row], begins[row + 1]):
            wide[place] = indices[place + shift]
            single[place] = values[place + shift]


@kernel
def _fill(
    pointers: Integers, ids: NDArray[np.int32], chosen: Integers, pad: int, table: Integers
) -> None:
    for row in range(len(chosen)):
        begin = pointers[chosen[row]]
        size = pointers[chosen[row] + 1] - begin
        for place in range(size):
            table[row, place] = ids[begin + place]
        for place in range(size, table.shape[1]):
            table[row, place] = pad
