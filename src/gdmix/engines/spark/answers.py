"""What a task makes of one partition: a value, an error to raise on the driver, or nothing.

Errors that a user can mend travel as values: a task that fails would be tried again, in vain.
Nothing comes out where the arrays of a partition lie on another executor than the task: that
happens when Spark would rather not wait for the right one. The driver then has them made anew.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gdmix.engines.spark import folders
from gdmix.errors import GdmixError

_T = TypeVar("_T")


class Answer(NamedTuple):
    """The element of a partition.

    Attributes
    ----------
    value : object
    error : GdmixError or None
    gone : bool
        Whether arrays that it needed are on another machine.
    """

    value: Any = None
    error: GdmixError | None = None
    gone: bool = False

    @property
    def fails(self) -> bool:
        """Whether there is no value."""
        return self.gone or self.error is not None


class Record(NamedTuple):
    """Where arrays of a partition lie.

    Attributes
    ----------
    folder : str
    rows : str
        Of a column: the folder of its rows, so that a task that gets the column alone finds both.
    """

    folder: str
    rows: str = ""

    def open(self) -> Path:
        """Return the folder.

        Raises
        ------
        GoneError
            It is not on this machine.
        """
        path = Path(self.folder)
        if not path.is_dir():
            raise GoneError(self.folder)
        return path


class GoneError(Exception):
    """Arrays of a partition are not here."""


def attempt(function: Callable[..., _T], *values: Any) -> Answer:  # noqa: ANN401
    """Return what a function makes of values."""
    try:
        return Answer(function(*values))
    except GoneError:
        return Answer(gone=True)
    except FileNotFoundError as error:
        if folders.is_ours(error.filename):
            return Answer(gone=True)
        raise
    except GdmixError as error:
        return Answer(error=error)


def failing(answers: Sequence[Answer]) -> Answer | None:
    """Return the first answer without a value."""
    return next((answer for answer in answers if answer.fails), None)


def flat(item: Any) -> list[Answer]:  # noqa: ANN401 - pairs of pairs of answers
    """Return the answers of a partition that RDDs were zipped to."""
    if isinstance(item, Answer):
        return [item]
    return [answer for part in item for answer in flat(part)]


def answering(
    function: Callable[..., Any], dead: Sequence[str], number: int, items: Iterator[Any]
) -> Iterator[Answer]:
    """Call ``function(number, *values)`` for a partition; a function of an RDD's partitions."""
    prepare(dead)
    for item in items:
        answers = flat(item)
        yield failing(answers) or attempt(
            partial(function, number), *(answer.value for answer in answers)
        )


def prepare(dead: Sequence[str]) -> None:
    """Begin a task: remove what nobody needs any more, and spare what lives on from the collector.

    A Python process of Spark's looks for garbage after each task. Modules and compiled kernels are
    none, and to look through them takes longer than most passes over a partition.
    """
    folders.drop(dead)
    if len(sys.modules) > _frozen.get("modules", 0):
        _frozen["modules"] = len(sys.modules)
        gc.freeze()


_frozen: dict[str, int] = {}
