"""Laws of the data path: any table, cut and turned in any way, against plain Python."""

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdmix.data import source as source_module
from gdmix.data.formats import csv, parquet
from gdmix.data.grouping import group
from gdmix.data.layout import Layout
from gdmix.data.reading import read, read_stream
from gdmix.data.source import open_source
from gdmix.schema import Columns, Feature

NTV = pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())])
SCHEMA = pa.schema(
    [
        ("number", pa.float64()),
        ("code", pa.int64()),
        ("flag", pa.bool_()),
        ("word", pa.string()),
        ("joined", pa.string()),
        ("words", pa.list_(pa.string())),
        ("block", pa.list_(pa.float32())),
        (
            "sparse",
            pa.struct([("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float64()))]),
        ),
        ("pair_indices", pa.list_(pa.int64())),
        ("pair_values", pa.list_(pa.float64())),
        ("bag", pa.list_(NTV)),
        ("who", pa.string()),
        ("y", pa.float64()),
    ]
)
FEATURES = (
    Feature("number", scale=0.5),
    Feature("code", kind="categorical"),
    Feature("flag"),
    Feature("word", scale=3.0),
    Feature("joined", separator=";"),
    Feature("words"),
    Feature("block"),
    Feature("sparse"),
    Feature("pair"),
    Feature("bag"),
)
LAYOUT = Layout(
    Columns(label="y", uid="who"),
    {"who": "coordinates.per-who.entity"},
    {"all": FEATURES, "some": (FEATURES[5], FEATURES[0]), "none": ()},
)

# halves, so that sums do not depend on their order
halves = st.integers(-20, 20).map(lambda number: number / 2)
words = st.text(alphabet='abü;, \x01"日', max_size=3)
item = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["n", "number", "ñ", ""]),
        "term": st.none() | words,
        "value": halves,
    }
)


def sparse(value):
    pairs = st.lists(st.tuples(st.integers(0, 4), value), max_size=4)
    return pairs.map(
        lambda found: {"indices": [i for i, _ in found], "values": [v for _, v in found]}
    )


@st.composite
def a_row(draw):
    pair = draw(st.none() | sparse(halves)) or {"indices": None, "values": None}
    maybe = {
        "number": halves,
        "code": st.integers(-3, 12),
        "flag": st.booleans(),
        "word": words,
        "joined": words,
        "words": st.lists(words, max_size=4),
        "block": st.just([]) | st.lists(halves, min_size=3, max_size=3),
        "sparse": sparse(halves),
        "bag": st.lists(item, max_size=4),
    }
    return {
        **{name: draw(st.none() | values) for name, values in maybe.items()},
        "pair_indices": pair["indices"],
        "pair_values": pair["values"],
        "who": draw(st.sampled_from(["u", "v", "ü", "", "10", "9"])),
        "y": draw(halves),
    }


rows_of_table = st.lists(a_row(), min_size=1, max_size=12)


def pairs_of(row):
    """Return every (name, term, value) that a row holds: the rules, spelt out."""
    found = []
    if row["number"] is not None:
        found.append(("number", "", 0.5 * row["number"]))
    if row["code"] is not None:
        found.append(("code", str(row["code"]), 1.0))
    if row["flag"] is not None:
        found.append(("flag", "true" if row["flag"] else "false", 1.0))
    if row["word"] is not None:
        found.append(("word", row["word"], 3.0))
    if row["joined"]:
        found += [("joined", part, 1.0) for part in row["joined"].split(";")]
    found += [("words", word, 1.0) for word in row["words"] or []]
    found += [("block", str(i), value) for i, value in enumerate(row["block"] or [])]
    for name, lists in (
        ("sparse", row["sparse"]),
        ("pair", {"indices": row["pair_indices"], "values": row["pair_values"]}),
    ):
        if lists and lists["indices"]:
            triples = zip(lists["indices"], lists["values"], strict=True)
            found += [(name, str(i), value) for i, value in triples]
    found += [(it["name"], it["term"] or "", it["value"]) for it in row["bag"] or []]
    return found


def reference(rows, wanted=None):
    """Return every row as a dict of (name, term) to value."""
    out = []
    for row in rows:
        mine = {}
        for name, term, value in pairs_of(row):
            if wanted is None or name in wanted:
                mine[name, term] = mine.get((name, term), 0.0) + value
        out.append(mine)
    return out


def decoded(dataset, indexes, shard="all"):
    csr = dataset.shards[shard]
    index = indexes[shard]
    keys = list(zip(index.names.to_pylist(), index.terms.to_pylist(), strict=True))
    out = []
    for first, last in itertools.pairwise(csr.indptr.tolist()):
        mine = csr.indices[first:last].tolist()
        assert len(set(mine)) == len(mine)
        values = csr.values[first:last].tolist()
        out.append({keys[i]: value for i, value in zip(mine, values, strict=True)})
    return out


def who(dataset):
    ids, codes = dataset.entities["who"]
    assert ids.to_pylist() == sorted(ids.to_pylist(), key=lambda name: name.encode())
    return ids.take(pa.array(codes)).to_pylist()


def table_of(rows):
    return pa.Table.from_pylist(rows, SCHEMA)


@pytest.fixture
def small_batches(monkeypatch):
    for module, name in ((source_module, "_BATCH_ROWS"), (parquet, "_BATCH_ROWS")):
        monkeypatch.setattr(module, name, 3)
    monkeypatch.setattr(csv, "_BLOCK_BYTES", 128)


quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

a_few = settings(quietly, max_examples=25)


@quietly
@given(rows_of_table)
def test_rows_are_those_of_the_reference(small_batches, rows):
    dataset, indexes = read(open_source(table_of(rows)), LAYOUT)
    assert decoded(dataset, indexes) == reference(rows)
    assert decoded(dataset, indexes, "none") == [{}] * len(rows)
    some = decoded(dataset, indexes, "some")
    trimmed = [{**row, "bag": None} for row in rows]
    assert some == reference(trimmed, {"words", "number"})
    assert who(dataset) == dataset.uid.to_pylist() == [row["who"] for row in rows]
    assert dataset.label.tolist() == [row["y"] for row in rows]
    assert dataset.unseen == {"all": 0, "some": 0, "none": 0}


@quietly
@given(rows_of_table, rows_of_table)
def test_unseen_features_are_dropped_and_counted(small_batches, rows, others):
    # a column whose only category is "" looks like a column of numbers
    rows = [{**rows[0], "word": "w"}, *rows]
    _, indexes = read(open_source(table_of(rows)), LAYOUT)
    dataset, _ = read(open_source(table_of(others)), LAYOUT, indexes)
    keys = {
        shard: set(zip(index.names.to_pylist(), index.terms.to_pylist(), strict=True))
        for shard, index in indexes.items()
    }
    expected = [
        {key: value for key, value in row.items() if key in keys["all"]}
        for row in reference(others)
    ]
    assert decoded(dataset, indexes) == expected
    missing = [
        pair for row in others for pair in pairs_of(row) if (pair[0], pair[1]) not in keys["all"]
    ]
    assert dataset.unseen["all"] == len(missing)
    streamed = list(read_stream(open_source(table_of(others)), LAYOUT, indexes, label=True))
    assert [row for part in streamed for row in decoded(part, indexes)] == expected
    assert sum(part.unseen["all"] for part in streamed) == len(missing)
    assert [name for part in streamed for name in who(part)] == [row["who"] for row in others]


@quietly
@given(rows_of_table, st.data())
def test_order_of_rows_and_cut_into_batches_do_not_matter(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=4)) | {0, len(rows)})
    table = table_of(rows)
    one, indexes = read(open_source(table), LAYOUT)
    turned = table.take(pa.array(order))
    pieces = [turned.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
    two, others = read(open_source(pa.concat_tables(pieces)), LAYOUT)
    for shard in indexes:
        assert indexes[shard].keys.equals(others[shard].keys)
        csr, other = one.shards[shard], two.shards[shard]
        assert (
            other.indptr.tolist()
            == np.concatenate([[0], np.cumsum(np.diff(csr.indptr)[order])]).tolist()
        )
        for at, row in enumerate(order):
            mine = slice(csr.indptr[row], csr.indptr[row + 1])
            there = slice(other.indptr[at], other.indptr[at + 1])
            # the very arrays: within a row the order is that of the columns
            assert other.indices[there].tolist() == csr.indices[mine].tolist()
            assert other.values[there].tolist() == csr.values[mine].tolist()
    assert two.entities["who"].ids.equals(one.entities["who"].ids)
    assert two.entities["who"].codes.tolist() == one.entities["who"].codes[order].tolist()


@a_few
@given(rows_of_table, st.data())
def test_files_are_read_as_frames_are(small_batches, tmp_path_factory, rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    folder = tmp_path_factory.mktemp("t")
    table = table_of(rows)
    for name, part in (("b.parquet", table.slice(0, cut)), ("a.parquet", table.slice(cut))):
        pq.write_table(part, folder / name, row_group_size=data.draw(st.integers(1, 5)))
    one, indexes = read(open_source([folder / "b.parquet", folder / "a.parquet"]), LAYOUT)
    assert decoded(one, indexes) == reference(rows)
    two, others = read(open_source(folder), LAYOUT)
    assert others["all"].keys.equals(indexes["all"].keys)
    assert decoded(two, others) == reference(rows[cut:] + rows[:cut])


@a_few
@given(rows_of_table)
def test_frames_of_any_library(small_batches, rows):
    table = table_of(rows)
    expected = reference(rows)
    frame = pl.from_arrow(table)
    for data in (frame, frame.lazy(), frame.with_columns(pl.col("word").cast(pl.Categorical))):
        assert decoded(*read(open_source(data), LAYOUT)) == expected
    pandas = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert decoded(*read(open_source(pandas), LAYOUT)) == expected
    coded = table.set_column(3, "word", table["word"].dictionary_encode())
    assert decoded(*read(open_source(coded), LAYOUT)) == expected


@a_few
@given(rows_of_table, st.sampled_from([".csv", ".tsv", ".csv.gz", ".tsv.zst"]))
def test_text_files(small_batches, tmp_path_factory, rows, suffix):
    flat = (FEATURES[0], Feature("word"), FEATURES[4])
    wanted = Layout(Columns(label="y"), {}, {"all": flat})
    # a first row, so that each column's type can be told; text that looks like a null is one
    first = {"number": 0.5, "word": "w", "joined": "a;b", "y": 1.0}
    flat_rows = [first] + [{name: row[name] for name in first} for row in rows]
    path = tmp_path_factory.mktemp("t") / f"t{suffix}"
    separator = "\t" if suffix.startswith(".tsv") else ","
    text = pd.DataFrame(flat_rows).to_csv(sep=separator, index=False).encode()
    if path.suffix in {".gz", ".zst"}:
        text = pa.Codec({".gz": "gzip", ".zst": "zstd"}[path.suffix]).compress(text)
    path.write_bytes(text)
    empty = {**dict.fromkeys(SCHEMA.names), "word": None}
    expected = reference([{**empty, **row, "word": row["word"] or None} for row in flat_rows])
    for row in expected:
        row.update({key: 1.0 for key in row if key[0] == "word"})
    assert decoded(*read(open_source(path), wanted)) == expected


@quietly
@given(rows_of_table)
def test_groups_hold_the_rows_of_their_entities(rows):
    dataset, indexes = read(open_source(table_of(rows)), LAYOUT)
    grouped = group(dataset, "who", "all")
    keys = list(
        zip(indexes["all"].names.to_pylist(), indexes["all"].terms.to_pylist(), strict=True)
    )
    expected = reference(rows)
    for entity, name in enumerate(grouped.ids.to_pylist()):
        features = grouped.features[slice(*grouped.feature_ptr[entity : entity + 2])]
        assert (np.diff(features) > 0).all()
        mine = [i for i, row in enumerate(rows) if row["who"] == name]
        run = range(*grouped.row_ptr[entity : entity + 2])
        assert grouped.order[run.start : run.stop].tolist() == mine
        for at, row in zip(run, mine, strict=True):
            inside = slice(*grouped.indptr[at : at + 2])
            named = [keys[features[i]] for i in grouped.indices[inside]]
            values = grouped.values[inside].tolist()
            assert dict(zip(named, values, strict=True)) == expected[row]
            assert grouped.label[at] == rows[row]["y"]
