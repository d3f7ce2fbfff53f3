"""The Hessian of rows that are nearly dense, against NumPy; whether its blocks pay or not."""

import numpy as np
import pytest

from gdmix.glm.gram import add_hessian
from gdmix.jit import kernel
from tests.ragged import dense, sparse


@kernel
def call(rows, curve, intercept, h, size):
    """Kernels without an entry from Python are called by one that has it."""
    add_hessian(rows, curve, intercept, np.int64(1), h, size)


@pytest.mark.parametrize("rows", [1, 31, 32, 63, 64, 65, 200])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 40])
@pytest.mark.parametrize("density", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("intercept", [0, 1])
def test_it_is_the_product_of_matrices(rows, width, density, intercept):
    rng = np.random.default_rng(rows * width)
    matrix = rng.normal(size=(rows, width)) * (rng.random((rows, width)) < density)
    block = sparse(matrix, np.zeros(rows), rng=rng)
    curve = rng.uniform(0.0, 2.0, rows) * (rng.random(rows) < 0.9)
    size = intercept + width
    # as the solver has it: one more column, and room for larger entities
    h = np.ones((size + 2, size + 3))
    call(block, curve, np.int64(intercept), h, np.int64(size))
    design = dense(block, width, intercept)
    expected = np.ones_like(h)
    expected[:size, :size] += np.triu((design.T * curve) @ design)
    np.testing.assert_allclose(h, expected, rtol=1e-13, atol=1e-12)
