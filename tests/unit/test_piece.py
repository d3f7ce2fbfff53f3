"""Whole numbers coded without hashing, against Arrow's own codes."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.piece import dictionary

LIMIT = 2**63 - 1


@given(
    st.lists(st.integers(-9, 9) | st.integers(-LIMIT - 1, LIMIT), max_size=50),
    st.sampled_from([pa.int64(), pa.int64(), pa.float64()]),
)
def test_codes_lead_back(numbers, kind):
    if kind == pa.float64():
        numbers = [number % 7 for number in numbers]
    array = pa.array([5, *numbers, 5], kind)[1:-1]
    codes, distinct = dictionary(array)
    assert codes.dtype == np.int32
    assert len(set(distinct.to_pylist())) == len(distinct)
    assert distinct.take(pa.array(codes)).equals(array.cast(pa.string()))


@pytest.mark.parametrize("numbers", [[-LIMIT - 1, LIMIT], [LIMIT] * 3, [0, 1 << 16], [7, 5, 7]])
def test_extremes(numbers):
    codes, distinct = dictionary(pa.array(numbers, pa.int64()))
    assert [int(distinct[code].as_py()) for code in codes.tolist()] == numbers
