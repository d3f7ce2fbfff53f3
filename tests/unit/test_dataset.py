from itertools import pairwise

import numpy as np
import pytest

from gdmix.data.dataset import Csr, Dataset


def made(indptr, indices, width, values=None):
    indptr, indices = np.array(indptr, np.int64), np.array(indices, np.int32)
    csr = Csr(indptr, indices, np.ones(len(indices)) if values is None else values, width)
    rows = len(indptr) - 1
    return Dataset(rows, np.zeros(rows), np.ones(rows), np.zeros(rows), shards={"s": csr})


def regular(rows, features, width):
    """Return rows of `features` each, all the same ones."""
    return made(
        np.arange(rows + 1) * features, np.tile(np.arange(features, dtype=np.int32), rows), width
    )


@pytest.mark.parametrize(
    ("indptr", "indices", "width", "full"),
    [
        ([0, 2, 4], [0, 1, 0, 1], 2, True),
        ([0, 2, 4], [0, 1, 1, 0], 2, False),  # out of order
        ([0, 2, 3], [0, 1, 0], 2, False),  # one missing
        ([0, 2, 4], [0, 1, 0, 1], 3, False),  # a feature of no row
        ([0, 2, 4], [0, 0, 0, 1], 2, False),
        ([0, 1, 4], [0, 1, 0, 1], 2, False),
        ([0], [], 2, True),
        ([0, 0], [], 0, True),
    ],
)
def test_rows_are_full_when_they_hold_all_features_in_order(indptr, indices, width, full):
    assert made(indptr, indices, width).full == {"s": full}


@pytest.mark.parametrize("rows", [0, 1, 7, 100_000, 1_000_000])
def test_blocks_are_consecutive_and_cover_all_rows(rows):
    bounds = regular(rows, 3, 5).bounds("s")
    assert bounds[0] == 0
    assert bounds[-1] == rows
    assert all(a < b for a, b in pairwise(bounds)) or rows == 0


def test_a_block_is_worth_its_gradient():
    narrow, wide = regular(1_000_000, 3, 5), regular(1_000_000, 3, 200_000)
    assert len(narrow.bounds("s")) - 1 == 16
    assert len(wide.bounds("s")) - 1 == 2
    assert len(regular(100, 3, 200_000).bounds("s")) - 1 == 1
