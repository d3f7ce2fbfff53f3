"""Feature indexes: order, look-up, and the way through a table and back."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data.index import FeatureIndex, Terms
from gdmix.data.piece import SEPARATOR


def terms(*pairs, ordered=False):
    return Terms(pa.array([SEPARATOR.join(pair) for pair in pairs], pa.string()), ordered)


ODD = [
    ("n", ""),
    ("n", "ü"),
    ("日本", "語 🎈"),
    ("n", "a\x01b"),
    ("n", "\x01"),
    ("n", '\n\t"'),
    ("n", " "),
    ("", ""),
    ("", "t"),
    ("n=", "x=y"),
    ("N" * 1000, "T" * 1000),
]


@pytest.mark.parametrize("through", ["table", "parquet", "shuffled", "large"])
def test_round_trip(through, tmp_path):
    index, _ = FeatureIndex.build([terms(*ODD)])
    table = index.to_table()
    if through == "parquet":
        pq.write_table(table, tmp_path / "i.parquet")
        table = pq.read_table(tmp_path / "i.parquet")
    elif through == "shuffled":
        table = table.take(pa.array([3, 0, 1, 2, *range(10, 3, -1)]))
    elif through == "large":
        text = pa.large_string()
        table = table.cast(pa.schema([("name", text), ("term", text), ("index", pa.int64())]))
    again = FeatureIndex.from_table(table)
    assert again.keys.equals(index.keys)
    pairs = set(zip(again.names.to_pylist(), again.terms.to_pylist(), strict=True))
    assert pairs == set(ODD)
    assert again.positions(index.keys).tolist() == list(range(len(ODD)))


def test_empty_round_trip(tmp_path):
    for index, _ in (FeatureIndex.build([]), FeatureIndex.build([terms()])):
        assert (len(index), index.to_table().num_rows) == (0, 0)
        pq.write_table(index.to_table(), tmp_path / "i.parquet")
        again = FeatureIndex.from_table(pq.read_table(tmp_path / "i.parquet"))
        assert len(again) == 0
        assert again.names.to_pylist() == []
        assert again.positions(pa.array(["x\x01"])).tolist() == [-1]
        assert again.terms_of("x").to_pylist() == []


def test_order_follows_columns_then_terms():
    index, _ = FeatureIndex.build(
        [
            terms(("z", "b"), ("z", "a"), ("z", "c")),
            terms(*[("d", str(i)) for i in range(12)], ordered=True),
            terms(("a", "")),
        ]
    )
    assert index.terms.to_pylist() == ["a", "b", "c", *map(str, range(12)), ""]
    assert index.names.to_pylist() == ["z"] * 3 + ["d"] * 12 + ["a"]


def test_look_up():
    index, _ = FeatureIndex.build([terms(("c", "a"), ("c", "b"), ("cc", "x"), ("c", ""))])
    asked = pa.array(["c\x01b", "c\x01zz", "cc\x01x", "c\x01"])
    assert index.positions(asked).tolist() == [2, -1, 3, 0]
    assert index.terms_of("c").to_pylist() == ["", "a", "b"]
    assert [index.label(i) for i in range(4)] == ["c", "c=a", "c=b", "cc=x"]
    assert index.positions(pa.array([], pa.string())).tolist() == []
