"""Rows in an order that depends on what they hold alone."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.canonical import add_features, in_canonical_order, row_hashes
from gdmix.data.reading import read
from gdmix.data.source import open_source
from tests.made_up import table

LAYOUT = ModelOptions(
    label="click",
    uid="uid",
    weight="weight",
    coordinates={
        "global": FixedEffect(features=["age", "city", "tags"]),
        "per-user": RandomEffect("user_id", features=["tags"]),
    },
).layout()


def shown(rows):
    """Return all that rows hold, in plain values."""
    ids, codes = rows.entities["user_id"]
    arrays = [rows.label, rows.weight, rows.offset, codes]
    arrays += [each for csr in rows.shards.values() for each in csr[:3]]
    return [ids.to_pylist(), rows.uid.to_pylist(), *(array.tolist() for array in arrays)]


@pytest.mark.parametrize("seed", range(3))
def test_any_order_becomes_one(seed):
    rows = table(200)
    order = np.random.default_rng(seed).permutation(200)
    one, other = (
        in_canonical_order(*read(open_source(each), LAYOUT)) for each in (rows, rows.take(order))
    )
    assert shown(one) == shown(other)
    assert sorted(one.uid.to_pylist()) == sorted(rows["uid"].to_pylist())


def test_null_uids_are_alike():
    rows = table(40)
    uids = pa.array([None if k % 3 else str(k) for k in range(40)])
    rows = rows.set_column(rows.column_names.index("uid"), "uid", uids)
    shuffled = rows.take(np.random.default_rng(1).permutation(40))
    one, other = (in_canonical_order(*read(open_source(each), LAYOUT)) for each in (rows, shuffled))
    assert shown(one) == shown(other)


@pytest.mark.parametrize("column", ["click", "weight", "user_id", "age", "city", "uid"])
def test_every_column_counts(column):
    rows = table(50)
    values = rows[column].to_pylist()
    other = {"click": lambda old: 1 - old, "city": lambda old: "elsewhere"}
    values[7] = other.get(column, lambda old: old * 3 + 1)(values[7])
    changed = rows.set_column(rows.column_names.index(column), column, pa.array(values))
    one, other = (row_hashes(*read(open_source(each), LAYOUT)) for each in (rows, changed))
    assert np.flatnonzero(one != other).tolist() == [7]


def test_the_order_of_features_within_a_row_does_not_count():
    keys = np.random.default_rng(0).integers(0, 1 << 62, 5).astype(np.uint64)
    words = np.arange(1, 4).astype(np.float64).view(np.uint64)
    one, other = np.zeros((2, 1), np.uint64)
    pointers = np.array([0, 3])
    add_features(pointers, np.array([0, 3, 1], np.int32), words, keys, one)
    order = [2, 0, 1]
    add_features(pointers, np.array([1, 0, 3], np.int32), words[order], keys, other)
    assert one[0] == other[0] != 0
