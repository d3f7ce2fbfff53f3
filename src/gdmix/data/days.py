"""Daily folders: ``<folder>/2016/01/31`` holds the rows of that day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from gdmix.errors import DataError

_MOST = 36_600


def folders_of_days(folders: Iterable[str], first: date, last: date) -> list[str]:
    """Return the daily folders that are there, from the first to the last day, both included.

    Days without a folder are passed over, as Photon-ML does.

    Parameters
    ----------
    folders : iterable of str
        The folders that hold years.
    first, last : date

    Raises
    ------
    DataError
        No day has a folder, or there are no days or more than a century of them.
    """
    roots = list(folders)
    count = (last - first).days + 1
    if not 0 < count <= _MOST:
        raise DataError(", ".join(roots), f"{first} to {last} is {count:,} days", "1 to 36,600")
    days = [first + timedelta(days=number) for number in range(count)]
    found = []
    for root in roots:
        paths = [Path(root, f"{day.year:04}", f"{day:%m}", f"{day:%d}") for day in days]
        found += [str(path) for path in paths if path.is_dir()]
    if not found:
        raise DataError(
            ", ".join(roots),
            f"no folder of a day from {first} to {last}",
            "folders such as 2016/01/31 within it",
        )
    return found
