"""What a data set is made of: its files in each published form, and where those can be had."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

Files = Mapping[str, bytes]
"""Whole files by name. In memory, so that the bytes verified are the bytes parsed."""


@dataclass(frozen=True)
class RawFile:
    """One published file, known by size and SHA-256."""

    name: str
    size: int
    sha256: str

    def fault(self, content: bytes) -> str:
        """Return what is wrong with `content`, or nothing if it is this file."""
        if len(content) != self.size:
            return f"{self.name} has {len(content):,} bytes"
        found = hashlib.sha256(content).hexdigest()
        return "" if found == self.sha256 else f"{self.name} has SHA-256 {found}"


@dataclass(frozen=True)
class Form:
    """One way in which the data set is published: its files, and how to read them."""

    label: str
    files: tuple[RawFile, ...]
    read: Callable[[Files], pa.Table]


class Remote(Protocol):
    """A place on the network; `fetch` raises :class:`Unavailable` with the reason."""

    @property
    def label(self) -> str:
        """Name the place in a message."""

    def fetch(self, form: Form) -> Files:
        """Return the files of `form`, not yet verified."""


class Unavailable(Exception):  # noqa: N818 - says that a source is passed over, no error yet
    """A source does not have the files; the message is the reason."""


class NothingThere(Unavailable):
    """A source that nobody set up: worth a line only when every other fails too."""


@dataclass(frozen=True)
class Dataset:
    """A public data set.

    Attributes
    ----------
    name, description : str
        As :func:`gdmix.datasets.available` returns them.
    licence : str
        What the owners allow, in short.
    folder : str
        Sub-folder that the owners' archive unpacks to.
    forms : tuple of Form
        Its published forms; all read to the same table. The first one is named in messages.
    remotes : tuple of (Remote, Form)
        Places on the network, in the order to try.
    ways_out : tuple of str
        What to do when none of the sources can be reached.
    """

    name: str
    description: str
    licence: str
    folder: str
    forms: tuple[Form, ...]
    remotes: tuple[tuple[Remote, Form], ...]
    ways_out: tuple[str, ...]
