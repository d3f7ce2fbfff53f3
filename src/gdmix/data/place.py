"""Where a value lies: file, row, column, in words for a message."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """The origin of a record batch.

    Attributes
    ----------
    file : str
        File name, or a word for data in memory.
    first_row : int
        Rows of the file before this batch.
    """

    file: str
    first_row: int

    def at(self, row: int, column: str) -> str:
        """Name row `row` of this batch (from 0); messages count rows of the file from 1."""
        return f"{self.file}, row {self.first_row + row + 1}, column {column!r}"

    def column(self, column: str) -> str:
        """Name a whole column."""
        return f"{self.file}, column {column!r}"
