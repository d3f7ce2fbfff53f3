"""The fixed effect: three logistic regressions, against scikit-learn's solvers and glum's.

Every fit runs in a process of its own, in turn with the others, on the same data and the same
threads. Peers are given a tolerance that brings their objectives within 1e-6 of the best one,
where they get there in time; gdmix has its default one.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

L2 = 1.0


class Shape(NamedTuple):
    """Rows, features of each, features in all; the peers, and how exactly they solve."""

    rows: int
    features: int
    of: int
    tolerance: float
    peers: tuple


SHAPES = {
    "sparse": Shape(
        1_000_000,
        20,
        1_000,
        1e-5,
        (
            "scikit-learn lbfgs",
            "scikit-learn newton-cg",
            "scikit-learn newton-cholesky",
            "scikit-learn liblinear",
            "glum irls-ls",
            "glum lbfgs",
        ),
    ),
    # a dense Hessian does not fit, and liblinear takes minutes
    "hashed": Shape(
        5_000_000,
        10,
        1_000_000,
        1e-6,
        ("scikit-learn lbfgs", "scikit-learn newton-cg", "glum lbfgs"),
    ),
    "dense": Shape(
        1_000_000,
        50,
        50,
        1e-5,
        (
            "scikit-learn lbfgs",
            "scikit-learn newton-cg",
            "scikit-learn newton-cholesky",
            "scikit-learn liblinear",
            "glum irls-ls",
            "glum lbfgs",
        ),
    ),
}


def make(folder, shape, rows, seed=0):
    """Write sparse rows, with labels that follow a linear model, as arrays of a CSR matrix."""
    rng = np.random.default_rng(seed)
    features, of = shape.features, shape.of
    if features == of:
        indices = np.tile(np.arange(of, dtype=np.int32), (rows, 1))
    else:
        # one feature from each of equal parts: no row has one twice, as rows of a table do not
        part = of // features
        indices = rng.integers(part, size=(rows, features), dtype=np.int32)
        indices += np.arange(features, dtype=np.int32) * part
    values = rng.normal(size=(rows, features))
    truth = rng.normal(size=of) / np.sqrt(features)
    score = np.einsum("ij,ij->i", values, truth[indices]) - 0.5
    label = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(float)
    np.save(folder / "indptr.npy", np.arange(rows + 1, dtype=np.int64) * features)
    np.save(folder / "indices.npy", indices.ravel())
    np.save(folder / "values.npy", values.ravel())
    np.save(folder / "label.npy", label)


def gdmix(data, options, optimizer):
    """Return what fits, and gives the intercept and the coefficients."""
    from gdmix.coordinates import FixedEffect, Setting
    from gdmix.engines.local import LocalEngine
    from gdmix.glm.losses import Logistic

    effect = FixedEffect(l2=L2, optimizer=optimizer)
    engine = LocalEngine(options.threads)

    def fit(rows):
        found = dataset(data, rows)
        part = effect.fit(engine, found, Setting("x", Logistic()), found.offset).part
        return part.coefficients[0], part.coefficients[1:]

    return fit


def dataset(data, rows):
    """Return the first rows as gdmix holds them."""
    from gdmix.data.dataset import Csr, Dataset

    shards = {"x": Csr(*data.first(rows), data.of)}
    return Dataset(rows, data.label[:rows], np.ones(rows), np.zeros(rows), shards=shards)


def passes(data, threads):
    """Return gdmix's loss over all rows, and how many bytes a pass has to read."""
    from gdmix.coordinates.rows import LossOverRows
    from gdmix.engines.local import LocalEngine
    from gdmix.glm.losses import Logistic

    rows = dataset(data, data.rows)
    function = LossOverRows(LocalEngine(threads), rows, "x", Logistic(), rows.offset, 1)
    features = data.values.nbytes if function.full else data.size
    return function, features + 3 * data.label.nbytes


def scikit_learn(data, options, solver):
    """Return what fits, and gives the intercept and the coefficients."""
    from sklearn.linear_model import LogisticRegression

    def fit(rows):
        model = LogisticRegression(C=1 / L2, solver=solver, tol=options.tolerance, max_iter=1000)
        model.fit(data.matrix(rows), data.label[:rows])
        return model.intercept_[0], model.coef_[0]

    return fit


def glum(data, options, solver):
    """Return what fits, and gives the intercept and the coefficients."""
    from glum import GeneralizedLinearRegressor

    def fit(rows):
        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=L2 / rows,
            l1_ratio=0,
            solver=solver,
            gradient_tol=options.tolerance,
            max_iter=1000,
        )
        model.fit(data.matrix(rows), data.label[:rows])
        return model.intercept_, model.coef_

    return fit


PACKAGES = {"gdmix": gdmix, "scikit-learn": scikit_learn, "glum": glum}


def main():
    from contest import contend

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--optimizers", nargs="+", default=["auto", "lbfgs"])
    parser.add_argument("--limit", type=float, default=30.0, help="seconds a fit may take")
    options = parser.parse_args()
    for name in options.shapes:
        shape = SHAPES[name]
        rows = int(shape.rows * options.scale)
        print(f"\n{name}: {rows:,} samples x {shape.features} of {shape.of:,} features")
        contenders = [f"gdmix {optimizer}" for optimizer in options.optimizers]
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), shape, rows)
            contend(Path(folder), [*contenders, *shape.peers], name, options)


if __name__ == "__main__":
    main()
