"""Every exception gdmix raises on purpose, each building one clear message.

A message says where (the path in the config, or file, row and column), what was found,
what was expected, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GdmixError(Exception):
    """Base of all errors that a user can mend.

    Parameters
    ----------
    where : str
        The place: ``coordinates.per-user.l2``, ``train.parquet, row 17, column 'age'``.
    problem : str
        What was found there.
    expected : str, optional
        What is allowed there.
    hint : str, optional
        What to do next.
    """

    def __init__(self, where: str, problem: str, expected: str = "", hint: str = "") -> None:
        self.where = where
        self.problem = problem
        self.expected = expected
        self.hint = hint
        parts = [problem, f"expected {expected}" if expected else "", hint]
        super().__init__(f"{where}: " + "; ".join(part for part in parts if part))

    def __reduce__(self) -> tuple[type[GdmixError], tuple[str, str, str, str]]:
        return type(self), (self.where, self.problem, self.expected, self.hint)


class ConfigError(GdmixError):
    """An option is unknown, missing, or has a value it cannot have."""


class DataError(GdmixError):
    """A file, row or column does not hold what the model needs."""


class ModelError(GdmixError):
    """A model directory is missing, damaged, or of another format version."""


class RunError(GdmixError):
    """A run cannot start, resume or write where it was told to."""


class DatasetError(GdmixError):
    """A public data set can be had from none of its sources."""


class MissingExtraError(GdmixError, ImportError):
    """An optional part of gdmix is not installed.

    Parameters
    ----------
    feature : str
        What was asked for.
    extra : str
        The extra that provides it.
    """

    @classmethod
    def needs(cls, feature: str, extra: str) -> MissingExtraError:
        """Build the error for `feature`, which the extra `extra` provides."""
        return cls(feature, "an optional package is missing", hint=f"pip install 'gdmix[{extra}]'")


def did_you_mean(name: str, known: Iterable[str], *, most: int = 8) -> str:
    """Return a hint that names the nearest known name, else the known ones.

    >>> did_you_mean("usr_id", ["user_id", "movie_id"])
    "did you mean 'user_id'?"
    >>> did_you_mean("zzz", ["user_id", "movie_id"])
    'known: movie_id, user_id'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(names[:most])
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return f"known: {shown}{more}" if names else "there are none"
