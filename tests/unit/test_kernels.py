import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gdmix.glm import kernels
from tests.ragged import LOSSES, dense, random_block, sparse

WIDTH, START, STOP = 6, 3, 17

cases = pytest.mark.parametrize(
    ("seed", "intercept"), [(seed, intercept) for seed in range(4) for intercept in (0, 1)]
)
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


class Case:
    def __init__(self, seed, intercept):
        rng = np.random.default_rng(100 + seed)
        self.block = random_block(seed, width=WIDTH)
        self.size = WIDTH + intercept
        self.x = dense(self.block, WIDTH, intercept)[START:STOP]
        self.margin = 3.0 * rng.normal(size=len(self.block.label))
        self.curve = rng.random(len(self.block.label))
        self.vector = rng.normal(size=self.size)
        self.before = rng.normal(size=self.size)
        self.cut = slice(START, STOP)


@cases
def test_multiply(seed, intercept):
    case = Case(seed, intercept)
    out = np.full(len(case.margin), 7.0)
    kernels.multiply(case.block, START, STOP, case.vector, intercept, out)
    assert_allclose(out[case.cut], case.x @ case.vector, atol=1e-14)
    assert np.all(out[:START] == 7.0)
    assert np.all(out[STOP:] == 7.0)


@losses
@cases
def test_value_and_gradient(seed, intercept, loss):
    case = Case(seed, intercept)
    out = case.before.copy()
    value = kernels.value_and_gradient(loss, case.block, START, STOP, case.margin, intercept, out)
    w, y, s = case.block.weight[case.cut], case.block.label[case.cut], case.margin[case.cut]
    values = [loss.value(a, b) for a, b in zip(s, y, strict=True)]
    slopes = [loss.d1(a, b) for a, b in zip(s, y, strict=True)]
    assert value == pytest.approx(w @ values, rel=1e-14)
    assert_allclose(out, case.before + case.x.T @ (w * slopes), atol=1e-13)


@cases
def test_add_multiples(seed, intercept):
    case = Case(seed, intercept)
    out = case.before.copy()
    kernels.add_multiples(case.block, START, STOP, case.margin, intercept, out)
    assert_allclose(out, case.before + case.x.T @ case.margin[case.cut], atol=1e-13)


@losses
@cases
def test_slopes(seed, intercept, loss):
    case = Case(seed, intercept)
    margin = case.margin.copy()
    value = kernels.slopes(loss, case.block, START, STOP, margin)
    w, y, s = case.block.weight[case.cut], case.block.label[case.cut], case.margin[case.cut]
    values = [loss.value(a, b) for a, b in zip(s, y, strict=True)]
    slopes = [loss.d1(a, b) for a, b in zip(s, y, strict=True)]
    assert value == pytest.approx(w @ values, rel=1e-14)
    assert_allclose(margin[case.cut], w * slopes, rtol=1e-13)
    assert np.all(margin[:START] == case.margin[:START])
    assert np.all(margin[STOP:] == case.margin[STOP:])


@losses
@cases
def test_value_along(seed, intercept, loss):
    case = Case(seed, intercept)
    value = kernels.value_along(loss, case.block, START, STOP, case.margin, case.curve, 0.3)
    s = (case.margin + 0.3 * case.curve)[case.cut]
    values = [loss.value(a, b) for a, b in zip(s, case.block.label[case.cut], strict=True)]
    assert value == pytest.approx(case.block.weight[case.cut] @ values, rel=1e-14)


@losses
@cases
def test_curvature_may_overwrite_its_input(seed, intercept, loss):
    case = Case(seed, intercept)
    margin = case.margin.copy()
    kernels.curvature(loss, case.block, START, STOP, margin, margin)
    curves = [loss.d2(a, 0.0) for a in case.margin[case.cut]]
    assert_allclose(margin[case.cut], case.block.weight[case.cut] * curves, rtol=1e-14)
    assert np.all(margin[:START] == case.margin[:START])


@cases
def test_the_three_forms_of_the_hessian(seed, intercept):
    case = Case(seed, intercept)
    expected = (case.x.T * case.curve[case.cut]) @ case.x
    product, diagonal = case.before.copy(), case.before.copy()
    full = np.zeros((case.size, case.size))
    kernels.hessian_vector(case.block, START, STOP, case.curve, case.vector, intercept, product)
    kernels.hessian_diagonal(case.block, START, STOP, case.curve, intercept, diagonal)
    kernels.hessian(case.block, START, STOP, case.curve, intercept, full)
    assert_allclose(product, case.before + expected @ case.vector, atol=1e-13)
    assert_allclose(diagonal, case.before + np.diag(expected), atol=1e-13)
    assert_allclose(full, np.triu(expected), atol=1e-13)


def test_no_rows_and_no_features():
    block = sparse(np.zeros((2, 0)), [0.0, 1.0])
    gradient = np.zeros(1)
    margin = np.zeros(2)
    kernels.multiply(block, 0, 2, np.array([0.5]), 1, margin)
    assert np.all(margin == 0.5)
    value = kernels.value_and_gradient(LOSSES[0], block, 1, 1, margin, 1, gradient)
    assert value == 0.0
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
