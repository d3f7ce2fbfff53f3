"""What must not change a fixed effect, and what must change it in a known way."""

import numpy as np
import pytest

from gdmix.glm.normalization import Normalization
from tests.fixed import fit
from tests.piecewise import LOSSES, random_entity

EXACT = {"l2": 1.0, "tolerance": 1e-11}
losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def _rows(loss):
    return random_entity(np.random.default_rng(3), loss, rows=80, width=4)


def _coefficients(e, loss, **setting):
    found = fit(e.matrix, e.label, loss, EXACT, e.weight, e.offset, **setting)
    assert next(iter(found.summary.statuses)).ok
    return found.part.coefficients


@losses
def test_weight_two_is_two_copies(loss):
    e = _rows(loss)
    twice = type(e)(*(np.concatenate([column, column]) for column in e))
    heavy = _coefficients(e._replace(weight=2.0 * e.weight), loss)
    np.testing.assert_allclose(heavy, _coefficients(twice, loss), atol=1e-8)
    assert not np.allclose(heavy, _coefficients(e, loss), atol=1e-4)


@losses
def test_the_order_of_rows_does_not_matter(loss):
    e = _rows(loss)
    order = np.random.default_rng(4).permutation(len(e.label))
    other = type(e)(*(column[order] for column in e))
    np.testing.assert_allclose(_coefficients(other, loss), _coefficients(e, loss), atol=1e-8)


@losses
def test_a_shift_of_the_offset_is_the_intercepts(loss):
    e = _rows(loss)
    a, b = _coefficients(e, loss), _coefficients(e._replace(offset=e.offset + 0.7), loss)
    np.testing.assert_allclose(b + np.r_[0.7, np.zeros(4)], a, atol=1e-8)


@losses
def test_the_unit_of_a_feature_is_its_coefficients_alone(loss):
    e, unit = _rows(loss), np.array([1e-3, 1.0, 50.0, 1e4])

    def own(x):
        return Normalization(1.0 / x.std(0), np.zeros(x.shape[1]))

    a = _coefficients(e, loss, normalization=own(e.matrix))
    scaled = e._replace(matrix=e.matrix * unit)
    b = _coefficients(scaled, loss, normalization=own(scaled.matrix))
    np.testing.assert_allclose(b * np.r_[1.0, unit], a, atol=1e-8)
