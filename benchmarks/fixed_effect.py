"""The fixed effect: one sparse logistic regression, against scikit-learn's solvers."""

import argparse
import os
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from gdmix.coordinates import FixedEffect, Setting
from gdmix.data.dataset import Csr, Dataset
from gdmix.engines.local import LocalEngine
from gdmix.glm.losses import Logistic
from timing import race


def make(rows, features, of, seed=0):
    """Make sparse rows with labels that follow a linear model."""
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.integers(of, size=(rows, features)), axis=1).astype(np.int32)
    values = rng.normal(size=(rows, features))
    truth = rng.normal(size=of) / np.sqrt(features)
    score = (values * truth[indices]).sum(1) - 0.5
    label = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(float)
    indptr = np.arange(rows + 1, dtype=np.int64) * features
    csr = Csr(indptr, indices.ravel(), values.ravel(), of)
    return Dataset(rows, label, np.ones(rows), np.zeros(rows), shards={"x": csr})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--of", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    data = make(options.rows, options.features, options.of)
    csr = data.shards["x"]
    shape = (data.rows, csr.width)
    matrix = sp.csr_matrix((csr.values, csr.indices, csr.indptr), shape, copy=True)
    matrix.sum_duplicates()
    engine = LocalEngine(options.threads)

    def ours(optimizer):
        effect = FixedEffect(l2=1.0, optimizer=optimizer, tolerance=1e-7)
        return lambda: effect.fit(engine, data, Setting("x", Logistic()), data.offset).objective

    def theirs(solver):
        def solve():
            model = LogisticRegression(C=1.0, solver=solver, tol=1e-4, max_iter=1000)
            model.fit(matrix, data.label)
            w, b = model.coef_[0], model.intercept_[0]
            margin = matrix @ w + b
            return np.logaddexp(0, margin).sum() - data.label @ margin + 0.5 * w @ w

        return solve

    print(f"{data.rows:,} samples x {options.features} of {csr.width:,} features")
    warnings.simplefilter("ignore", ConvergenceWarning)
    contenders = {f"gdmix {name}": ours(name) for name in ("lbfgs", "tron")}
    for contender in contenders.values():
        contender()  # loads the kernels
    solvers = ("lbfgs", "newton-cg", "newton-cholesky", "liblinear")
    race(contenders | {f"scikit-learn {solver}": theirs(solver) for solver in solvers})


if __name__ == "__main__":
    main()
