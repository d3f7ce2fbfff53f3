"""Files of pretrained word vectors: a token and its numbers a line, as word2vec and GloVe write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.errors import ConfigError, DataError

_EXPECTED = "a token and its numbers a line, in UTF-8"


class WordVectors(NamedTuple):
    """Vectors of a vocabulary's tokens.

    Attributes
    ----------
    vectors : float32[tokens, units]
    known : bool[tokens]
        Whether a token is in the file; others have the vector 0.
    """

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]


def read_word_vectors(path: str | Path, words: Sequence[str], units: int) -> WordVectors:
    """Read the vectors of some tokens; of a token that comes twice, the first.

    A first line of two whole numbers, as word2vec writes, is passed over. Tokens may hold spaces.

    Parameters
    ----------
    path : str or Path
    words : sequence of str
        Tokens, by number.
    units : int
        Numbers of a vector.

    Raises
    ------
    ConfigError
        The vectors are of another size.
    DataError
        The file cannot be read, holds a line of another form, or no token of the vocabulary.
    """
    path = Path(path)
    place = {word: number for number, word in enumerate(words)}
    found = WordVectors(np.zeros((len(words), units), np.float32), np.zeros(len(words), np.bool_))
    number = 0
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                _take(line.rstrip(), found, place, f"{path}, line {number}", first=number == 1)
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise DataError(str(path), problem, _EXPECTED) from error
    except UnicodeDecodeError as error:
        where = f"{path}, after line {number}"
        raise DataError(where, "is not UTF-8 text", _EXPECTED) from error
    if not found.known.any():
        problem = f"none of {len(words)} tokens is in it"
        raise DataError(
            str(path), problem, hint="compare its tokens with the data's, lowercase too"
        )
    return found


def _take(line: str, found: WordVectors, place: dict[str, int], where: str, first: bool) -> None:
    units = found.vectors.shape[1]
    parts = line.rsplit(" ", units)
    if first:
        fields = line.split()
        if len(fields) == 2 and all(field.isdigit() for field in fields):
            _require_units(int(fields[1]), units, where)
            return
        _require_units(len(fields) - 1, units, where)
    if not line:
        return
    if len(parts) != units + 1:
        problem = f"{len(parts) - 1} numbers"
        raise DataError(where, problem, f"a token and {units} numbers, apart by one space")
    number = place.get(parts[0])
    if number is None or found.known[number]:
        return
    try:
        vector = np.array(parts[1:], np.float32)
    except ValueError as error:
        raise DataError(where, f"numbers that are none ({error})", _EXPECTED) from error
    if not np.isfinite(vector).all():
        raise DataError(where, f"{parts[0]!r} has a number that is not finite", "finite numbers")
    found.vectors[number] = vector
    found.known[number] = True


def _require_units(found: int, units: int, where: str) -> None:
    if found != units:
        problem = f"{units}, but {where} has vectors of {found}"
        raise ConfigError("encoder.units", problem, f"{found}, as the word vectors")
