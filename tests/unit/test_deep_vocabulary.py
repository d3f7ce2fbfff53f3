"""Texts become numbers of tokens."""

import random
import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.deep.ragged import Ragged
from gdmix.deep.vocabulary import Tokens
from gdmix.deep.word_vectors import read_word_vectors
from gdmix.errors import ConfigError, DataError, ModelError
from tests.networks import encoder, small_transformer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
AB = st.text(st.sampled_from("aAbcé ,.-[]\u0301"), max_size=20)


def lists(found: Ragged) -> list[list[int]]:
    return [
        found.ids[start:end].tolist()
        for start, end in zip(found.offsets, found.offsets[1:], strict=False)
    ]


def words_of(text: str) -> list[str]:
    """Split as the options say, without the library: an accent alone is part of a word."""
    text = unicodedata.normalize("NFC", text).lower()
    return re.findall(r"[\w\u0301]+|[^\w\s\u0301]+", text)


def test_most_frequent_words_come_first_then_by_text() -> None:
    tokens = Tokens.build([pa.array(["b b a z", None]), pa.array(["a c! a B"])], encoder())
    assert tokens.words() == [*SPECIAL, "a", "b", "!", "c", "z"]
    assert tokens.pad == 0
    assert tokens.size == 9


@given(st.lists(AB, min_size=1, max_size=8), st.integers(1, 3), st.integers(8, 12))
def test_counts_are_those_of_a_counter(texts: list[str], least: int, most: int) -> None:
    options = encoder(min_count=least, vocabulary_size=most)
    tokens = Tokens.build([pa.array(texts[:3]), pa.array(texts[3:], pa.string())], options)
    counts = Counter(word for text in texts for word in words_of(text))
    kept = sorted((word for word in counts if counts[word] >= least), key=lambda w: (-counts[w], w))
    assert tokens.words() == (SPECIAL + kept)[:most]
    shuffled = random.Random(0).sample(texts, len(texts))
    assert Tokens.build([pa.array(shuffled)], options).words() == tokens.words()


@given(st.lists(st.none() | AB, max_size=8), st.sampled_from(["cnn", "lstm", "average"]))
def test_encoding_is_looking_up_word_by_word(texts: list[str | None], kind: str) -> None:
    options = encoder(kind=kind, max_length=6)
    tokens = Tokens.build([pa.array(["a a b é é ,"])], options)
    number = {word: place for place, word in enumerate(tokens.words())}
    around = 2 if kind == "cnn" else 1
    expected = [
        ([2] * around + [number.get(word, 1) for word in words_of(text or "")] + [3] * around)[:6]
        for text in texts
    ]
    array = pa.array(texts, pa.string())
    assert lists(tokens.encode(array)) == expected
    assert lists(tokens.encode(array.dictionary_encode())) == expected
    assert lists(Tokens.from_json(tokens.to_json(), options).encode(array)) == expected


def test_encoding_of_slices_and_long_strings() -> None:
    tokens = Tokens.build([pa.array(["a b c"])], encoder())
    array = pa.array(["zzz", "a b", None, "c", "a b"])
    assert lists(tokens.encode(array.slice(1, 3))) == lists(tokens.encode(array))[1:4]
    whole = tokens.encode(array.cast(pa.large_string()))
    assert lists(whole) == lists(tokens.encode(array))
    assert whole.offsets.dtype == np.int64
    assert whole.ids.dtype == np.int32
    empty = tokens.encode(pa.array([], pa.string()))
    assert empty.offsets.tolist() == [0]


def test_the_end_of_a_long_text_is_cut_off_with_the_last_tokens() -> None:
    options = encoder(max_length=5)
    tokens = Tokens.build([pa.array(["a"])], options)
    found = lists(tokens.encode(pa.array(["a " * n for n in range(6)])))
    assert found[1:5] == [[2, 2, 4, 3, 3], [2, 2, 4, 4, 3], [2, 2, 4, 4, 4], [2, 2, 4, 4, 4]]


def test_special_tokens_within_a_text_are_words() -> None:
    tokens = Tokens.build([pa.array(["a [PAD] pad"])], encoder(kind="average"))
    number = {word: place for place, word in enumerate(tokens.words())}
    expected = [2, *(number[word] for word in ("[", "pad", "]")), 3]
    assert lists(tokens.encode(pa.array(["[PAD]"]))) == [expected]


@pytest.mark.parametrize("token", ["$A", "$0", "a:1", "<s>", "a", "[PAD]"])
def test_special_tokens_may_be_called_anything(token: str) -> None:
    options = encoder(kind="average", first=token, last=token)
    tokens = Tokens.build([pa.array(["a b"])], options)
    number = {word: place for place, word in enumerate(tokens.words())}
    expected = [number[token], number["a"], number["b"], number[token]]
    assert lists(tokens.encode(pa.array(["a b"]))) == [expected]
    again = Tokens.from_json(tokens.to_json(), options)
    assert lists(again.encode(pa.array(["a b"]))) == [expected]


def test_a_vocabulary_of_nothing_knows_the_special_tokens() -> None:
    tokens = Tokens.build([pa.array([None, ""], pa.string())], encoder(kind="average"))
    assert tokens.words() == SPECIAL
    assert lists(tokens.encode(pa.array(["what"]))) == [[2, 1, 3]]


def test_a_given_vocabulary_is_numbered_by_line(tmp_path: Path) -> None:
    file = tmp_path / "vocabulary.txt"
    file.write_bytes(b"[UNK]\nred\r\nNew-York\n\n[PAD]\n")
    options = encoder(kind="average", split="spaces", lowercase=False)
    tokens = Tokens.read(file, options)
    assert tokens.words() == ["[UNK]", "red", "New-York", "[PAD]", "[CLS]", "[SEP]"]
    assert tokens.pad == 3
    assert lists(tokens.encode(pa.array(["New-York  red york"]))) == [[4, 2, 1, 0, 5]]


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (b"a\nb\na\n", r"line 3: the token 'a' is that of line 1"),
        (b"\n\n", "is empty"),
        (b"a\n\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_a_vocabulary_that_is_none(tmp_path: Path, held: bytes, problem: str) -> None:
    file = tmp_path / "vocabulary.txt"
    file.write_bytes(held)
    with pytest.raises(DataError, match=problem):
        Tokens.read(file, encoder())
    with pytest.raises(DataError, match="cannot be read"):
        Tokens.read(tmp_path / "absent.txt", encoder())


def test_texts_that_cannot_be_read_end_the_counting() -> None:
    def texts() -> object:
        yield pa.array(["a"])
        raise DataError("file", "broken")

    with pytest.raises(DataError, match="broken"):
        Tokens.build(texts(), encoder())


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"padding": {"pad_id": 0}}'])
def test_json_of_no_tokenizer(text: str) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Tokens.from_json(text, encoder())


def test_a_model_brings_its_own_tokenizer(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = small_transformer(tmp_path / "bert")
    options = encoder(kind="transformer", model=str(folder), max_length=6)
    tokens = Tokens.of_model(options)
    texts = ["Red shoes", "", "hats hats hats hats", "a blue zebra"]
    theirs = AutoTokenizer.from_pretrained(folder)(texts, truncation=True, max_length=6)
    assert lists(tokens.encode(pa.array(texts))) == theirs["input_ids"]
    again = Tokens.from_json(tokens.to_json(), options)
    assert lists(again.encode(pa.array(texts))) == theirs["input_ids"]
    assert again.pad == tokens.pad == 0


def test_a_model_that_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"encoder\.model.*cannot be read"):
        Tokens.of_model(encoder(kind="transformer", model=str(folder)))
    folder = small_transformer(tmp_path / "bert")
    for length in (2, 17):
        with pytest.raises(ConfigError, match="expected 3 to 16"):
            Tokens.of_model(
                encoder(kind="transformer", model=str(folder), max_length=length, windows=(1,))
            )


def test_word_vectors_of_known_tokens(tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("3 2\nred 1 -2.5\nnew york 3e-1 4\nred 9 9\nzebra nan x\n", encoding="utf-8")
    found = read_word_vectors(file, ["[PAD]", "red", "new york", "blue"], 2)
    assert found.known.tolist() == [False, True, True, False]
    expected = np.array([[0, 0], [1, -2.5], [0.3, 4], [0, 0]], np.float32)
    np.testing.assert_array_equal(found.vectors, expected)


@pytest.mark.parametrize(
    ("held", "error", "problem"),
    [
        ("red 1 2 3\n", ConfigError, r"encoder\.units: 2, but .* line 1 has vectors of 3"),
        ("1 3\nred 1 2 3\n", ConfigError, "has vectors of 3"),
        ("red 1 2\nblue 1\n", DataError, "line 2: 1 numbers"),
        ("red 1 2\nblue 1 x\n", DataError, "line 2: numbers that are none"),
        ("blue 1 inf\n", DataError, "not finite"),
        ("zebra 1 2\n", DataError, "none of 2 tokens is in it"),
    ],
)
def test_word_vectors_that_are_none(
    tmp_path: Path, held: str, error: type[Exception], problem: str
) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text(held, encoding="utf-8")
    with pytest.raises(error, match=problem):
        read_word_vectors(file, ["red", "blue"], 2)


def test_ragged_rows_are_taken_again_and_again() -> None:
    rows = Ragged.of([[1, 2], [], [3]])
    assert lists(rows.take(np.array([2, 0, 0, 1]))) == [[3], [1, 2], [1, 2], []]
    assert rows.rows == 3
