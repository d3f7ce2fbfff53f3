"""A fixed effect on a dense matrix, and what dense NumPy says of its optimum."""

import numpy as np

from gdmix.coordinates import FixedEffect, Setting
from gdmix.data.dataset import Csr, Dataset
from gdmix.engines.local import LocalEngine
from tests.piecewise import losses_at
from tests.ragged import sparse

HEART = "photon-client/src/integTest/resources/DriverIntegTest/input/heart.txt"
MG = "photon-client/src/integTest/resources/DriverIntegTest/input/mg.txt"


def dataset(x, y, weight=None, offset=None):
    """Return the rows of a dense matrix as a data set with one shard, `all`."""
    block, rows = sparse(x, y, weight), len(y)
    shard = Csr(block.indptr, block.indices, block.values, x.shape[1])
    offset = np.zeros(rows) if offset is None else offset
    return Dataset(rows, block.label, block.weight, offset, shards={"all": shard})


def fit(x, y, loss, options, weight=None, offset=None, **setting):
    """Fit a fixed effect on dense rows."""
    rows = dataset(x, y, weight, offset)
    effect = FixedEffect(features=["x"], **options)
    return effect.fit(LocalEngine(2), rows, Setting("all", loss, **setting), rows.offset)


def design(x):
    """Return the matrix with a column of ones first."""
    return np.hstack([np.ones((len(x), 1)), x])


def steepness(loss, x, y, c, penalty, weight=1.0):
    """Return the norm of the least subgradient in the box, relative to the gradient at zero.

    `x` is the whole design, in the units of `c`, and so is the penalty.
    """

    def gradient(at):
        return x.T @ (weight * losses_at(loss, x @ at, y)[1])

    slope = gradient(c) + penalty.precision * (c - penalty.mean)
    shrunk = np.sign(slope) * np.maximum(np.abs(slope) - penalty.l1, 0.0)
    least = np.where(c != 0.0, slope + penalty.l1 * np.sign(c), shrunk)
    near = 1e-12 * np.maximum(1.0, np.abs(c))
    least[(c <= penalty.lower + near) & (least > 0.0)] = 0.0
    least[(c >= penalty.upper - near) & (least < 0.0)] = 0.0
    return np.linalg.norm(least) / np.linalg.norm(gradient(np.zeros_like(c)))
