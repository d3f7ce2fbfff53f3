"""CSR rows from pieces, against plain Python."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.encode import sum_repeated
from gdmix.data.index import FeatureIndex
from gdmix.data.piece import Piece
from gdmix.data.shard import Shard

KEYS = [f"n\x01{i}" for i in range(6)]


@st.composite
def pieces(draw):
    rows = draw(st.integers(0, 8))
    found = []
    for _ in range(draw(st.integers(0, 3))):
        single = draw(st.booleans())
        lengths = (
            [1] * rows
            if single
            else draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
        )
        nnz = sum(lengths)
        codes = draw(st.lists(st.integers(0, 5), min_size=nnz, max_size=nnz))
        values = draw(st.none() | st.lists(st.integers(-9, 9), min_size=nnz, max_size=nnz))
        found.append(
            Piece(
                None if single else np.array(lengths, np.int64),
                np.array(codes, np.int32),
                pa.array(draw(st.permutations(KEYS))),
                None if values is None else np.array(values, np.float64),
                may_repeat=not single,
            )
        )
    return rows, found


def reference(rows, found, known):
    """Return rows as dicts, and how many values were dropped."""
    out = [{} for _ in range(rows)]
    dropped = 0
    for piece in found:
        lengths = [1] * rows if piece.lengths is None else piece.lengths.tolist()
        items = iter(range(sum(lengths)))
        for row, length in enumerate(lengths):
            for _ in range(length):
                item = next(items)
                key = piece.keys[int(piece.codes[item])].as_py()
                value = 1.0 if piece.values is None else float(piece.values[item])
                if key in known:
                    out[row][key] = out[row].get(key, 0.0) + value
                else:
                    dropped += 1
    return out, dropped


def as_dicts(csr, known):
    out = []
    for first, last in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        mine = csr.indices[first:last].tolist()
        assert len(set(mine)) == len(mine)
        out.append({known[i]: v for i, v in zip(mine, csr.values[first:last], strict=True)})
    return out


def shard_of(problems, index=None):
    shard = Shard(index)
    for rows, found in problems:
        shard.add(rows, found)
    return shard


@given(
    st.lists(pieces(), min_size=1, max_size=4),
    st.lists(st.sampled_from(KEYS), unique=True),
)
def test_against_dicts(problems, known):
    index = FeatureIndex(pa.array(known, pa.string()))
    csr, dropped = shard_of(problems, index).finish(index)
    expected = [reference(rows, found, known) for rows, found in problems]
    assert as_dicts(csr, known) == [row for rows, _ in expected for row in rows]
    assert dropped == sum(missing for _, missing in expected)
    assert csr.width == len(known)
    assert (csr.indptr.dtype, csr.indices.dtype, csr.values.dtype) == (
        np.int64,
        np.int32,
        np.float64,
    )
    assert len(csr.indices) == len(csr.values) == csr.indptr[-1]


@given(st.lists(pieces(), min_size=1, max_size=4))
def test_features_are_found_as_they_come(problems):
    shard = shard_of(problems)
    index = shard.features()
    met = index.keys.to_pylist()
    assert len(set(met)) == len(met)
    csr, dropped = shard.finish(index)
    expected = [row for rows, found in problems for row in reference(rows, found, KEYS)[0]]
    assert as_dicts(csr, met) == expected
    assert (dropped, csr.width) == (0, len(met))


@given(st.lists(pieces(), min_size=1, max_size=3))
def test_another_index_may_number_the_features(problems):
    index = FeatureIndex(pa.array([*KEYS[3:], "n\x01new", *KEYS[:3]]))
    csr, _ = shard_of(problems).finish(index)
    expected = [row for rows, found in problems for row in reference(rows, found, KEYS)[0]]
    assert as_dicts(csr, index.keys.to_pylist()) == expected


def test_sums_of_repeated_features():
    indptr = np.array([0, 3, 3, 7])
    indices = np.array([2, 0, 2, 1, 1, 1, 2], np.int32)
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, -9.0, 6.0])
    kept = sum_repeated(indptr, indices, values, np.full(3, -1))
    assert indptr.tolist() == [0, 2, 2, 4]
    assert indices[:kept].tolist() == [2, 0, 1, 2]
    # a sum of zero stays: the feature was there
    assert values[:kept].tolist() == [4.0, 2.0, 0.0, 6.0]
