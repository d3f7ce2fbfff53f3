"""Every kind of feature column, from every kind of source, against what it should become."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix.data import source as source_module
from gdmix.data.layout import Layout
from gdmix.data.reading import read, read_stream
from gdmix.data.source import open_source
from gdmix.errors import DataError
from gdmix.schema import Columns, Feature


def layout(*features, entities=(), labels="any", labels_of="", **columns):
    features = tuple(f if isinstance(f, Feature) else Feature(f) for f in features)
    return Layout(
        Columns(**columns),
        {name: f"coordinates.per-{name}.entity" for name in entities},
        {"s": features},
        dict.fromkeys(features, "coordinates.global.features"),
        labels,
        labels_of,
    )


def rows_of(dataset, index, shard="s"):
    """Return every row as a dict of (name, term) to value."""
    csr = dataset.shards[shard]
    keys = [tuple(key.split("\x01", 1)) for key in index.keys.to_pylist()]
    found = []
    for first, last in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        mine = [keys[i] for i in csr.indices[first:last]]
        assert len(set(mine)) == len(mine)
        found.append(dict(zip(mine, csr.values[first:last].tolist(), strict=True)))
    return found


def decode(data, *features, **options):
    """Read `data` and return its rows as dicts."""
    dataset, indexes = read(open_source(data), layout(*features, **options))
    return rows_of(dataset, indexes["s"])


@pytest.fixture
def tiny_batches(monkeypatch):
    monkeypatch.setattr(source_module, "_BATCH_ROWS", 2)


def error_of(data, *features, **options):
    with pytest.raises(DataError) as caught:
        decode(data, *features, **options)
    return str(caught.value)


NTV = pa.list_(pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())]))
HOT = [{("x", "a"): 1.0}, {}, {("x", "b"): 1.0}]
MANY = [{("x", "a"): 1.0, ("x", "b"): 1.0}, {}, {("x", "b"): 2.0}, {}]
SPARSE = [{("x", "7"): 1.5, ("x", "2"): 2.5}, {}, {("x", "2"): 3.0}, {}]
DENSE = [{("x", "0"): 1.0, ("x", "1"): 2.0}, {}, {("x", "0"): 3.0, ("x", "1"): 4.0}]
NUMBERS = [{("x", ""): 1.0}, {}, {("x", ""): 3.0}]


@pytest.mark.parametrize(
    ("array", "feature", "expected"),
    [
        (pa.array([1.0, None, 3.0]), {}, NUMBERS),
        (pa.array([1.0, None, 3.0], pa.float32()), {}, NUMBERS),
        (pa.array([1.0, None, 3.0], pa.float16()), {}, NUMBERS),
        (pa.array([1, None, 3]), {}, NUMBERS),
        (pa.array([1, None, 3], pa.uint64()), {}, NUMBERS),
        (pa.array([1, None, 3]).dictionary_encode(), {}, NUMBERS),
        (pa.array([decimal.Decimal("1.0"), None, decimal.Decimal("3.0")]), {}, NUMBERS),
        (pa.array(["1", None, "3.0"]), {"kind": "numeric"}, NUMBERS),
        (pa.array(["1", None, "3.0"]).dictionary_encode(), {"kind": "numeric"}, NUMBERS),
        (pa.array(["1", None, "3.0"], pa.string_view()), {"kind": "numeric"}, NUMBERS),
        (
            pa.array([True, None, False]),
            {"kind": "numeric"},
            [{("x", ""): 1.0}, {}, {("x", ""): 0}],
        ),
        (pa.array([1, None, 3]), {"scale": 0.5}, [{("x", ""): 0.5}, {}, {("x", ""): 1.5}]),
        (pa.array(["a", None, "b"]), {}, HOT),
        (pa.array(["a", None, "b"], pa.large_string()), {}, HOT),
        (pa.array(["a", None, "b"], pa.string_view()), {}, HOT),
        (pa.array(["a", None, "b"]).dictionary_encode(), {}, HOT),
        (pa.DictionaryArray.from_arrays([2, 1, 3], ["z", None, "a", "b"]), {}, HOT),
        (pa.DictionaryArray.from_arrays([0, None, 2], ["a", "a", "b"]), {}, HOT),
        (pa.array(["zz", "a", None, "b", "q"])[1:4], {}, HOT),
        (pa.array(["a", None, "b"]), {"scale": 2.0}, [{("x", "a"): 2.0}, {}, {("x", "b"): 2.0}]),
        (pa.array([True, None, False]), {}, [{("x", "true"): 1.0}, {}, {("x", "false"): 1.0}]),
        (
            pa.array([10, None, 9]),
            {"kind": "categorical"},
            [{("x", "10"): 1.0}, {}, {("x", "9"): 1.0}],
        ),
        (pa.array([["a", "b"], None, ["b", "b"], []]), {}, MANY),
        (pa.array([["a", "b"], None, ["b", "b"], []], pa.large_list(pa.large_string())), {}, MANY),
        (pa.array([["a", "b"], None, ["b", "b"], []], pa.list_(pa.string_view())), {}, MANY),
        (
            pa.array(
                [["a", "b"], None, ["b", "b"], []], pa.list_(pa.dictionary(pa.int32(), pa.string()))
            ),
            {},
            MANY,
        ),
        (pa.array([["q"], ["a", "b"], None, ["b", "b"], [], ["q"]])[1:5], {}, MANY),
        (pa.array(["a|b", None, "b|b", ""]), {"separator": "|"}, MANY),
        (pa.array(["a|b", None, "b|b", ""], pa.large_string()), {"separator": "|"}, MANY),
        (pa.array(["a|b", None, "b|b", ""], pa.string_view()), {"separator": "|"}, MANY),
        (pa.array(["a|b", None, "b|b", ""]).dictionary_encode(), {"separator": "|"}, MANY),
        (pa.array([12, None]), {"separator": "|"}, [{("x", "12"): 1.0}, {}]),
        (
            pa.array([[3, 1], [1]]),
            {"kind": "categorical"},
            [{("x", "3"): 1.0, ("x", "1"): 1.0}, {("x", "1"): 1.0}],
        ),
        (pa.array([[1.0, 2.0], None, [3.0, 4.0]]), {}, DENSE),
        (pa.array([[1, 2], [], [3, 4]]), {}, DENSE),
        (pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)), {}, DENSE),
        (pa.array([[9, 9], [1, 2], None, [3, 4]], pa.list_(pa.float64(), 2))[1:], {}, DENSE),
        (
            pa.array(
                [
                    {"indices": [7, 2], "values": [1.5, 2.5]},
                    None,
                    {"indices": [2, 2], "values": [1.0, 2.0]},
                    {"indices": [], "values": []},
                ]
            ),
            {},
            SPARSE,
        ),
        (
            pa.array(
                [
                    [{"name": "n", "term": "t", "value": 1.0}, {"name": "n", "value": 2.0}],
                    None,
                    [{"name": "n", "term": None, "value": 1.0}] * 2,
                    [],
                ],
                NTV,
            ),
            {},
            [{("n", "t"): 1.0, ("n", ""): 2.0}, {}, {("n", ""): 2.0}, {}],
        ),
        (pa.array([[{"name": "n", "value": 2}]]), {}, [{("n", ""): 2.0}]),
        (pa.array([None, None]), {}, [{}, {}]),
        (pa.array([[], None], pa.list_(pa.null())), {}, [{}, {}]),
    ],
)
@pytest.mark.parametrize("how", ["frame", "parquet", "chunked"])
def test_column(array, feature, expected, how, tmp_path):
    data = pa.table({"x": array})
    if how == "parquet":
        try:
            pq.write_table(data, tmp_path / "t.parquet", row_group_size=2)
        except pa.ArrowException:
            pytest.skip("Parquet has no such type")
        data = tmp_path / "t.parquet"
    elif how == "chunked":
        data = pa.concat_tables([data.slice(i, 1) for i in range(len(array))])
    assert decode(data, Feature("x", **feature)) == expected


def test_pair_of_columns():
    data = {"x_indices": [[7, 2], None, [2, 2], []], "x_values": [[1.5, 2.5], [], [1.0, 2.0], []]}
    assert decode(data, "x") == SPARSE
    assert decode({**data, "x": [1, None, 3, None]}, "x") == [*NUMBERS, {}]


@pytest.mark.parametrize("how", ["pandas", "polars", "lazy", "dict", "batch"])
def test_frames(how):
    columns = {
        "n": [1.5, None],
        "i": [1, None],
        "s": ["a", None],
        "b": [True, None],
        "l": [["p", "q"], None],
        "d": [[1.0, 2.0], [3.0, 4.0]],
    }
    data = columns
    if how == "pandas":
        data = pd.DataFrame(columns).astype({"i": "Int64", "b": "boolean"})
        data["c"] = pd.Categorical(["u", None], categories=["idle", "u"])
    elif how == "batch":
        data = pa.RecordBatch.from_pydict({**columns, "c": ["u", None]})
    else:
        data = pl.DataFrame(columns) if how != "dict" else columns
        if how != "dict":
            data = data.with_columns(
                pl.Series("c", ["u", None], pl.Categorical),
                pl.Series("d", columns["d"], pl.Array(pl.Float64, 2)),
            )
            data = data.lazy() if how == "lazy" else data
        else:
            data["c"] = ["u", None]
    first, second = decode(data, *"nisblcd")
    assert first == {
        ("n", ""): 1.5,
        ("i", ""): 1.0,
        ("s", "a"): 1.0,
        ("b", "true"): 1.0,
        ("l", "p"): 1.0,
        ("l", "q"): 1.0,
        ("c", "u"): 1.0,
        ("d", "0"): 1.0,
        ("d", "1"): 2.0,
    }
    assert second == {("d", "0"): 3.0, ("d", "1"): 4.0}


def test_idle_categories_are_no_features_and_no_entities():
    ids = pd.Categorical(["u", "v", "u"], categories=["idle", "v", "u"])
    data = pd.DataFrame({"c": ids, "e": ids})
    dataset, indexes = read(open_source(data), layout("c", entities=["e"]))
    assert indexes["s"].terms.to_pylist() == ["u", "v"]
    assert dataset.entities["e"].ids.to_pylist() == ["u", "v"]
    assert dataset.entities["e"].codes.tolist() == [0, 1, 0]


def test_entity_dictionary_with_repeats():
    ids = pa.DictionaryArray.from_arrays([0, 1, 2], ["a", "a", "b"])
    dataset, _ = read(open_source({"e": ids}), layout(entities=["e"]))
    assert dataset.entities["e"].ids.to_pylist() == ["a", "b"]
    assert dataset.entities["e"].codes.tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint32(), pa.int64(), pa.uint64()])
def test_whole_number_entities(kind, tiny_batches):
    data = pa.table({"e": pa.array([30, 4, 30, 100, 4], kind)})
    dataset, _ = read(open_source(data), layout(entities=["e"]))
    assert dataset.entities["e"].ids == pa.array([4, 30, 100], pa.int64())
    assert dataset.entities["e"].codes.tolist() == [1, 0, 1, 2, 0]


def test_features_shared_by_columns_are_summed():
    pairs = [[{"name": "x", "term": "", "value": 2.0}]]
    data = pa.table({"x": [1.0], "bag": pa.array(pairs, NTV)})
    assert decode(data, "x", "bag") == [{("x", ""): 3.0}]


def test_no_features_and_nothing_at_all():
    dataset, indexes = read(open_source({"y": [1.0, 2.0]}), layout(label="y"))
    assert len(indexes["s"]) == 0
    assert dataset.shards["s"].indptr.tolist() == [0, 0, 0]
    assert dataset.shards["s"].width == 0
    bare, _ = read(open_source({"y": [1.0, 2.0]}), layout())
    assert (bare.rows, bare.has_label) == (2, False)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_nothing_wanted_from_a_file(suffix, tmp_path):
    path = tmp_path / f"t.{suffix}"
    frame = pd.DataFrame({"y": [1.0, 2.0]})
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    assert read(open_source(path), layout())[0].rows == 2


def test_numbers_and_defaults():
    data = {"y": [True, False], "w": [1, 0], "o": [decimal.Decimal("0.5")] * 2, "id": ["a", None]}
    dataset, _ = read(open_source(data), layout(label="y", weight="w", offset="o", uid="id"))
    assert dataset.label.tolist() == [1.0, 0.0]
    assert dataset.weight.tolist() == [1.0, 0.0]
    assert dataset.offset.tolist() == [0.5, 0.5]
    assert dataset.uid.to_pylist() == ["a", None]
    plain, _ = read(open_source(data), layout(label="y"), label=False)
    assert not plain.has_label
    assert plain.label.tolist() == [0.0, 0.0]
    assert plain.weight.tolist() == [1.0, 1.0]
    assert plain.uid is None


def test_unseen_features_are_dropped_and_counted():
    train = {"s": ["a", "b"], "l": [["p"], ["q", "q"]], "n": [1.0, 2.0]}
    _, indexes = read(open_source(train), layout("s", "l", "n"))
    new = {"s": ["c", "a"], "l": [["p", "new", "new"], None], "n": [None, 5.0]}
    dataset, same = read(open_source(new), layout("s", "l", "n"), indexes)
    assert same is indexes
    assert dataset.unseen == {"s": 3}
    assert rows_of(dataset, indexes["s"]) == [{("l", "p"): 1.0}, {("s", "a"): 1.0, ("n", ""): 5.0}]
    assert dataset.shards["s"].width == 5


def test_streaming_equals_one_batch(tiny_batches):
    data = pa.table(
        {
            "s": ["a", None, "b", "a", "c"],
            "l": [["p"], [], ["q", "q"], None, ["r"]],
            "d": [[1, 2], [3, 4], None, [5, 6], [7, 8]],
            "e": ["u", "v", "u", "w", "v"],
            "y": [1.0, 0.0, 1.0, 0.0, 1.0],
        }
    )
    wanted = layout("s", "l", "d", entities=["e"], label="y", uid="e")
    whole, indexes = read(open_source(data), wanted)
    parts = list(read_stream(open_source(data), wanted, indexes, label=True))
    assert [part.rows for part in parts] == [2, 2, 1]
    found = [row for part in parts for row in rows_of(part, indexes["s"])]
    assert found == rows_of(whole, indexes["s"])
    assert np.concatenate([part.label for part in parts]).tolist() == whole.label.tolist()
    ids = [part.entities["e"].ids.take(pa.array(part.entities["e"].codes)) for part in parts]
    assert pa.chunked_array(ids).to_pylist() == data["e"].to_pylist()
    assert whole.uid.to_pylist() == data["e"].to_pylist()


def test_bounds_cut_all_rows_by_the_data_alone():
    data = {"x": np.ones(300_000)}
    dataset, _ = read(open_source(data), layout("x"))
    bounds = dataset.bounds("s")
    assert (bounds[0], bounds[-1]) == (0, 300_000)
    assert (np.diff(bounds) > 0).all()
    assert len(bounds) > 2


@pytest.mark.parametrize(
    "array",
    [
        pa.array([datetime.date(2020, 1, 1)]),
        pa.array([datetime.datetime(2020, 1, 1)]),
        pa.array([b"a"]),
        pa.array([[["a"]]]),
        pa.array([[datetime.date(2020, 1, 1)]]),
        pa.array([[True]]),
        pa.array([{"a": 1}]),
        pa.array([{"indices": [1.5], "values": [1.0]}]),
        pa.array([{"indices": [1], "values": ["a"]}]),
        pa.array([{"indices": 1, "values": 1.0}]),
        pa.array([[{"name": "n", "value": "x"}]]),
        pa.array([[{"name": 1, "value": 1.0}]]),
        pa.array([[{"name": "n", "term": ["t"], "value": 1.0}]]),
        pa.array([[("a", 1.0)]], pa.map_(pa.string(), pa.float64())),
    ],
)
@pytest.mark.parametrize("kind", ["auto", "numeric", "categorical"])
def test_types_that_are_no_features(array, kind):
    message = error_of({"x": array}, Feature("x", kind=kind))
    assert message.startswith("coordinates.global.features: data, column 'x': type ")
    assert "convert the column" in message


def test_fractions_are_no_categories():
    assert "kind: categorical" in error_of({"x": [1.5]}, Feature("x", kind="categorical"))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (lambda v: {"x": [None, 1.0, 2.0, v]}, "x"),
        (lambda v: {"x": [[1.0], None, [], [v]]}, "x"),
        (lambda v: {"x": [{"indices": [1], "values": [w]} for w in (1.0, 1.0, 1.0, v)]}, "x"),
        (
            lambda v: {"x_indices": [[], [1, 2], [], [1]], "x_values": [[], [1.0, 1.0], [], [v]]},
            "x_values",
        ),
        (lambda v: {"x": [[{"name": "n", "value": w}] for w in (1.0, 1.0, 1.0, v)]}, "x"),
    ],
)
def test_values_must_be_finite(bad, columns, name, tiny_batches):
    data = pa.table({key: pa.array(values) for key, values in columns(bad).items()})
    message = error_of(data, "x")
    assert message.startswith(f"data, row 4, column '{name}': found {bad}; expected a finite")


@pytest.mark.parametrize(
    ("column", "row", "words"),
    [
        ([["a"], ["b"], ["c", None]], 3, "a null inside a list"),
        ([[1.0], None, [None]], 3, "a null inside a list"),
        ([[{"name": "n", "value": 1.0}], [], [{"name": None, "value": 1.0}]], 3, "without a name"),
        ([[{"name": "n", "value": 1.0}], [], [{"name": "n", "value": None}]], 3, "without a value"),
        ([[{"name": "n", "value": 1.0}], [None]], 2, "a null inside a list"),
        ([[{"name": "a\x01b", "value": 1.0}]], 1, "U+0001"),
        ([{"indices": [1], "values": [1.0]}, {"indices": [1, 2], "values": [1.0]}], 2, "2 indices"),
        ([{"indices": [1], "values": [1.0]}, {"indices": [None], "values": [1.0]}], 2, "a null"),
    ],
)
def test_what_is_wrong_in_lists(column, row, words):
    message = error_of({"x": pa.array(column)}, "x")
    assert message.startswith(f"data, row {row}, column 'x': ")
    assert words in message


def test_text_that_is_no_number_names_its_row(tiny_batches):
    message = error_of({"x": ["1", None, "2", "3", "4", "five"]}, Feature("x", kind="numeric"))
    assert message.startswith("data, row 6, column 'x': found 'five'; expected a number")


@pytest.mark.parametrize("column", [[1.0, 1e308], [[1.0], [1e308]]])
def test_a_scale_that_overflows(column):
    message = error_of({"x": column}, Feature("x", scale=1e10))
    assert message.startswith("data, row 2, column 'x': found inf")


def test_pair_of_wrong_types_or_lengths():
    assert "cannot be a feature" in error_of({"x_indices": [1], "x_values": [1.0]}, "x")
    assert "cannot be a feature" in error_of({"x_indices": [[1]], "x_values": [["a"]]}, "x")
    message = error_of({"x_indices": [[1], [1]], "x_values": [[1.0], None]}, "x")
    assert message.startswith("data, row 2, column 'x_indices': 1 indices and 0 values")


def test_dense_lists_of_one_width(tiny_batches, tmp_path):
    columns = [[1.0, 2.0], None, [1.0, 2.0], [1.0], [1.0, 2.0]]
    start = "row 4, column 'x': a list of 1 numbers; expected 2, as in the rows before it"
    assert start in error_of({"x": columns}, "x")
    assert "row 2, column 'x': a list of 3" in error_of({"x": [[1.0], [1.0, 2.0, 3.0]]}, "x")
    # another batch, another file
    assert "row 3, column 'x': a list of 1" in error_of({"x": [[1.0, 2.0]] * 2 + [[1.0]] * 2}, "x")
    pq.write_table(pa.table({"x": [[1.0, 2.0]]}), tmp_path / "a.parquet")
    fixed = pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float64(), 3))
    pq.write_table(pa.table({"x": fixed}), tmp_path / "b.parquet")
    message = error_of(tmp_path, "x")
    assert message.startswith(f"{tmp_path / 'b.parquet'}, row 1, column 'x': a list of 3 numbers")


@pytest.mark.parametrize("width", [1, 3])
def test_dense_lists_of_another_width_than_in_training(width):
    _, indexes = read(open_source({"x": [[1.0, 2.0]]}), layout("x"))
    new = open_source({"x": [None, [1.0] * width]})
    with pytest.raises(DataError, match=r"row 2, column 'x': .* expected 2, as in training"):
        read(new, layout("x"), indexes)
    with pytest.raises(DataError, match="as in training"):
        list(read_stream(new, layout("x"), indexes))


def test_numbers_for_categories_and_back():
    _, indexes = read(open_source({"x": ["a", "1"]}), layout("x"))
    with pytest.raises(DataError, match="found numbers; expected categories, as in training"):
        read(open_source({"x": [1, 2]}), layout("x"), indexes)
    _, indexes = read(open_source({"x": [1, 2]}), layout("x"))
    with pytest.raises(DataError, match="found categories; expected numbers, as in training"):
        list(read_stream(open_source({"x": ["a"]}), layout("x"), indexes))
    # a column without a value fits either
    assert read(open_source({"x": [None]}), layout("x"), indexes)[0].rows == 1


def test_missing_columns():
    data = {"user_id": [1], "age": [1.0], "y": [1.0]}
    message = error_of(data, "ages")
    assert message == (
        "coordinates.global.features: column 'ages' not found in data; did you mean 'age'?"
    )
    message = error_of(data, entities=["usr_id"])
    assert message.startswith("coordinates.per-usr_id.entity: column 'usr_id' not found in data")
    assert "did you mean 'user_id'?" in message
    for role in ("label", "weight", "offset", "uid"):
        message = error_of(data, **{role: "zzz"})
        assert message.startswith(f"{role}: column 'zzz' not found in data; known: age, user_id, y")


def test_one_column_in_two_roles():
    assert "did you mean 'e'" not in error_of({"e": [1]}, label="missing", entities=["e"])
    dataset, _ = read(open_source({"e": [1, 0]}), layout("e", label="e", uid="e", entities=["e"]))
    assert dataset.label.tolist() == [1.0, 0.0]


def test_columns_of_one_name():
    table = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["x", "x", "y"])
    assert decode(table, "y") == [{("y", ""): 1.0}]
    for message in (
        error_of(table, "x"),
        error_of(table, label="x"),
        error_of(table, entities="x"),
    ):
        assert message.startswith("data: 2 columns are named 'x'")
