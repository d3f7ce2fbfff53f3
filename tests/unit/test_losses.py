import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.glm.losses import Logistic, Squared

margins = st.floats(-700.0, 700.0)
labels = st.sampled_from([0.0, 1.0])
both = pytest.mark.parametrize(
    "loss", [Logistic(), Squared()], ids=lambda loss: type(loss).__name__
)


@numba.njit
def _compiled(loss, margin, label):
    return loss.value(margin, label), loss.d1(margin, label), loss.d2(margin, label)


def _slope(function, at):
    """Return the central difference, whose error is of order h^2 and eps / h."""
    h = 1e-5 * max(1.0, abs(at))
    return (function(at + h) - function(at - h)) / (2.0 * h), 1e-4 * h + 1e-10 * abs(at) + 1e-9


@both
@given(margin=margins, label=labels)
def test_d1_is_the_slope_of_the_value(loss, margin, label):
    slope, error = _slope(lambda s: loss.value(s, label), margin)
    assert loss.d1(margin, label) == pytest.approx(slope, rel=1e-5, abs=error)


@both
@given(margin=margins, label=labels)
def test_d2_is_the_slope_of_d1(loss, margin, label):
    slope, error = _slope(lambda s: loss.d1(s, label), margin)
    assert loss.d2(margin, label) == pytest.approx(slope, rel=1e-5, abs=error)


@both
@pytest.mark.parametrize("margin", [-1e4, -746.0, -700.0, -0.0, 0.0, 700.0, 746.0, 1e4])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_every_margin_gives_finite_numbers(loss, margin, label):
    value, d1, d2 = loss.value(margin, label), loss.d1(margin, label), loss.d2(margin, label)
    assert math.isfinite(value)
    assert math.isfinite(d1)
    assert 0.0 <= d2 <= 1.0
    assert value >= 0.0


@pytest.mark.parametrize("margin", [-40.0, -17.0, -3.0, 3.0, 17.0, 40.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_small_logistic_loss_keeps_its_digits(margin, label):
    """However well a sample is fitted: no large numbers cancel."""
    away = margin * (1.0 - 2.0 * label)
    value, d1, _ = _compiled(Logistic(), margin, label)
    assert value == pytest.approx(np.logaddexp(0.0, away), rel=1e-15)
    expected = (1.0 - 2.0 * label) / (1.0 + math.exp(-away))
    assert d1 == pytest.approx(expected, rel=1e-15)


@both
@given(margin=margins, label=labels)
def test_compiled_and_plain_python_agree(loss, margin, label):
    plain = (loss.value(margin, label), loss.d1(margin, label), loss.d2(margin, label))
    # a fused multiply-add may round once where Python rounds twice
    np.testing.assert_allclose(_compiled(loss, margin, label), plain, rtol=1e-14, atol=1e-13)


@given(margin=st.floats(0.0, 700.0))
def test_a_well_fitted_row_keeps_its_tiny_loss(margin):
    exact = math.log1p(math.exp(-margin))
    assert Logistic().value(margin, 1.0) == exact
    assert Logistic().value(-margin, 0.0) == exact


def test_an_unknown_loss_is_refused_by_the_compiler():
    class Other(Squared):
        pass

    with pytest.raises(numba.core.errors.TypingError):
        _compiled(Other(), 0.0, 0.0)
