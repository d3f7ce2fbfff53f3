"""Random effects: many small logistic regressions, against SciPy and scikit-learn per entity."""

import argparse

import numpy as np
import pyarrow as pa
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from gdmix.coordinates import RandomEffect, Setting
from gdmix.data.dataset import Csr, Dataset, EntityColumn
from gdmix.engines.local import LocalEngine
from gdmix.glm.losses import Logistic
from linkedin import linkedin_loop
from timing import race


def make(entities, samples, features, of, seed=0):
    """Make a data set: every sample has `features` distinct features out of `of`."""
    rng = np.random.default_rng(seed)
    rows = entities * samples
    order = np.argsort(rng.random((rows, of)), axis=1)[:, :features]
    indices = np.sort(order, axis=1).astype(np.int32)
    values = rng.normal(size=(rows, features))
    truth = rng.normal(size=(entities, of))
    codes = np.repeat(np.arange(entities, dtype=np.int32), samples)
    score = (values * truth[codes[:, None], indices]).sum(1)
    label = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(float)
    indptr = np.arange(rows + 1, dtype=np.int64) * features
    return Dataset(
        rows=rows,
        label=label,
        weight=np.ones(rows),
        offset=np.zeros(rows),
        entities={"id": EntityColumn(pa.array(np.arange(entities)), codes)},
        shards={"z": Csr(indptr, indices.ravel(), values.ravel(), of)},
    )


def gdmix(data, threads):
    """Return the total objective."""
    engine = LocalEngine(threads)
    effect = RandomEffect("id", l2=1.0, tolerance=1e-6)

    def solve():
        return effect.fit(engine, data, Setting("z", Logistic()), data.offset).objective

    solve()  # groups the rows, as a run does once, and loads the kernels
    return solve


def designs(data, entities):
    """Return dense design matrices with an intercept column, and labels, by entity."""
    csr, codes = data.shards["z"], data.entities["id"].codes
    rows = int(np.searchsorted(codes, entities))
    dense = np.zeros((rows, csr.width + 1))
    dense[:, 0] = 1.0
    inside = slice(csr.indptr[rows])
    row = np.repeat(np.arange(rows), np.diff(csr.indptr[: rows + 1]))
    dense[row, 1 + csr.indices[inside]] = csr.values[inside]
    codes = codes[:rows]
    return [(dense[codes == e], data.label[:rows][codes == e]) for e in range(entities)]


def value(w, x, y):
    """Objective and gradient of one entity."""
    margin = x @ w
    loss = np.logaddexp(0, margin).sum() - y @ margin + 0.5 * w @ w
    return loss, x.T @ (1 / (1 + np.exp(-margin)) - y) + w


def scipy_loop(problems):
    """L-BFGS-B for each entity."""

    def solve():
        options = {"maxiter": 200, "ftol": 1e-12, "gtol": 1e-6}
        start = np.zeros(problems[0][0].shape[1])
        return sum(
            minimize(value, start, (x, y), jac=True, method="L-BFGS-B", options=options).fun
            for x, y in problems
        )

    return solve


def sklearn_loop(problems):
    """scikit-learn for each entity; the intercept is a penalized column, as ours is."""

    def solve():
        total = 0.0
        for x, y in problems:
            model = LogisticRegression(
                C=1.0, fit_intercept=False, tol=1e-6, solver="newton-cholesky"
            )
            if y.min() == y.max():
                continue
            total += value(model.fit(x, y).coef_[0], x, y)[0]
        return total

    return solve


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--of", type=int, default=50)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--linkedin", metavar="FOLDER", help="with gdmix-trainer 0.3.0")
    parser.add_argument("--peers", type=int, default=500, help="entities given to the peers")
    options = parser.parse_args()
    shape = (options.samples, options.features, options.of)
    print(f"{options.entities:,} entities x {shape[0]} samples x {shape[1]} of {shape[2]} features")
    everything = make(options.entities, *shape)
    solve = gdmix(everything, options.threads)
    race({"gdmix, all entities": solve})
    print(f"\nthe first {options.peers} entities of the same kind, one thread")
    few = make(options.peers, *shape)
    problems = designs(few, options.peers)
    two_classes = [item for item in problems if item[1].min() < item[1].max()]
    if len(two_classes) < len(problems):
        print(f"(scikit-learn leaves out {len(problems) - len(two_classes)} of one class)")
    contenders = {
        "gdmix": gdmix(few, 1),
        "SciPy L-BFGS-B, an entity at a time": scipy_loop(problems),
        "scikit-learn newton-cholesky": sklearn_loop(problems),
    }
    if options.linkedin:
        contenders["gdmix-trainer 0.3.0"] = linkedin_loop(options.linkedin, problems)
    race(contenders)


if __name__ == "__main__":
    main()
