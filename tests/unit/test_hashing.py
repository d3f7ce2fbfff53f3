"""Hashes of uids."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.hashing import fnv, hash_uids


def of(uids, salt="s"):
    return hash_uids(uids, len(uids), salt)


def test_known_hashes():
    """From the test vectors of FNV's authors."""
    known = {"": 0xCBF29CE484222325, "a": 0xAF63DC4C8601EC8C, "foobar": 0x85944171F73967E8}
    data = np.frombuffer("".join(known).encode(), np.uint8)
    pointers = np.cumsum([0] + [len(text) for text in known])
    for run in (fnv, fnv.py_func):
        out = np.zeros(len(known), np.uint64)
        with np.errstate(over="ignore"):
            run(pointers, data, out)
        assert [int(value) for value in out] == list(known.values())


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50), st.data())
def test_neither_the_type_nor_the_layout_matters(numbers, data):
    whole = pa.array(numbers, pa.int64())
    texts = whole.cast(pa.string())
    expected = of(whole)
    cut = data.draw(st.integers(0, len(numbers)))
    forms = [
        texts,
        texts.cast(pa.large_string()),
        texts.cast(pa.binary()),
        texts.dictionary_encode(),
        pa.chunked_array([whole[:cut], whole[cut:]]),
        pa.chunked_array([texts[:cut], texts[cut:]]),
        pa.chunked_array([texts[:cut].cast(pa.binary()), texts[cut:].cast(pa.binary())]),
    ]
    for form in forms:
        assert np.array_equal(of(form), expected), form.type
    assert np.array_equal(of(texts[cut:]), expected[cut:])
    order = np.random.default_rng(0).permutation(len(numbers))
    assert np.array_equal(of(whole.take(pa.array(order))), expected[order])


def test_other_types():
    days = pa.array([0, 1], pa.int32()).cast(pa.date32())
    assert np.array_equal(of(days), of(pa.array(["1970-01-01", "1970-01-02"])))
    assert np.array_equal(of(pa.array([b"\xff\x00"])), of(pa.array([b"\xff\x00"], pa.binary(2))))
    assert len(of(pa.array([], pa.string()))) == 0


def test_without_a_uid_the_number_of_the_row_stands_in():
    numbers = of(pa.array(np.arange(5)))
    assert np.array_equal(hash_uids(None, 5, "s"), numbers)
    assert np.array_equal(of(pa.array([0, None, 2, None, 4])), numbers)
    assert np.array_equal(of(pa.array(["0", None, "2", None, "4"])), numbers)
    assert np.array_equal(of(pa.nulls(5)), numbers)


def test_many_rows_are_hashed_batch_by_batch(monkeypatch):
    expected = [of(pa.array(np.arange(100))), hash_uids(None, 100, "s")]
    monkeypatch.setattr("gdmix.data.hashing._BATCH", 7)
    assert np.array_equal(of(pa.array(np.arange(100))), expected[0])
    assert np.array_equal(hash_uids(None, 100, "s"), expected[1])


@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_every_bit_is_fair_and_salts_are_apart(kind):
    rows = 20_000
    uids = pa.array(np.arange(rows))
    uids = uids if kind == "numbers" else pa.array([f"user-{i}" for i in range(rows)])
    one, other = of(uids, "one"), of(uids, "other")
    assert len(np.unique(one)) == rows

    def bits(hashes):
        return (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)

    # six standard deviations
    slack = 6 * 0.5 / np.sqrt(rows)
    assert np.abs(bits(one).mean(axis=0) - 0.5).max() < slack
    assert np.abs(bits(one ^ other).mean(axis=0) - 0.5).max() < slack
    assert np.abs(bits(one[1:] ^ one[:-1]).mean(axis=0) - 0.5).max() < slack
