"""Down-sampling: fewer rows that weigh as much as all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.data.dataset import Csr, Dataset
from gdmix.data.grouping import gather_rows
from gdmix.data.hashing import hash_uids
from gdmix.data.sampling import Thinning, thinned


class Thinned(NamedTuple):
    """What is left of a data set, with one shard.

    Attributes
    ----------
    rows : Dataset
    positions : int64[rows left]
        Where they lie in the whole.
    """

    rows: Dataset
    positions: NDArray[np.int64]


def thin(dataset: Dataset, shard: str, by: Thinning) -> Thinned:
    """Leave rows out by a hash of their uid, and let the others make up for their weight.

    The weights of rows that could have been left out are divided by the rate, so that the loss,
    and with it what a penalty weighs against, is as large as that of all rows in expectation.
    """
    hashes = hash_uids(dataset.uid, dataset.rows, by.salt)
    positions = np.flatnonzero(thinned(by, hashes, dataset.label))
    label, weight = dataset.label[positions], dataset.weight[positions]
    weight = np.where(by.negatives & (label > 0.0), weight, weight / by.rate)
    csr = dataset.shards[shard]
    gathered = gather_rows(csr.indptr, csr.indices, csr.values, positions)
    rows = Dataset(
        len(positions),
        label,
        weight,
        dataset.offset[positions],
        has_label=dataset.has_label,
        shards={shard: Csr(*gathered, csr.width)},
    )
    return Thinned(rows, positions)
