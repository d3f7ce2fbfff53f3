"""Ids are matched as they are written, whether numbers or text."""

import pyarrow as pa
import pytest

from gdmix.data.ids import positions


@pytest.mark.parametrize(
    ("ids", "known", "expected"),
    [
        ([1, 5, 3], [1, 3, 9], [0, -1, 1]),
        (["b", "a", "zz"], ["a", "b"], [1, 0, -1]),
        (["1", "x", "3", "", "+3", "03", "3.0", " 3"], [1, 3], [0, -1, 1, -1, -1, -1, -1, -1]),
        ([1, 3, 4], ["1", "10", "3"], [0, 2, -1]),
        ([-1], ["-1"], [0]),
        # nineteen digits, and others that are no int64, side by side
        (["9223372036854775807", "x", "9223372036854775808"], [2**63 - 1], [0, -1, -1]),
        (["-9223372036854775808"], [-(2**63)], [0]),
        ([], [1], []),
        ([1, 2], [], [-1, -1]),
        (["a", "b"], ["a", "b"], [0, 1]),
        ([1, 3], ["1", "3"], [0, 1]),
    ],
)
def test_positions(ids, known, expected):
    ids = pa.array(ids) if ids else pa.array([], pa.int64())
    known = pa.array(known) if known else pa.array([], pa.string())
    assert positions(ids, known).tolist() == expected
    assert positions(ids, known).dtype.name == "int32"


def test_kinds_of_text():
    known = pa.array(["a", "b"], pa.large_string())
    assert positions(pa.array(["b", "c"]), known).tolist() == [1, -1]


def test_a_match_does_not_depend_on_its_neighbours():
    known = pa.array([7, 8])
    alone = positions(pa.array(["07"]), known)
    assert positions(pa.array(["07", "x"]), known)[0] == alone[0]
