"""From texts to numbers of tokens, by the `tokenizers` library."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from gdmix.deep.options import TextEncoder
from gdmix.deep.ragged import Ragged
from gdmix.errors import ConfigError, DataError, ModelError

_AT_ONCE = 65_536
"""Distinct texts that are tokenized in one go: their tokens are objects of Python for a while."""


class Tokens:
    """A vocabulary, and how texts become its numbers.

    Attributes
    ----------
    size : int
        Tokens known: numbers are below it.
    pad : int
        Number of the token that fills up.
    """

    def __init__(self, tokenizer: Tokenizer, pad: int, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self.pad = pad
        self.size = tokenizer.get_vocab_size(with_added_tokens=True)

    @classmethod
    def build(cls, texts: Iterable[pa.StringArray], encoder: TextEncoder) -> Tokens:
        """Count the tokens of all texts, a piece at a time, and number the most frequent.

        The order is that of the counts, then of the tokens themselves: never that of the rows.
        """
        special = _special(encoder)
        counts = _counts(texts, _splitter(models.WordLevel(), encoder))
        known = [word for word in counts if counts[word] >= encoder.min_count]
        known = [word for word in known if word not in special]
        known.sort(key=lambda word: (-counts[word], word))
        return cls._of_words([*special, *known][: encoder.vocabulary_size], encoder)

    @classmethod
    def read(cls, path: str | Path, encoder: TextEncoder) -> Tokens:
        """Read a vocabulary: a token a line, which is numbered by its line.

        Special tokens that it lacks are numbered behind the others.

        Raises
        ------
        DataError
            The file cannot be read, is no text, names a token twice, or is empty.
        """
        words = _read_words(Path(path))
        words += [token for token in _special(encoder) if token not in set(words)]
        return cls._of_words(words, encoder)

    @classmethod
    def of_model(cls, encoder: TextEncoder) -> Tokens:
        """Take over the tokenizer of a transformer.

        Raises
        ------
        ConfigError
            There is none, or it cannot read texts of `max_length`.
        """
        from gdmix.deep.pretrained import read_tokenizer

        found = read_tokenizer(str(encoder.model))
        tokenizer = Tokenizer.from_str(found.text)
        tokenizer.no_padding()
        least = tokenizer.num_special_tokens_to_add(is_pair=False) + 1
        if not least <= encoder.max_length <= found.most:
            expected = f"{least} to {found.most}, as the model can read"
            raise ConfigError("encoder.max_length", f"found {encoder.max_length}", expected)
        tokenizer.enable_truncation(encoder.max_length)
        return cls(tokenizer, found.pad, encoder.max_length)

    @classmethod
    def from_json(cls, text: str, encoder: TextEncoder) -> Tokens:
        """Make of what `to_json` wrote.

        Raises
        ------
        ModelError
            It is no tokenizer.
        """
        try:
            pad = json.loads(text)["padding"]["pad_id"]
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing more particular
            raise ModelError("tokenizer", f"cannot be read ({error})") from error
        tokenizer.no_padding()
        return cls(tokenizer, int(pad), encoder.max_length)

    def to_json(self) -> str:
        """Return the text of a `tokenizer.json`, which the `tokenizers` library reads.

        Numbers beyond `max_length` are to be cut off from what it gives.
        """
        copy = Tokenizer.from_str(self._tokenizer.to_str())
        pad = self._tokenizer.id_to_token(self.pad)
        copy.enable_padding(pad_id=self.pad, pad_token=pad)
        return copy.to_str(pretty=True)

    def encode(self, texts: pa.StringArray) -> Ragged:
        """Return the numbers of every text's tokens, `max_length` at most.

        Parameters
        ----------
        texts : pa.StringArray[rows]
            Or dictionary-encoded strings; a null is the empty text. A text that comes again is
            tokenized once.

        Returns
        -------
        Ragged
            With the first and last tokens; of a long text the end is cut off. No row is empty.
        """
        if not pa.types.is_dictionary(texts.type):
            texts = pc.fill_null(texts, "").dictionary_encode()
        distinct = pc.fill_null(texts.dictionary, "")
        lists = [ids for piece in _slices(distinct) for ids in self._lists(piece)]
        codes = np.asarray(pc.fill_null(texts.indices.cast(pa.int64()), len(lists)))
        if texts.null_count:
            lists += self._lists([""])
        return Ragged.of(lists).take(codes)

    def words(self) -> list[str]:
        """Return all tokens, by number; a number that no token has is the empty text."""
        words = [""] * self.size
        for word, number in self._tokenizer.get_vocab(with_added_tokens=True).items():
            words[number] = word
        return words

    def _lists(self, texts: list[str]) -> list[list[int]]:
        found = self._tokenizer.encode_batch_fast(texts)
        return [each.ids[: self._max_length] or [self.pad] for each in found]

    @classmethod
    def _of_words(cls, words: list[str], encoder: TextEncoder) -> Tokens:
        numbers = {word: number for number, word in enumerate(words)}
        # no token is registered as special: a text that holds "[PAD]" holds a word like others
        tokenizer = _splitter(models.WordLevel(numbers, unk_token=encoder.unknown), encoder)
        around = edge(encoder)
        # by names of our own: a template would take a token such as "$A" for the text
        tokenizer.post_processor = processors.TemplateProcessing(
            single=["first"] * around + ["$A"] + ["last"] * around,
            special_tokens=[
                {"id": name, "ids": [numbers[token]], "tokens": [token]}
                for name, token in (("first", encoder.first), ("last", encoder.last))
            ],
        )
        # the last tokens are cut off before words are
        tokenizer.enable_truncation(encoder.max_length + 2 * around)
        return cls(tokenizer, numbers[encoder.pad], encoder.max_length)


def edge(encoder: TextEncoder) -> int:
    """Return how many first, and last, tokens a text gets: each word is in every filter's place."""
    return max(1, max(encoder.windows) - 1) if encoder.kind == "cnn" else 1


def _special(encoder: TextEncoder) -> list[str]:
    return list(dict.fromkeys((encoder.pad, encoder.unknown, encoder.first, encoder.last)))


def _splitter(model: models.Model, encoder: TextEncoder) -> Tokenizer:
    tokenizer = Tokenizer(model)
    lower = [normalizers.Lowercase()] if encoder.lowercase else []
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), *lower])
    words = encoder.split == "words"
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Whitespace() if words else pre_tokenizers.WhitespaceSplit()
    )
    return tokenizer


def _counts(texts: Iterable[pa.StringArray], splitter: Tokenizer) -> Counter[str]:
    """Count words; a text that comes again in its piece is split once."""
    normal, split = splitter.normalizer, splitter.pre_tokenizer
    counts: Counter[str] = Counter()
    for piece in texts:
        distinct = pc.value_counts(piece.drop_null())
        times = iter(distinct.field("counts").to_pylist())
        for few in _slices(distinct.field("values")):
            for text in few:
                often = next(times)
                for word, _ in split.pre_tokenize_str(normal.normalize_str(text)):
                    counts[word] += often
    return counts


def _slices(texts: pa.StringArray) -> Iterator[list[str]]:
    for start in range(0, len(texts), _AT_ONCE):
        yield texts.slice(start, _AT_ONCE).to_pylist()


def _read_words(path: Path) -> list[str]:
    lines: dict[str, int] = {}
    number = 0
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                word = line.rstrip("\r\n")
                if not word:
                    continue
                if word in lines:
                    where = f"{path}, line {number}"
                    problem = f"the token {word!r} is that of line {lines[word]} too"
                    raise DataError(where, problem, "every token once")
                lines[word] = number
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise DataError(str(path), problem, "a vocabulary, a token a line") from error
    except UnicodeDecodeError as error:
        where = f"{path}, after line {number}"
        raise DataError(where, "is not UTF-8 text", "a vocabulary, a token a line") from error
    if not lines:
        raise DataError(str(path), "is empty", "a vocabulary, a token a line")
    return list(lines)
