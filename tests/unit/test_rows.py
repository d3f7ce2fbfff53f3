"""The loss over an engine's rows against dense NumPy, on several blocks and threads."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

from gdmix.coordinates.rows import LossOverRows
from gdmix.data.dataset import Csr, Dataset
from gdmix.engines.local import LocalEngine
from gdmix.glm.losses import Logistic

ROWS, WIDTH = 170_000, 12

kinds = pytest.mark.parametrize("kind", ["full", "many", "few"])


def made(kind):
    """Return rows with all features, with most of them, or with few, and the dense matrix."""
    rng = np.random.default_rng(3)
    share = {"full": 1.0, "many": 0.8, "few": 0.2}[kind]
    matrix = rng.normal(size=(ROWS, WIDTH)) * (rng.random((ROWS, WIDTH)) < share)
    row, column = np.nonzero(matrix)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=ROWS))])
    csr = Csr(indptr, column.astype(np.int32), matrix[row, column], WIDTH)
    label = rng.integers(0, 2, ROWS).astype(float)
    return Dataset(ROWS, label, rng.random(ROWS), rng.normal(size=ROWS), shards={"s": csr}), matrix


def function(data, threads):
    return LossOverRows(LocalEngine(threads), data, "s", Logistic(), data.offset, 1)


@kinds
def test_value_gradient_and_hessian(kind):
    data, matrix = made(kind)
    ours = function(data, 2)
    assert ours.full == (WIDTH if kind == "full" else 0)
    point = np.random.default_rng(4).normal(size=1 + WIDTH)
    design = np.hstack([np.ones((ROWS, 1)), matrix])
    margin = data.offset + design @ point
    value, gradient = ours.value_and_gradient(point)
    losses = np.logaddexp(0.0, margin) - data.label * margin
    assert value == pytest.approx(data.weight @ losses, rel=1e-12)
    assert_allclose(
        gradient, design.T @ (data.weight * (expit(margin) - data.label)), atol=1e-8, rtol=1e-10
    )
    hessian = (design.T * (data.weight * expit(margin) * expit(-margin))) @ design
    curvature = ours.curvature(point)
    assert_allclose(curvature.dense(), hessian, rtol=1e-10, atol=1e-8)
    assert_allclose(curvature.diagonal(), np.diag(hessian), rtol=1e-10)
    for vector in np.eye(1 + WIDTH)[:3]:
        assert_allclose(curvature.multiply(vector), hessian @ vector, rtol=1e-10, atol=1e-8)


@kinds
def test_the_same_bits_on_any_number_of_threads(kind):
    data, _ = made(kind)
    # one block would prove nothing
    assert len(data.bounds("s")) > 2
    point = np.linspace(-1.0, 1.0, 1 + WIDTH)

    def everything(threads):
        ours = function(data, threads)
        curvature = ours.curvature(point)
        value, gradient = ours.value_and_gradient(point)
        forms = curvature.dense().ravel(), curvature.diagonal(), curvature.multiply(point)
        return np.concatenate([[value], gradient, *forms])

    alone = everything(1)
    assert np.array_equal(alone, everything(2))
    assert np.array_equal(alone, everything(5))


def test_what_a_function_returns_is_not_written_to():
    data, _ = made("full")
    kept = np.ones(3)
    total = LocalEngine(2).reduce(lambda block: (kept,), data, "s")[0]
    assert np.all(total == len(data.bounds("s")) - 1)
    assert np.all(kept == 1.0)
