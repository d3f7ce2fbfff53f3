"""libsvm files: numbers to the bit, what is broken, and scikit-learn's reading of real ones."""

import gzip
import math
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_svmlight_file

from gdmix.data.formats import libsvm, libsvm_writer, textstream
from gdmix.errors import DataError

COLUMNS = pa.schema([libsvm.LABEL, libsvm.QID, libsvm.FEATURES])


def read(path):
    schema = libsvm.read_schema(path)
    return pa.Table.from_batches(libsvm.read_batches(path, schema), schema)


def text(tmp_path, content, name="a.libsvm"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(*pairs):
    return [{"indices": [i for i, _ in row], "values": [v for _, v in row]} for row in pairs]


def test_a_file_by_hand(tmp_path):
    path = text(
        tmp_path,
        "# a comment\n\n-1 3:0.5 1:-2e-1 # docid = 7 1:9\r\n"
        "  +1\t0:1  2147483647:.5 \n   \n2.5#x\n0",
    )
    table = read(path)
    assert table.schema.names == ["label", "features"]
    assert table["label"].to_pylist() == [-1.0, 1.0, 2.5, 0.0]
    expected = rows([(3, 0.5), (1, -0.2)], [(0, 1.0), (2147483647, 0.5)], [], [])
    assert table["features"].to_pylist() == expected


def test_query_ids(tmp_path):
    path = text(tmp_path, "2 qid:7 1:1\n1 1:3\n0 1:2 qid:-12\n")
    table = read(path)
    assert table["qid"].to_pylist() == [7, None, -12]
    assert table["features"].to_pylist() == rows([(1, 1.0)], [(1, 3.0)], [(1, 2.0)])


@pytest.mark.parametrize("name", ["a.svm", "a.svmlight", "a.libsvm.gz", "a.libsvm.zst"])
def test_compressed_files_and_byte_order_marks(tmp_path, name):
    content = "\ufeff1 1:2\n".encode()
    if name.endswith(".gz"):
        content = gzip.compress(content)
    if name.endswith(".zst"):
        content = pa.Codec("zstd").compress(content).to_pybytes()
    assert read(text(tmp_path, content, name))["label"].to_pylist() == [1.0]


WORDS = st.one_of(
    st.floats().map(repr),
    st.floats(width=32).map(lambda x: repr(np.float32(x).item())),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: f"{x:.7e}"),
    st.from_regex(
        r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,9})([eE][+-]?[0-9]{1,4})?", fullmatch=True
    ),
    st.sampled_from(["nan", "-inf", "Infinity", "-0", "0e999", "1e22", "1e23", "9007199254740993"]),
)


@given(st.lists(WORDS, min_size=1, max_size=30))
def test_numbers_are_those_of_float(tmp_path_factory, words):
    pairs = " ".join(f"{k}:{word}" for k, word in enumerate(words))
    table = read(text(tmp_path_factory.mktemp("x"), f"{words[0]} {pairs}\n"))
    found = [table["label"][0].as_py(), *table["features"][0].as_py()["values"]]
    for word, number in zip([words[0], *words], found, strict=True):
        same = math.isnan(number) if math.isnan(float(word)) else number == float(word)
        assert same, word
        assert math.copysign(1, number) == math.copysign(1, float(word)) or math.isnan(number)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x 1:2", "line 2: found no label ('x')"),
        ("1:2 3:4", "line 2: found no label ('1:2')"),
        (". 1:2", "line 2: found no label ('.')"),
        ("1,2 1:2", "line 2: found no label ('1,2')"),
        ("1 -1:2", "line 2: found no pair of index and value ('-1:2')"),
        ("1 a:2", "index from 0 to 2147483647"),
        ("1 1.5:2", "line 2: found no pair of index and value ('1.5:2')"),
        ("1 2147483648:2", "line 2: found an index that is too large ('2147483648:2')"),
        ("1 99999999999999999999999:2", "line 2: found an index that is too large"),
        ("1 7", "line 2: found no pair of index and value ('7')"),
        ("1 7:", "line 2: found no number behind the index ('7:')"),
        ("1 7: 8:1", "line 2: found no number behind the index ('7:')"),
        ("1 7:abc", "line 2: found no number ('abc')"),
        ("1 7:1_0", "line 2: found no number ('1_0')"),
        ("1 7:0x1p3", "line 2: found no number ('0x1p3')"),
        ("1 7:1e", "line 2: found no number ('1e')"),
        ("1 7:\u0661", "line 2: found no number"),
        ("1 qid:a 7:1", "line 2: found no query id ('qid:a')"),
        ("1 qid:1 qid:2", "line 2: found a second query id ('qid:2')"),
        ("1 qid", "line 2: found no pair of index and value ('qid')"),
        ("1 cost:2 1:1", "line 2: found no pair of index and value ('cost:2')"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, line, message):
    path = text(tmp_path, f"0 1:1\n{line}\n0 1:1\n")
    with pytest.raises(DataError, match="line 2") as error:
        read(path)
    assert message in str(error.value)


def test_a_query_id_that_comes_late(tmp_path, monkeypatch):
    monkeypatch.setattr(libsvm, "_HEAD_BYTES", 8)
    with pytest.raises(DataError, match="found a query id, though the lines before have none"):
        read(text(tmp_path, "0 1:1\n0 1:1\n0 qid:3 1:1\n"))


def test_lines_are_found_however_the_file_is_cut(tmp_path):
    path = text(tmp_path, "\n".join(f"{k} {k}:0.{k}" for k in range(40)))
    for size in (1, 3, 17, 1 << 20):
        blocks = list(textstream.line_blocks(path, size))
        assert b"".join(block.tobytes() for block, _ in blocks) == path.read_bytes() + b"\n"
        before = np.cumsum([0] + [int((block == 10).sum()) for block, _ in blocks])
        assert [first for _, first in blocks] == before[:-1].tolist()


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(textstream, "_LONGEST_LINE", 100)
    with pytest.raises(DataError, match="line 2: the line is longer"):
        list(textstream.line_blocks(text(tmp_path, "0 1:1\n" + "1" * 200), 16))


def test_an_empty_file_has_no_rows(tmp_path):
    assert read(text(tmp_path, "# nothing\n")).num_rows == 0
    assert read(text(tmp_path, "")).num_rows == 0


NUMBERS = st.floats()
PAIRS = st.lists(st.tuples(st.integers(0, 2**31 - 1), NUMBERS), max_size=5)


@given(st.lists(st.tuples(NUMBERS, st.integers(-(10**18) + 1, 10**18 - 1), PAIRS), min_size=1))
def test_round_trips(tmp_path_factory, drawn):
    labels, queries, features = zip(*drawn, strict=True)
    table = pa.table({"label": labels, "qid": queries, "features": rows(*features)}, COLUMNS)
    path = tmp_path_factory.mktemp("x") / "a.libsvm.gz"
    with libsvm.open_writer(path, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write(batch)
    back = read(path)
    # nan is not itself
    assert repr(back.to_pylist()) == repr(table.to_pylist())


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"label": [1.0, None]}, "row 2, column 'label': the label is null"),
        ({"features": rows([], [(-1, 1.0)])}, "row 2, column 'features': found index -1"),
        ({"features": rows([], [(2**31, 1.0)])}, "found index 2147483648; expected from 0 to"),
        ({"features": rows([], [(1, None)])}, "row 2, column 'features': a null inside a list"),
        ({"features": [None, {"indices": [1], "values": []}]}, "1 indices and 0 values"),
    ],
)
def test_what_cannot_be_written(tmp_path, column, message):
    values = {"label": [1.0, 2.0], "qid": [1, 1], "features": rows([], [])} | column
    table = pa.table(values, COLUMNS)
    with (
        pytest.raises(DataError, match="libsvm") as error,
        libsvm.open_writer(tmp_path / "a.libsvm", COLUMNS) as writer,
    ):
        writer.write(table.to_batches()[0])
    assert message in str(error.value)


def test_broken_files_end_in_one_error(tmp_path):
    good = b"1 qid:2 1:0.25 17:3e-5\n-1 qid:3 2:123456789.123456789123\n"
    for at in range(len(good)):
        with suppress(DataError):
            read(text(tmp_path, good[:at], "a.libsvm"))
        for bit in range(8):
            broken = bytearray(good)
            broken[at] ^= 1 << bit
            with suppress(DataError):
                read(text(tmp_path, bytes(broken), "a.libsvm"))
    packed = gzip.compress(good * 50)
    for at in range(len(packed)):
        with pytest.raises(DataError):
            read(text(tmp_path, packed[:at] if at else b"\0", "a.libsvm.gz"))


def same_as_scikit_learn(path, zero_based):
    table = read(path)
    x, y, queries = load_svmlight_file(str(path), query_id=True, zero_based=zero_based)
    assert table["label"].to_numpy().tolist() == y.tolist()
    if len(queries):
        assert table["qid"].to_pylist() == queries.tolist()
    features = table["features"].combine_chunks()
    indices, values = (features.field(part).flatten() for part in ("indices", "values"))
    assert np.array_equal(np.asarray(indices) - (not zero_based), x.indices)
    assert np.array_equal(np.asarray(values), x.data)


def test_a1a_and_photon_mls_files(shared_data):
    folder = "photon-client/src/integTest/resources/DriverIntegTest/input"
    photon = shared_data("photon-ml") / folder
    for path in (
        shared_data("libsvm") / "a1a",
        photon / "a9a",
        photon / "heart.txt",
        photon / "mg.txt",
    ):
        same_as_scikit_learn(path, zero_based=False)


def test_ranking_files(shared_data):
    letor = shared_data("letor")
    for path in (
        letor / "mq2008" / "S1.txt.gz",
        letor / "trec-news-2018" / "trec_news_2018.train",
        letor / "lightgbm-lambdarank" / "rank.train.gz",
    ):
        same_as_scikit_learn(path, zero_based=False)


def test_much_text_is_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(libsvm_writer, "_PAIRS", 3)
    features = rows(*[[(k, 0.5)] * (k % 3) for k in range(20)])
    table = pa.table({"label": range(20), "features": features})
    with libsvm.open_writer(tmp_path / "a.libsvm", table.schema) as writer:
        writer.write(table.to_batches()[0].slice(3, 15))
    assert read(tmp_path / "a.libsvm")["features"].to_pylist() == features[3:18]
