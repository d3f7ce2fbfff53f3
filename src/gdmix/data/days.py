"""Daily folders ``yyyy/MM/dd``: the files of a range of days."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gdmix.data.paths import files_in
from gdmix.errors import ConfigError, DataError

EXPECTED = "days as 20160101-20160131, or days ago as 30-1, the earlier one first"

_DATES = re.compile(r"(\d{8})-(\d{8})", re.ASCII)
_AGO = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_DAILY = "daily"
_NAMED = 3


class Days(NamedTuple):
    """The days from a first to a last one, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{_written(self.first)}-{_written(self.last)}"


class Found(NamedTuple):
    """The files of a range of days.

    Attributes
    ----------
    files : list of Path
        In the order of the days, for each of the folders that were asked for.
    note : str
        Which days have no files; empty where all have some.
    """

    files: list[Path]
    note: str


def parse_days(text: str, option: str, today: date | None = None) -> Days:
    """Read a range of dates, or of days before `today`, which is today's local date by default.

    Raises
    ------
    ConfigError
        The text is neither, a day does not exist, or the later one comes first; names `option`.
    """
    try:
        days = _parse(text, today or date.today())
    except (ValueError, OverflowError):
        days = None
    if days is None or days.first > days.last:
        raise ConfigError(option, f"found {text!r}", EXPECTED)
    return days


def _parse(text: str, today: date) -> Days | None:
    if dates := _DATES.fullmatch(text):
        return Days(*map(_read, dates.groups()))
    if ago := _AGO.fullmatch(text):
        return Days(*(today - timedelta(int(count)) for count in ago.groups()))
    return None


def daily(
    folder: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], days: str
) -> list[Path]:
    """Return the data files of some days, which are data for `MixedModel` and `gdmix.join`.

    Parameters
    ----------
    folder : path, glob, or a list of these
        Each holds folders ``yyyy/MM/dd``, or a folder ``daily`` that does.
    days : str
        Dates as ``"20160101-20160131"``, or days ago as ``"30-1"``. Days without files are passed
        over.

    Raises
    ------
    ConfigError
        `days` is no range.
    DataError
        A folder is not there, or has no files on any of the days.
    """
    paths = [folder] if isinstance(folder, str | os.PathLike) else folder
    return find_days(paths, parse_days(days, "days")).files


def find_days(paths: Sequence[str | os.PathLike[str]], days: Days) -> Found:
    """Return the data files of the days in each of the folders, and which days have none.

    Raises
    ------
    DataError
        A folder is not there, or has no files on any of the days.
    """
    files: list[Path] = []
    notes = []
    for path in paths:
        for folder in _folders(Path(path)):
            try:
                found = _by_day(folder, days)
            except OSError as error:
                raise DataError(str(folder), f"cannot be opened ({error.strerror})") from None
            for day in sorted(found):
                files += found[day]
            notes.append(_missing(folder, days, found.keys()))
    return Found(list(dict.fromkeys(files)), "; ".join(filter(None, notes)))


def _by_day(folder: Path, days: Days) -> dict[date, list[Path]]:
    # a folder's own days come before those in its folder "daily"
    for root in (folder, folder / _DAILY):
        found = {day: files for day, place in _days_in(root, days) if (files := files_in(place))}
        if found:
            return found
    there = [day for root in (folder, folder / _DAILY) for day, _ in _days_in(root, _ALL)]
    known = f"it has {Days(min(there), max(there))}" if there else "it has no folders yyyy/MM/dd"
    raise DataError(str(folder), f"no data files on the days {days}", hint=known)


def _days_in(root: Path, days: Days) -> Iterator[tuple[date, Path]]:
    """Yield the days that have a folder; a long range costs no more than the folders there are."""
    for year in _numbered(root, 4):
        if days.first.year <= int(year.name) <= days.last.year:
            for month in _numbered(year, 2):
                for day in _numbered(month, 2):
                    try:
                        found = _read(year.name + month.name + day.name)
                    except ValueError:
                        continue
                    if days.first <= found <= days.last:
                        yield found, day


def _numbered(folder: Path, digits: int) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        item
        for item in folder.iterdir()
        if len(item.name) == digits and item.name.isdecimal() and item.name.isascii()
    )


def _folders(path: Path) -> list[Path]:
    if path.is_dir():
        return [path]
    if path.exists():
        raise DataError(str(path), "a file", "a folder of folders yyyy/MM/dd")
    found = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    folders = [match for match in found if match.is_dir()]
    if not folders:
        raise DataError(str(path), "no such folder")
    return folders


def _missing(folder: Path, days: Days, found: Collection[date]) -> str:
    count = (days.last - days.first).days + 1
    if len(found) == count:
        return ""
    without = (days.first + timedelta(k) for k in range(count))
    named = [_written(day) for day in islice((d for d in without if d not in found), _NAMED)]
    rest = count - len(found) - len(named)
    more = f" and {rest} more" if rest else ""
    return f"{folder}: {len(found)} of {count} days have data; not {', '.join(named)}{more}"


def _read(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _written(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


_ALL = Days(date.min, date.max)
