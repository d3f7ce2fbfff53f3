"""What the Spark engine is made of that needs no Spark."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.packed import load_rows, save_indices, save_rows
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.engines.spark.answers import Answer, GoneError, Record, attempt, failing, flat
from gdmix.engines.spark.columns import SparkColumn, Sum, save_column
from gdmix.engines.spark.sources import Batches, pieces
from gdmix.engines.spark.tables import cut, cut_ids, joined, targets_of
from gdmix.errors import DataError
from tests.made_up import table

OPTIONS = ModelOptions(
    label="click",
    uid="uid",
    coordinates={
        "global": FixedEffect(features=["age", "city"]),
        "per-user": RandomEffect("user_id", features=["age", "tags"]),
    },
)


def test_rows_come_back_from_a_folder(tmp_path):
    rows, _ = read(open_source(table(100)), OPTIONS.layout())
    save_rows(tmp_path, rows)
    found = load_rows(tmp_path)
    assert found.uid.to_pylist() == rows.uid.to_pylist()
    for name in ("label", "weight", "offset"):
        np.testing.assert_array_equal(getattr(found, name), getattr(rows, name))
    for shard, csr in rows.shards.items():
        for one, other in zip(csr, found.shards[shard], strict=True):
            np.testing.assert_array_equal(one, other)
    assert found.entities["user_id"].ids.equals(rows.entities["user_id"].ids)
    # what a kernel may write to is this process's alone
    found.label[0] = 7.0
    assert load_rows(tmp_path).label[0] == rows.label[0]


def test_rows_come_back_with_other_indices(tmp_path):
    rows, _ = read(open_source(table(50)), OPTIONS.layout())
    other = {
        shard: csr._replace(indices=csr.indices + np.int32(3), width=csr.width + 3)
        for shard, csr in rows.shards.items()
    }
    for name, save in (("base", save_rows), ("more", save_indices)):
        (tmp_path / name).mkdir()
        save(tmp_path / name, rows if name == "base" else other)
    found = load_rows(tmp_path / "base", tmp_path / "more")
    for shard, csr in other.items():
        np.testing.assert_array_equal(found.shards[shard].indices, csr.indices)
        assert found.shards[shard].width == csr.width


def test_no_rows_come_back_too(tmp_path):
    source = Batches(table(5).schema, [], "nothing")
    (batch,) = source.batches(["click", "user_id"], frozenset(["click"]))
    assert batch.columns.num_rows == 0
    rows, _ = read(source, OPTIONS.layout())
    save_rows(tmp_path, rows)
    assert load_rows(tmp_path).rows == 0


class Stand:
    """Stands for a stored column."""


def test_columns_are_sums_that_forget_what_is_taken_away():
    one, two, three = (SparkColumn({Stand(): 1.0}) for _ in range(3))
    total = one + two + three
    assert len(total.stored) == 3
    assert (total - two).stored == (*one.stored, *three.stored)
    assert (one - one).stored == ()
    assert one.is_plain
    assert not (one + 2.0).is_plain
    assert ((one + 2.0) - 2.0).is_plain
    assert (1.5 + one).sum == Sum((1.0,), 1.5)
    assert (one - two).sum.factors == (1.0, -1.0)


def test_a_sum_is_taken_of_a_partition(tmp_path):
    records = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        save_column(folder, np.arange(4.0) * 10**number)
        records.append(Record(str(folder)))
    np.testing.assert_array_equal(
        Sum((1.0, -1.0, 2.0), 0.5).of(records, 4), 0.5 + np.arange(4.0) * (1 - 10 + 200)
    )
    np.testing.assert_array_equal(Sum((), 3.0).of([], 2), [3.0, 3.0])


def test_errors_of_users_are_values_and_what_is_elsewhere_is_gone(tmp_path):
    def fails(kind):
        raise kind

    assert attempt(lambda: 3) == Answer(3)
    assert attempt(fails, DataError("here", "wrong")).error.problem == "wrong"
    assert attempt(Record(str(tmp_path / "not")).open).gone
    assert attempt(fails, GoneError("x")).fails
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)
    with pytest.raises(FileNotFoundError):
        attempt((tmp_path / "theirs").open)
    pair = ((Answer(1), Answer(2)), Answer(gone=True))
    assert failing(flat(pair)).gone
    assert [answer.value for answer in flat(pair)] == [1, 2, None]


@pytest.mark.parametrize("targets", [1, 2, 7, 40])
def test_tables_are_cut_and_joined(targets):
    options = {"variance": "simple"}
    model = MixedModel(
        label="click",
        coordinates={"per-user": RandomEffect("user_id", features=["age", "tags"], **options)},
    ).fit(table(400))
    whole = model.model_.parts["per-user"].table
    parts = cut(whole, 1, targets)
    assert [part.ids.to_pylist() for part in parts] == [
        ids.to_pylist() for ids in cut_ids(whole.ids, targets)
    ]
    again = joined(parts, 1)
    assert again.ids.equals(whole.ids)
    for name in ("samples", "feature_ptr", "features", "coefficients", "variances"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    for one, other in zip(again.outcome, whole.outcome, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_entity_goes_to_one_partition_however_its_id_is_written():
    numbers = pa.array(range(100))
    np.testing.assert_array_equal(targets_of(numbers, 7), targets_of(numbers.cast(pa.string()), 7))
    assert set(targets_of(numbers, 7).tolist()) == set(range(7))


@pytest.mark.parametrize("wanted", [None, 1, 3, 5, 50])
def test_files_are_cut_in_their_order(tmp_path, wanted):
    sizes = [1, 500, 3, 3, 80, 1, 1]
    for number, rows in enumerate(sizes):
        lines = "click\n" + "1\n" * rows
        (tmp_path / f"{number}.csv").write_text(lines)
    source = open_source(tmp_path)
    found = pieces(source, wanted, least=2)
    assert len(found) == min(len(sizes), wanted or 2)
    assert all(piece.source.files for piece in found)
    assert [path for piece in found for path in piece.source.files] == list(source.files)
    rows = sum(
        batch.columns.num_rows
        for piece in found
        for batch in piece.batches(["click"], frozenset(["click"]))
    )
    assert rows == sum(sizes)
