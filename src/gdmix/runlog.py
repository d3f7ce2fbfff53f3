"""What happened in a run, line by line, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gdmix.descent import State, Update
from gdmix.grid import Point
from gdmix.history import as_plain
from gdmix.plainjson import dumps


class RunLog:
    """A JSON object per line: time, event, and what belongs to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def event(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
        """Append one line."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": name}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(dumps(line | fields) + "\n")

    def point(self, number: int, point: Point) -> None:
        """Log that a point of a grid begins; without one there is nothing to say."""
        if point:
            self.event("point", number=number, options=point)

    def update(self, update: Update, state: State) -> None:
        """Log an update; an observer of the descent."""
        self.event("update", **as_plain(update))


class Stopwatch:
    """Seconds by stage; `begin` is called with the name of each."""

    def __init__(self, begin: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._begin = begin

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body; stages of one name add up."""
        self._begin(name)
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def split(self, name: str, parts: dict[str, float], rest: str) -> None:
        """Put the parts of a stage, and the rest of it, in the stage's place."""
        whole = self.seconds.pop(name)
        self.seconds |= parts
        # clocks differ by a little
        self.seconds[rest] = max(0.0, whole - sum(parts.values()))
