"""Batches of the deep effect, against loops over rows."""

import threading
from itertools import islice, pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.dataset import Csr
from gdmix.deep import gathering
from gdmix.deep.batching import Feed
from gdmix.deep.checking import require_trainable, weight_of
from gdmix.deep.examples import Examples
from gdmix.deep.gathering import padded, places
from gdmix.deep.losses import loss_of
from gdmix.deep.order import Order, by_length, groups_of, shuffled, single_rows
from gdmix.deep.ragged import Ragged
from gdmix.deep.target import Target
from gdmix.errors import DataError

LISTS = st.lists(st.lists(st.integers(0, 99), max_size=6), min_size=1, max_size=12)


def ragged(lists):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
    return Ragged(offsets, np.array([i for row in lists for i in row], np.int32))


def csr(lists, rng):
    offsets, ids = ragged(lists)
    return Csr(offsets, ids, rng.normal(size=len(ids)), 100)


def make(rows, seed=0, **changes):
    rng = np.random.default_rng(seed)
    lists = [list(rng.integers(0, 100, rng.integers(0, 7))) for _ in range(rows)]
    values = {
        "label": rng.integers(0, 2, rows).astype(float),
        "weight": rng.random(rows),
        "offset": rng.normal(size=rows),
        "texts": {"title": pa.array([""] * rows)},
        "wide": csr(lists, rng),
        "dense": rng.normal(size=(rows, 3)).astype(np.float32),
        "fields": {"movie": csr(lists[::-1], rng)},
    }
    return Examples(**{**values, **changes})


def feed(rows, seed=0, **changes):
    rng = np.random.default_rng(seed + 1)
    lists = [list(rng.integers(1, 100, rng.integers(0, 9))) for _ in range(rows)]
    return Feed(make(rows, seed, **changes), {"title": ragged(lists)}, pad=0, min_length=3), lists


# -- gathering ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [gathering._fill, gathering._copy_rows])
def test_kernels_run_as_plain_python(kernel, monkeypatch):
    given_, _ = feed(20)
    rows = np.array([3, 17, 3, 0])
    compiled = given_.batch(rows)
    monkeypatch.setattr(gathering, kernel.__name__, kernel.py_func)
    plain = given_.batch(rows)
    assert torch.equal(compiled.texts["title"][0], plain.texts["title"][0])
    assert all(map(torch.equal, compiled.wide, plain.wide))


@given(LISTS, st.data())
def test_lists_are_gathered_in_the_order_asked_for(lists, data):
    offsets, ids = ragged(lists)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=15)), np.int64)
    begins, elements = places(offsets, chosen)
    found = [list(ids[elements[a:b]]) for a, b in pairwise(begins)]
    assert found == [lists[row] for row in chosen]
    table, sizes = padded(offsets, ids, chosen, 100, 2)
    assert list(sizes) == [len(lists[row]) for row in chosen]
    length = max([2, *sizes])
    assert table.shape == (len(chosen), length)
    assert table.tolist() == [lists[row] + [100] * (length - len(lists[row])) for row in chosen]


def test_a_batch_holds_its_rows():
    given_, lists = feed(50, task=np.arange(50, dtype=np.int32) % 3)
    examples = given_.examples
    rows = np.array([7, 3, 3, 49, 0])
    batch = given_.batch(rows)
    table, sizes = batch.texts["title"]
    assert table.dtype == sizes.dtype == torch.int64
    for i, row in enumerate(rows):
        assert table[i, : sizes[i]].tolist() == lists[row]
        assert not table[i, sizes[i] :].any()
    for bag, of in ((batch.wide, examples.wide), (batch.fields["movie"], examples.fields["movie"])):
        ends = [*bag.offsets[1:].tolist(), len(bag.indices)]
        for row, begin, end in zip(rows, bag.offsets.tolist(), ends, strict=True):
            at = slice(of.indptr[row], of.indptr[row + 1])
            assert bag.indices[begin:end].tolist() == of.indices[at].tolist()
            np.testing.assert_array_equal(bag.values[begin:end], of.values[at].astype(np.float32))
    np.testing.assert_array_equal(batch.dense, examples.dense[rows])
    assert batch.head.tolist() == [1, 0, 0, 1, 0]


def test_bags_are_those_of_embedding_bag():
    given_, _ = feed(20)
    rows = np.array([4, 11, 2])
    bag = given_.batch(rows).wide
    weights = torch.randn(100, 2, generator=torch.Generator().manual_seed(1))
    found = torch.nn.functional.embedding_bag(
        bag.indices, weights, bag.offsets, mode="sum", per_sample_weights=bag.values
    )
    dense = np.zeros((3, 100), np.float32)
    for i, row in enumerate(rows):
        at = slice(given_.examples.wide.indptr[row], given_.examples.wide.indptr[row + 1])
        np.add.at(dense[i], given_.examples.wide.indices[at], given_.examples.wide.values[at])
    np.testing.assert_allclose(found, dense @ weights.numpy(), rtol=1e-5, atol=1e-5)


def test_a_batch_without_rows_texts_or_features():
    empty = Csr(np.zeros(4, np.int64), np.zeros(0, np.int32), np.zeros(0), 0)
    given_ = Feed(make(3, wide=empty, fields={}, dense=np.zeros((3, 0), np.float32)))
    batch = given_.batch(np.arange(3))
    assert batch.texts == batch.fields == {}
    assert batch.head is None
    assert batch.wide.offsets.tolist() == [0, 0, 0]
    given_, _ = feed(3)
    none = given_.batch(np.zeros(0, np.int64))
    assert none.texts["title"][0].shape == (0, 3)
    assert len(none.wide.offsets) == len(none.dense) == 0


# -- order --------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 70), st.integers(0, 5), st.booleans())
def test_an_epoch_takes_every_row_once(rows, batch, epoch, bucketed):
    lengths = np.random.default_rng(rows).integers(1, 30, rows) if bucketed else None
    order = Order(single_rows(rows), batch, seed=3, lengths=lengths)
    shares = [order.share(epoch * order.steps + k).rows for k in range(order.steps)]
    assert sorted(np.concatenate(shares)) == list(range(rows))
    sizes = {len(share) for share in shares}
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4), st.integers(0, 9))
def test_shares_of_processes_are_the_batch(rows, batch, ranks, step):
    order = Order(single_rows(rows), batch, seed=4)
    whole = order.share(step)
    shares = [order.share(step, rank, ranks) for rank in range(ranks)]
    assert np.concatenate([share.rows for share in shares]).tolist() == whole.rows.tolist()
    assert {share.whole for share in [whole, *shares]} == {len(whole.rows)}


def test_any_step_is_found_without_those_before():
    first = Order(single_rows(100), 7, seed=5)
    walked = [first.share(step).rows.tolist() for step in range(40)]
    assert Order(single_rows(100), 7, seed=5).share(33).rows.tolist() == walked[33]
    assert Order(single_rows(100), 7, seed=6).share(33).rows.tolist() != walked[33]
    assert walked[:15] != walked[15:30]


def test_an_order_has_the_same_bits_everywhere():
    # by sorting the words of NumPy's Philox 4x64-10, whose stream is documented as fixed
    assert shuffled(8, 0, 0, 0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
    assert shuffled(1 << 12, 1 << 70, 3, 0).tolist() == shuffled(1 << 12, 1 << 70, 3, 0).tolist()


def test_orders_are_even():
    # the chance of any row to be in any of ten places is one in ten
    counts = np.zeros((10, 10))
    for epoch in range(2000):
        counts[shuffled(10, 7, epoch, 0), np.arange(10)] += 1
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200 * 0.9)


def test_rows_of_like_length_come_together():
    rng = np.random.default_rng(8)
    lengths = rng.integers(1, 100, 64 * 64)
    plain = Order(single_rows(64 * 64), 64, seed=1)
    sorted_ = Order(single_rows(64 * 64), 64, seed=1, lengths=lengths)

    def filled(order):
        longest = [lengths[order.share(k).rows].max() for k in range(order.steps)]
        return 64 * sum(longest) / lengths.sum()

    assert filled(plain) > 1.9
    assert filled(sorted_) < 1.05
    # neither epochs nor neighbours have lengths in order
    means = [lengths[sorted_.share(k).rows].mean() for k in range(64)]
    assert abs(np.corrcoef(means, np.arange(64))[0, 1]) < 0.4
    assert sorted_.share(0).rows.tolist() != sorted_.share(64).rows.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=40),
    st.booleans(),
)
def test_groups_stay_whole(pairs, bucketed):
    group, task = (np.array(part, np.int32) for part in zip(*pairs, strict=True))
    rows = len(pairs)
    units = groups_of(make(rows, group=group, task=task))
    assert units.number == len(set(pairs))
    order = Order(units, 2, seed=9, lengths=np.arange(rows) if bucketed else None)
    seen = []
    for step in range(order.steps):
        share = order.share(step)
        assert share.pointers[0] == 0
        assert share.pointers[-1] == len(share.rows)
        for begin, end in pairwise(share.pointers):
            of = share.rows[begin:end]
            pair = {pairs[row] for row in of}
            assert len(pair) == 1
            assert of.tolist() == [row for row in range(rows) if pairs[row] in pair]
        seen.extend(share.rows)
    assert sorted(seen) == list(range(rows))


def test_scoring_takes_every_row_once_by_length():
    lengths = np.array([5, 1, 4, 1, 9, 2, 2])
    found = list(by_length(lengths, 3))
    assert [part.tolist() for part in found] == [[1, 3, 5], [6, 2, 0], [4]]
    given_, lists = feed(23)
    score = np.full(23, np.nan)
    for rows, batch in given_.scoring(4):
        score[rows] = batch.texts["title"][0].sum(1)
    assert score.tolist() == [sum(row) for row in lists]
    assert list(by_length(np.zeros(0, np.int64), 3)) == []


def test_an_epoch_without_rows_is_one_empty_step():
    order = Order(single_rows(0), 4, seed=0, lengths=np.zeros(0, np.int64))
    assert order.steps == 1
    assert len(order.share(5).rows) == 0
    assert groups_of(make(0, group=np.zeros(0, np.int32))).number == 0


# -- the feed -----------------------------------------------------------------------------------


def test_training_begins_at_any_step_and_ends_its_thread():
    given_, _ = feed(40, group=np.arange(40, dtype=np.int32) // 3)
    order = Order(groups_of(given_.examples), 4, seed=1)
    before = threading.active_count()
    with given_.training(order) as lots:
        walked = list(islice(lots, 9))
    with given_.training(order, 6) as lots:
        later = next(lots)
    assert threading.active_count() == before
    assert later.label.tolist() == walked[6].label.tolist()
    assert later.pointers.tolist() == walked[6].pointers.tolist()
    assert later.rows == len(later.label)
    share = order.share(6)
    np.testing.assert_array_equal(
        later.offset, given_.examples.offset[share.rows].astype(np.float32)
    )
    with given_.training(order, 6, rank=1, ranks=2) as lots:
        part = next(lots)
    assert part.rows == later.rows > len(part.label)


def test_an_error_while_a_batch_is_made_comes_out():
    # texts of fewer rows than there are
    broken = Feed(make(10), {"title": ragged([[1], [2]])})
    order = Order(single_rows(10), 4, seed=1)
    with pytest.raises(IndexError), broken.training(order) as lots:
        next(lots)


def test_labels_of_several_kinds():
    given_, _ = feed(9, label=np.eye(9)[:, :4])
    lot = given_.lot(Order(single_rows(9), 9, seed=0).share(0))
    assert lot.label.shape == (9, 4)
    assert lot.pointers is None


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "changes", "word"),
    [
        (
            Target(),
            {"label": np.array([0.0, 2.0])},
            "row 1, column 'label': found 2.0; expected labels 0 and 1",
        ),
        (
            Target(),
            {"label": np.array([np.nan, 1.0])},
            "row 0, column 'label': found nan; expected finite",
        ),
        (Target(), {"weight": np.array([1.0, -1.0])}, "row 1, column 'weight': found -1.0"),
        (Target(), {"offset": np.array([np.inf, 1.0])}, "row 0, column 'offset': found inf"),
        (Target("poisson"), {"label": np.array([0.0, -1.0])}, "counts from 0"),
        (
            Target("multiclass", outputs=3),
            {"label": np.array([0.0, 3.0])},
            "whole numbers from 0 to 2",
        ),
        (
            Target("multiclass", outputs=3),
            {"label": np.array([0.0, 1.5])},
            "whole numbers from 0 to 2",
        ),
        (
            Target("multilabel", outputs=2),
            {},
            r"label: found an array of \(2,\); expected one of \(2, 2\)",
        ),
        (Target(), {"label": np.zeros((2, 1))}, r"found an array of \(2, 1\)"),
        (
            Target("multilabel", outputs=2),
            {"label": np.array([[0, 1.0], [0.5, 0]])},
            "row 1, column 'label': found 0.5",
        ),
        (Target(loss="pairwise"), {}, "group: pairwise ranks the rows of a group"),
        (Target(loss="listwise"), {"label": np.array([0.0, -1.0])}, "labels from 0"),
        (Target(loss="lambdarank"), {"label": np.array([0.0, 31.0])}, "labels from 0 to 30"),
        (Target(heads=2), {}, "task: there are 2 heads"),
        (
            Target(heads=2),
            {"task": np.array([0, 2], np.int32)},
            "row 1, column 'task': found 2; expected 0 to 1",
        ),
    ],
)
def test_rows_that_a_loss_cannot_take_are_refused(target, changes, word):
    with pytest.raises(DataError, match=word):
        require_trainable(target, make(2, **changes))


def test_rows_that_a_loss_can_take_pass():
    group = np.zeros(2, np.int32)
    require_trainable(Target(), make(2))
    require_trainable(Target("linear"), make(2, label=np.array([-1.5, 1e9])))
    require_trainable(Target(loss="pairwise"), make(2, group=group, label=np.array([-1.0, 7.0])))
    require_trainable(Target(loss="listwise"), make(2, group=group, label=np.array([0.0, 99.0])))
    require_trainable(Target("multiclass", outputs=3), make(2, label=np.array([2.0, 0.0])))
    require_trainable(Target(), make(0))


@pytest.mark.parametrize("name", ["pointwise", "pairwise", "listwise", "lambdarank", "approx_ndcg"])
def test_an_epochs_batches_weigh_as_much_as_all_rows(name):
    rng = np.random.default_rng(3)
    given_, _ = feed(
        60,
        group=rng.integers(0, 9, 60).astype(np.int32),
        task=rng.integers(0, 2, 60).astype(np.int32),
        label=rng.integers(0, 3, 60).astype(float) / (2 if name == "pointwise" else 1),
    )
    target = Target("linear", name, heads=2, head_weights=(1.0, 4.0))
    units = single_rows(60) if name == "pointwise" else groups_of(given_.examples)
    order, loss = Order(units, 5, seed=2), loss_of(target)
    found = 0.0
    for step in range(order.steps):
        lot = given_.lot(order.share(step))
        score = torch.zeros(len(lot.label), 1)
        part = loss(score, lot.label, lot.weight, lot.offset, lot.pointers, lot.batch.head)
        found += part.weight.item()
    assert found == pytest.approx(weight_of(target, given_.examples), rel=1e-5)
