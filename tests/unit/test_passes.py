import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gdmix.glm import kernels, passes, tiles
from gdmix.glm.kernels import Block
from tests.ragged import LOSSES, dense, random_block, sparse

# past one turn of every loop over a few hundred rows
ROWS, WIDTH = 1100, 6

losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
cases = pytest.mark.parametrize(
    ("full", "intercept"), [(full, intercept) for full in (0, WIDTH) for intercept in (0, 1)]
)


class Case:
    """Rows of a block that lie in the middle of larger arrays, as an engine cuts them."""

    def __init__(self, full, intercept, width=WIDTH, density=0.5):
        rng = np.random.default_rng(intercept)
        block = random_block(7, ROWS + 5, width, density)
        if full:
            label, weight = block.label, block.weight
            block = sparse(rng.normal(size=(ROWS + 5, width)), label, weight)
        self.x = dense(block, width, intercept)[5:]
        self.block = Block(
            block.indptr[5:], block.indices, block.values, block.label[5:], block.weight[5:]
        )
        self.offset = rng.normal(size=ROWS)
        self.vector = rng.normal(size=intercept + width)
        self.curve = rng.random(ROWS)
        self.before = rng.normal(size=intercept + width)


@cases
def test_multiply(full, intercept):
    case = Case(full, intercept)
    out = np.empty(ROWS)
    passes.multiply(case.block, full, case.vector, intercept, out)
    assert_allclose(out, case.x @ case.vector, atol=1e-13)


@losses
@cases
def test_value_and_gradient(full, intercept, loss):
    case = Case(full, intercept)
    out = case.before.copy()
    value = passes.value_and_gradient(
        loss, case.block, full, case.offset, case.vector, intercept, out
    )
    margin = case.offset + case.x @ case.vector
    values = [loss.value(s, y) for s, y in zip(margin, case.block.label, strict=True)]
    slopes = [loss.d1(s, y) for s, y in zip(margin, case.block.label, strict=True)]
    assert value == pytest.approx(case.block.weight @ values, rel=1e-13)
    assert_allclose(out, case.before + case.x.T @ (case.block.weight * slopes), atol=1e-11)


@losses
@cases
def test_hessian_diagonal(full, intercept, loss):
    case = Case(full, intercept)
    out = case.before.copy()
    passes.hessian_diagonal(loss, case.block, full, case.offset, case.vector, intercept, out)
    margin = case.offset + case.x @ case.vector
    curves = [loss.d2(s, y) for s, y in zip(margin, case.block.label, strict=True)]
    expected = (case.block.weight * curves) @ case.x**2
    assert_allclose(out, case.before + expected, atol=1e-11)


@cases
def test_the_hessian_and_its_product_with_a_vector(full, intercept):
    case = Case(full, intercept)
    expected = (case.x.T * case.curve) @ case.x
    product = case.before.copy()
    passes.hessian_vector(case.block, full, case.curve, case.vector, intercept, product)
    assert_allclose(product, case.before + expected @ case.vector, atol=1e-11)
    upper = tiles.hessian(case.block, case.curve, WIDTH, intercept)
    assert_allclose(upper, np.triu(expected), atol=1e-11)


@pytest.mark.parametrize("intercept", [0, 1])
@pytest.mark.parametrize(("width", "density"), [(9, 0.1), (9, 0.3), (11, 0.9), (3, 1.0), (1, 1.0)])
def test_the_hessian_of_rows_with_few_or_many_features(width, density, intercept):
    case = Case(0, intercept, width, density)
    expected = np.triu((case.x.T * case.curve) @ case.x)
    assert_allclose(tiles.hessian(case.block, case.curve, width, intercept), expected, atol=1e-11)
    by_pairs = np.zeros_like(expected)
    kernels.hessian(case.block, 0, ROWS, case.curve, intercept, by_pairs)
    assert_allclose(by_pairs, expected, atol=1e-11)


def test_no_rows_and_no_features():
    block = sparse(np.zeros((2, 0)), [0.0, 1.0])
    margin, gradient, none = np.zeros(2), np.zeros(1), np.zeros(0)
    passes.multiply(block, 0, np.array([0.5]), 1, margin)
    assert np.all(margin == 0.5)
    assert tiles.hessian(block, np.ones(2), 0, 1).tolist() == [[2.0]]
    assert tiles.hessian(block, np.ones(2), 0, 0).shape == (0, 0)
    empty = Block(block.indptr[:1], block.indices, block.values, none, none)
    assert passes.value_and_gradient(LOSSES[0], empty, 0, none, np.ones(1), 1, gradient) == 0.0
    assert gradient[0] == 0.0


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="this is the plain run")
def test_kernels_are_plain_python_too():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert "1 skipped" in run.stdout
