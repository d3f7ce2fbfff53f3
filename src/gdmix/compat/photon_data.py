"""The data of a Photon-ML job: directories, and the days within them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gdmix.compat import photon_values as values
from gdmix.compat.photon_values import Given
from gdmix.compat.report import Report
from gdmix.data.days import find_days, parse_days
from gdmix.data.source import Source, open_source
from gdmix.errors import ConfigError, DataError

Open = Callable[[list[str]], Source | None]
"""Opens data; gives None where it need not be there, and is not."""


class Rows(NamedTuple):
    """Where rows are.

    Attributes
    ----------
    paths : list of str
    dates : str or None
        The days of daily folders to take, as our own options have them.
    """

    paths: list[str]
    dates: str | None

    def files(self) -> list[str]:
        """Return what to open."""
        if self.dates is None:
            return self.paths
        days = parse_days(self.dates, "dates")
        return [str(file) for file in find_days(self.paths, days).files]


def rows_of(given: Given, split: str, report: Report) -> Rows:
    """Return where ``input`` or ``validation`` data is; nowhere, if it is not given.

    Raises
    ------
    ConfigError
        A range is no range, or both kinds of it are given.
    """
    name = f"{split}-data-directories"
    if name not in given:
        return Rows([], None)
    paths = values.words(f"--{name}", given[name][0])
    ours = "train" if split == "input" else "validation"
    report.maps(f"--{name}", f"{ours}: {', '.join(paths)}")
    return Rows(paths, _dates(given, split, ours, report))


def _dates(given: Given, split: str, ours: str, report: Report) -> str | None:
    dates, ago = f"{split}-data-date-range", f"{split}-data-days-range"
    if dates in given and ago in given:
        raise ConfigError(f"--{ago}", f"given beside --{dates}", hint="give one of the two")
    name = dates if dates in given else ago
    if name not in given:
        return None
    found = given[name][0].strip()
    days = parse_days(found, f"--{name}", _today(given))
    if name == ago and "time-zone" in given:
        report.note(f"{ours}_dates: days ago in the time zone of the job are written as dates")
        found = str(days)
    report.maps(f"--{name}", f"{ours}_dates: {found}")
    return found


def _today(given: Given) -> date | None:
    """Return today's date where the job is; None where it does not say."""
    if "time-zone" not in given:
        return None
    name = given["time-zone"][0]
    try:
        return datetime.now(ZoneInfo(name)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = "a time zone such as UTC or America/Los_Angeles"
        raise ConfigError("--time-zone", f"found {name!r}", expected) from None


def opened(paths: list[str], *, there: bool) -> Source | None:
    """Open data to look its columns up; None where it need not be there, and is not.

    Raises
    ------
    DataError
        It must be there, and is not; or it is, and cannot be read.
    """
    try:
        return open_source(paths)
    except DataError:
        if there or any(Path(path).exists() for path in paths):
            raise
        return None


def id_info(model: Path) -> dict[str, list[str]]:
    """Return the coordinates of a GAME model: the tag of a random effect's ids, and the shard.

    A folder that holds no such model has none.

    Raises
    ------
    ConfigError
        A file ``id-info`` does not hold these words.
    """
    found = {}
    for kind, count in (("fixed-effect", 1), ("random-effect", 2)):
        for path in sorted(model.glob(f"{kind}/*/id-info")):
            words = path.read_text(encoding="utf-8", errors="replace").split()
            if len(words) != count:
                raise ConfigError(str(path), f"found {words}", f"{count} words")
            found[path.parent.name] = words
    return found
