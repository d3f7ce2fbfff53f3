"""The data of a Photon-ML job: directories, and the days within them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gdmix.compat import photon_values as values
from gdmix.compat.photon_values import Given
from gdmix.compat.report import Report
from gdmix.data.days import folders_of_days
from gdmix.data.source import Source, open_source
from gdmix.errors import ConfigError, DataError

Open = Callable[[list[str]], Source | None]
"""Opens data; gives None where it need not be there, and is not."""


def paths_of(given: Given, split: str, report: Report) -> list[str]:
    """Return the paths of ``input`` or ``validation`` data; of days, the folders that are there.

    Raises
    ------
    ConfigError, DataError
        A range is no range, both kinds of it are given, or no day has a folder.
    """
    name = f"{split}-data-directories"
    if name not in given:
        return []
    text = given[name][0]
    paths = values.words(f"--{name}", text)
    ours = "train" if split == "input" else "validation"
    days = _days(given, split)
    if days is None:
        report.maps(f"--{name}", f"{ours}: {', '.join(paths)}")
        return paths
    found = folders_of_days(paths, *days)
    report.maps(f"--{name}", f"{ours}: {len(found)} daily folders")
    report.note(f"{ours}: the folders of the days from {days[0]} to {days[1]} are written out")
    return found


def _days(given: Given, split: str) -> tuple[date, date] | None:
    dates, ago = f"{split}-data-date-range", f"{split}-data-days-range"
    if dates in given and ago in given:
        raise ConfigError(f"--{ago}", f"given beside --{dates}", hint="give one of the two")
    if dates in given:
        first, last = _range(f"--{dates}", given[dates][0], r"\d{8}", "20160101-20160131")
        return _day(f"--{dates}", first), _day(f"--{dates}", last)
    if ago in given:
        first, last = _range(f"--{ago}", given[ago][0], r"\d{1,5}", "90-1")
        now = _today(given)
        return now - timedelta(days=int(first)), now - timedelta(days=int(last))
    return None


def _range(where: str, text: str, pattern: str, example: str) -> tuple[str, str]:
    found = re.fullmatch(f"({pattern})-({pattern})", text.strip(), re.ASCII)
    if found is None:
        raise ConfigError(where, f"found {text!r}", f"a range such as {example}")
    return found[1], found[2]


def _day(where: str, text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        raise ConfigError(where, f"{text!r} is no day", "year, month and day: 20160131") from None


def _today(given: Given) -> date:
    name = given.get("time-zone", ["UTC"])[0]
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
