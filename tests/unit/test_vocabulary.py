"""Strings numbered and sorted by kernels, against dicts and Python's own order."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data import texts, vocabulary
from gdmix.data.texts import ascending
from gdmix.data.vocabulary import Vocabulary, look_up

WORDS = st.text(alphabet="ab\x00\x01ü語🎈", max_size=12)


def strings(words):
    return pa.array(words, pa.string())


@given(st.lists(st.lists(WORDS, max_size=80), max_size=5))
def test_positions_are_those_of_first_appearance(batches):
    known = Vocabulary()
    expected = {}
    for words in batches:
        found = known.add(strings(words)).tolist()
        assert found == [expected.setdefault(word, len(expected)) for word in words]
    assert known.keys().to_pylist() == list(expected)
    assert len(known) == len(expected)
    known.keys().validate(full=True)
    asked = [*expected, "never seen", ""]
    assert known.find(strings(asked)).tolist() == [expected.get(word, -1) for word in asked]


def test_many_grow_the_table(monkeypatch):
    monkeypatch.setattr(vocabulary, "_AT_ONCE", 100)
    words = [f"word {i % 7000}" for i in range(20_000)]
    known = Vocabulary(strings(words[:10]))
    assert known.add(strings(words)).tolist() == [i % 7000 for i in range(20_000)]
    assert known.keys().to_pylist() == words[:7000]


def test_slices_and_nothing():
    known = Vocabulary()
    assert known.add(strings([])).tolist() == []
    assert known.keys().to_pylist() == []
    words = strings(["zz", "a", "", "b", "a", "q"])
    assert known.add(words[1:5]).tolist() == [0, 1, 2, 0]
    assert known.find(words).tolist() == [-1, 0, 1, 2, 0, -1]
    assert known.find(words[5:]).tolist() == [-1]


def test_equal_hashes_are_told_apart():
    code = ((2166136261 ^ ord("a")) * 16777619) & 0xFFFFFFFF
    slot = (code ^ (code >> 15)) & 3
    table = np.zeros(4, np.int64)
    # "b", as if its hash were that of "a", stands where "a" is sought first
    table[slot], table[(slot + 1) & 3] = code << 31 | 2, code << 31 | 1
    offsets, text = texts.buffers(strings(["a", "b"]))
    out = np.empty(1, np.int32)
    look_up(
        table, offsets.astype(np.int64), text.copy(), 2, *texts.buffers(strings(["a"])), False, out
    )
    assert out.tolist() == [0]


@pytest.mark.parametrize("few", [0, 1 << 12])
@given(words=st.lists(WORDS, unique=True, min_size=1, max_size=60), head=WORDS)
def test_order_is_that_of_bytes(few, words, head):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_FEW", few)
        keys = strings(["skipped", *(head + word for word in words)])[1:]
        order = ascending(keys)
    found = [keys[i].as_py().encode() for i in order.tolist()]
    assert found == sorted(key.encode() for key in keys.to_pylist())
