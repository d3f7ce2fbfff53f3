"""Pieces of columns → the CSR rows of a shard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Csr
from gdmix.data.index import FeatureIndex
from gdmix.data.piece import Piece
from gdmix.jit import kernel


def encode(rows: int, pieces: Sequence[Piece], index: FeatureIndex) -> tuple[Csr, int]:
    """Assemble the rows of one batch.

    Parameters
    ----------
    rows : int
        Rows in the batch.
    pieces : sequence of Piece
        One for each column of the shard, in the shard's order.
    index : FeatureIndex
        Features it does not hold are dropped.

    Returns
    -------
    Csr, int
        The rows, and how many values were dropped.
    """
    known = [_known(piece, index) for piece in pieces]
    counts = np.zeros(rows, np.int64)
    for piece, _ in known:
        counts += 1 if piece.lengths is None else piece.lengths
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    indices = np.empty(indptr[-1], np.int32)
    values = np.empty(indptr[-1], np.float64)
    next_slot = indptr[:-1].copy()
    for piece, _ in known:
        slots = _slots(next_slot, piece.lengths)
        indices[slots] = piece.codes
        values[slots] = 1.0 if piece.values is None else piece.values
        next_slot += 1 if piece.lengths is None else piece.lengths
    if any(piece.may_repeat for piece in pieces) or len(pieces) > 1:
        kept = sum_repeated(indptr, indices, values, np.full(len(index), -1, np.int64))
        indices, values = indices[:kept], values[:kept]
    return Csr(indptr, indices, values, len(index)), sum(dropped for _, dropped in known)


def concatenate(parts: Sequence[Csr]) -> Csr:
    """Put the rows of batches under each other."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0] + [len(part.indices) for part in parts])
    pointers = [part.indptr[1:] + start for part, start in zip(parts, starts, strict=False)]
    return Csr(
        np.concatenate([np.zeros(1, np.int64), *pointers]),
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.values for part in parts]),
        parts[0].width,
    )


def _known(piece: Piece, index: FeatureIndex) -> tuple[Piece, int]:
    codes = index.positions(piece.keys)[piece.codes]
    keep = codes >= 0
    dropped = len(codes) - int(np.count_nonzero(keep))
    if not dropped:
        return piece._replace(codes=codes), 0
    lengths = piece.lengths
    if lengths is None:
        lengths = keep.astype(np.int64)
    else:
        ends = np.concatenate([[0], np.cumsum(keep)])
        stops = np.cumsum(lengths)
        lengths = ends[stops] - ends[stops - lengths]
    values = None if piece.values is None else piece.values[keep]
    return piece._replace(lengths=lengths, codes=codes[keep], values=values), dropped


def _slots(first: NDArray[np.int64], lengths: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if lengths is None:
        return first
    total = int(lengths.sum())
    within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(first, lengths) + within


@kernel
def sum_repeated(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64],
    seen_at: NDArray[np.int64],
) -> int:
    """Add up values of a feature that a row holds more than once, in place.

    `seen_at` is scratch, int64[features], filled with -1. Returns the number of values left.
    """
    out = 0
    start = indptr[0]
    for row in range(len(indptr) - 1):
        stop = indptr[row + 1]
        first_out = out
        for k in range(start, stop):
            feature = indices[k]
            slot = seen_at[feature]
            if slot >= first_out and slot < out and indices[slot] == feature:
                values[slot] += values[k]
            else:
                seen_at[feature] = out
                indices[out] = feature
                values[out] = values[k]
                out += 1
        start = stop
        indptr[row + 1] = out
    return out
