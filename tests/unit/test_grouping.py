"""Rows by entity, features by entity, against dicts."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.dataset import Csr, Dataset, EntityColumn
from gdmix.data.grouping import group, sort_in_place
from gdmix.data.sampling import Sampling


def dataset(rows, codes, entities, width):
    counts = [len(row) for row in rows]
    pairs = [pair for row in rows for pair in row.items()]
    count = len(rows)
    csr = Csr(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([i for i, _ in pairs], np.int32),
        np.array([v for _, v in pairs], np.float64),
        width,
    )
    return Dataset(
        count,
        np.arange(count, dtype=np.float64),
        np.arange(count, dtype=np.float64) + 0.5,
        np.zeros(count),
        entities={"e": EntityColumn(pa.array(range(entities)), np.array(codes, np.int32))},
        shards={"s": csr},
    )


@st.composite
def problems(draw):
    # of 200 features an entity's are sorted, of 6 they are looked for
    width = draw(st.integers(0, 6) | st.just(200))
    row = st.dictionaries(st.integers(0, max(width - 1, 0)), st.floats(-9, 9), max_size=6)
    rows = draw(st.lists(row if width else st.just({}), min_size=1, max_size=30))
    names = draw(st.lists(st.integers(0, 5), min_size=len(rows), max_size=len(rows)))
    known = sorted(set(names))
    return rows, [known.index(name) for name in names], len(known), width


@given(problems())
def test_against_dicts(problem):
    rows, codes, entities, width = problem
    data = dataset(rows, codes, entities, width)
    before = data.shards["s"].indices.copy()
    grouped = group(data, "e", "s")
    assert (data.shards["s"].indices == before).all()
    assert grouped.entities == entities
    for entity in range(entities):
        mine = [row for row, code in enumerate(codes) if code == entity]
        first, last = grouped.row_ptr[entity : entity + 2]
        assert grouped.order[first:last].tolist() == mine
        features = grouped.features[slice(*grouped.feature_ptr[entity : entity + 2])].tolist()
        assert features == sorted({feature for row in mine for feature in rows[row]})
        for at, row in zip(range(first, last), mine, strict=True):
            run = slice(*grouped.indptr[at : at + 2])
            local = grouped.indices[run].tolist()
            found = dict(zip((features[i] for i in local), grouped.values[run], strict=True))
            assert found == rows[row]
            assert (grouped.label[at], grouped.weight[at]) == (row, row + 0.5)
    assert grouped.row_ptr[-1] == len(rows)
    assert grouped.feature_ptr[-1] == len(grouped.features)


@given(problems(), st.integers(1, 4), st.integers(1, 6), st.booleans())
def test_active_rows_against_dicts(problem, lower, upper, exact):
    rows, codes, entities, width = problem
    data = dataset(rows, codes, entities, width)
    kind = "exact" if exact else "hash_groups"
    grouped = group(data, "e", "s", Sampling(lower, upper, kind))
    counts = np.bincount(codes, minlength=entities)
    assert grouped.ids.to_pylist() == [e for e in range(entities) if counts[e] >= lower]
    passive = np.full(len(rows), -1) if grouped.passive is None else grouped.passive
    for at, entity in enumerate(grouped.ids.to_pylist()):
        mine = [row for row, code in enumerate(codes) if code == entity]
        first, last = grouped.row_ptr[at : at + 2]
        active = grouped.order[first:last].tolist()
        assert [row for row in mine if passive[row] == -1] == active
        assert {passive[row] for row in mine} <= {-1, at}
        factor = max(1.0, counts[entity] / upper) if exact else 1.0
        assert len(active) == (min(len(mine), upper) if exact else len(active)) > 0
        assert grouped.weight[first:last] == pytest.approx(factor * (np.array(active) + 0.5))
        assert grouped.label[first:last].tolist() == active
    assert (passive[counts[codes] < lower] == -1).all()
    assert grouped.bounds()[-1] == grouped.entities


@given(problems(), st.integers(1, 4), st.sampled_from(["exact", "hash_groups"]), st.randoms())
def test_the_order_of_rows_does_not_change_who_is_active(problem, upper, kind, random):
    rows, codes, entities, width = problem
    order = list(range(len(rows)))
    random.shuffle(order)
    sampling = Sampling(upper=upper, kind=kind, ratio=1.0)
    found = []
    for rank in (list(range(len(rows))), order):
        data = dataset([rows[i] for i in rank], [codes[i] for i in rank], entities, width)
        uids = np.array([f"row {i}" for i in rank])
        grouped = group(replace(data, uid=pa.array(uids)), "e", "s", sampling)
        active = np.split(uids[grouped.order], grouped.row_ptr[1:-1])
        found.append([set(mine) for mine in active])
    assert found[0] == found[1]


def test_entities_without_rows_have_no_model_where_rows_are_chosen():
    data = dataset([{}, {}, {}], [1, 1, 3], 5, 0)
    assert group(data, "e", "s").entities == 5
    for kind in ("exact", "hash_groups"):
        grouped = group(data, "e", "s", Sampling(upper=1, kind=kind))
        assert grouped.ids.to_pylist() == [1, 3]
    nothing = group(data, "e", "s", Sampling(lower=3))
    assert nothing.ids.to_pylist() == []
    assert nothing.bounds().tolist() == [0]


@given(problems(), st.lists(st.integers(0, 5), max_size=4))
def test_the_lower_bound_spares_what_was_not_known(problem, known):
    rows, codes, entities, width = problem
    data = dataset(rows, codes, entities, width)
    counts = np.bincount(codes, minlength=entities)
    sampling = Sampling(lower=4, spare_new=True)
    grouped = group(data, "e", "s", sampling, known=pa.array(known, pa.int64()))
    expected = [e for e in range(entities) if counts[e] >= 4 or e not in known]
    assert grouped.ids.to_pylist() == expected
    # where nothing was known before, the bound holds for all
    grouped = group(data, "e", "s", sampling)
    assert grouped.ids.to_pylist() == [e for e in range(entities) if counts[e] >= 4]


@given(problems(), st.integers(0, 1))
def test_features_that_stay_are_numbered_anew(problem, intercept):
    rows, codes, entities, width = problem
    data = dataset(rows, codes, entities, width)
    every = group(data, "e", "s")
    grouped = group(data, "e", "s", Sampling(ratio=0.5), intercept=intercept)
    most = np.ceil(0.5 * np.diff(every.row_ptr))
    assert (np.diff(grouped.feature_ptr) == np.minimum(most, np.diff(every.feature_ptr))).all()
    for entity in range(entities):
        mine = grouped.features[slice(*grouped.feature_ptr[entity : entity + 2])]
        assert (np.diff(mine) > 0).all()
        for at in range(*grouped.row_ptr[entity : entity + 2]):
            run = slice(*grouped.indptr[at : at + 2])
            found = dict(zip(mine[grouped.indices[run]], grouped.values[run], strict=True))
            row = rows[grouped.order[at]]
            assert found == {feature: row[feature] for feature in mine if feature in row}


@pytest.mark.parametrize(
    "sizes", [[1], [5] * 3000, [200_000, 1, 1], [1, 1, 200_000], [3] * 50 + [90_000]]
)
def test_bounds_cover_all_entities_once(sizes):
    codes = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    rows = len(codes)
    data = Dataset(
        rows,
        np.zeros(rows),
        np.ones(rows),
        np.zeros(rows),
        entities={"e": EntityColumn(pa.array(range(len(sizes))), codes)},
        shards={"s": Csr(np.arange(rows + 1), np.zeros(rows, np.int32), np.ones(rows), 1)},
    )
    bounds = group(data, "e", "s").bounds()
    assert (bounds[0], bounds[-1]) == (0, len(sizes))
    assert (np.diff(bounds) > 0).all()
    # no run is longer than its share and one entity more
    work = 20 + 2 * np.array(sizes) + 1
    runs = np.add.reduceat(work, bounds[:-1])
    assert runs.max() <= work.max() + work.sum() / max(1, work.sum() // 200_000)


@given(st.lists(st.integers(-100, 100), max_size=200))
def test_sort_in_place(values):
    array = np.array(values, np.int32)
    sort_in_place(array)
    assert array.tolist() == sorted(values)


def test_runs_hold_every_entity_once_and_begin_with_the_largest():
    rng = np.random.default_rng(0)
    codes = np.sort(rng.zipf(1.3, 20_000).clip(max=5000) - 1)
    codes = np.unique(codes, return_inverse=True)[1]
    entities = int(codes.max()) + 1
    rows = [{int(i): 1.0 for i in rng.choice(40, 20, replace=False)} for _ in codes]
    grouped = group(dataset(rows, codes, entities, 40), "e", "s")
    runs = grouped.runs()
    assert len(runs) > 2
    bounds = grouped.bounds().tolist()
    assert sorted(runs) == list(pairwise(bounds))
    sizes = [grouped.row_ptr[last] - grouped.row_ptr[first] for first, last in runs]
    assert sizes == sorted(sizes, reverse=True)
