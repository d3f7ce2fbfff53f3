"""Fingerprints of arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.fingerprint import _FIRST, _SECOND, fingerprint, stir

MASK = 2**64 - 1


def in_python(words, lanes):
    """The rounds in whole numbers of Python."""
    lanes = [int(lane) for lane in lanes]
    for k, word in enumerate(words):
        value = (lanes[k % 4] + int(word) * int(_SECOND)) & MASK
        value = ((value << 31) | (value >> 33)) & MASK
        lanes[k % 4] = value * int(_FIRST) & MASK
    return lanes


@given(st.lists(st.integers(0, MASK), max_size=24), st.integers(0, MASK))
def test_rounds(words, seed):
    words = np.array(words[: len(words) // 4 * 4], np.uint64)
    for run in (stir, stir.py_func):
        lanes = np.array([seed, 1, 2, 3], np.uint64)
        with np.errstate(over="ignore"):
            run(words, lanes)
        assert lanes.tolist() == in_python(words, [seed, 1, 2, 3])


@pytest.mark.parametrize("kind", [np.float64, np.int32, np.uint8])
@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 31, 32, 33, 1000])
def test_any_change_shows(kind, size):
    values = np.random.default_rng(size).integers(0, 100, size).astype(kind)
    seen = {fingerprint(values)}
    for at in range(size):
        changed = values.copy()
        changed[at] += 1
        seen.add(fingerprint(changed))
    assert len(seen) == size + 1
    assert fingerprint(values) == fingerprint(values.copy())


def test_length_order_and_signs_count():
    zeros = {fingerprint(np.zeros(size)) for size in range(40)}
    assert len(zeros) == 40
    values = np.arange(1.0, 65.0)
    others = [values[::-1], -values, np.roll(values, 4)]
    # two signs of one lane: a product alone would let them cancel
    flipped = values.copy()
    flipped[[0, 4]] *= -1
    assert len({fingerprint(array) for array in [values, flipped, *others]}) == 5
