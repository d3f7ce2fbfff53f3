"""Which rows each step of training takes, and each batch of scoring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.deep.examples import Examples
from gdmix.deep.gathering import Integers, places

# batches among whose units those of like length come together
_WINDOW = 64
_UNITS, _BATCHES = 0, 1


class Units(NamedTuple):
    """What is shuffled: rows one by one, or groups of rows.

    Attributes
    ----------
    rows : int64[rows]
        Rows, group after group.
    pointers : int64[units + 1]
        Where each group begins among them.
    are_ranked : bool
        Whether they are groups, so that pointers matter.
    """

    rows: Integers
    pointers: Integers
    are_ranked: bool

    @property
    def number(self) -> int:
        """Return the number of units."""
        return len(self.pointers) - 1


def single_rows(rows: int) -> Units:
    """Return units of one row each."""
    return Units(np.arange(rows), np.arange(rows + 1), are_ranked=False)


def groups_of(examples: Examples) -> Units:
    """Return units of the rows of a group, in their order; of a group and a task, where both are.

    Scores of different heads are not compared.
    """
    if examples.group is None:
        raise ValueError("rows without groups cannot be ranked")
    keys: list[NDArray[np.int32]] = [examples.group]
    if examples.task is not None:
        keys.insert(0, examples.task)
    rows = np.lexsort(keys)
    change = np.zeros(len(rows), bool)
    change[:1] = True
    for key in keys:
        change[1:] |= np.diff(key[rows]) != 0
    return Units(rows, np.append(np.flatnonzero(change), len(rows)), are_ranked=True)


class Share(NamedTuple):
    """The rows of a step that one process takes.

    Attributes
    ----------
    rows : int64[rows]
    pointers : int64[groups + 1] or None
        Where each group begins among them, where they are ranked.
    whole : int
        Rows of the step, of all processes.
    """

    rows: Integers
    pointers: Integers | None
    whole: int


class Order:
    """The order in which training takes its units.

    Every epoch has an order of its own, which follows from seed and epoch alone: the batch of any
    step can be found without those before it, and by any number of processes. Batches of an epoch
    differ by one unit at most; none is larger than asked for.

    Parameters
    ----------
    units : Units
    batch : int
        Most units of a step.
    seed : int
    lengths : int64[rows], optional
        Of rows: units of like length then come together, so that little is padded. They are sorted
        among the units of 64 batches, and the batches are shuffled again.
    """

    def __init__(
        self, units: Units, batch: int, seed: int, lengths: Integers | None = None
    ) -> None:
        self.units = units
        self.steps = max(1, -(-units.number // batch))
        self._seed = seed
        self._bounds = np.arange(self.steps + 1) * units.number // self.steps
        self._lengths = None if lengths is None else _longest(units, lengths)
        self._epoch: tuple[int, Integers, Integers | None] | None = None

    def share(self, step: int, rank: int = 0, ranks: int = 1) -> Share:
        """Return what process `rank` of `ranks` takes of the batch of `step`, from 0."""
        order, batches = self._of_epoch(step // self.steps)
        place = step % self.steps
        if batches is not None:
            place = int(batches[place])
        begin, end = (int(bound) for bound in self._bounds[place : place + 2])
        first, last = (begin + (end - begin) * part // ranks for part in (rank, rank + 1))
        starts = self.units.pointers
        pointers, elements = places(starts, order[first:last])
        whole = int((starts[order[begin:end] + 1] - starts[order[begin:end]]).sum())
        kept = pointers if self.units.are_ranked else None
        return Share(self.units.rows[elements], kept, whole)

    def _of_epoch(self, epoch: int) -> tuple[Integers, Integers | None]:
        kept = self._epoch
        if kept is None or kept[0] != epoch:
            order, batches = shuffled(self.units.number, self._seed, epoch, _UNITS), None
            if self._lengths is not None:
                _sort_within_windows(order, self._lengths, self._bounds[::_WINDOW])
                batches = shuffled(self.steps, self._seed, epoch, _BATCHES)
            kept = self._epoch = epoch, order, batches
        return kept[1:]


def shuffled(many: int, seed: int, epoch: int, stream: int) -> Integers:
    """Return the numbers from 0 to ``many - 1`` in an order that follows from the others alone.

    They are sorted by the words of a counter-based generator (Philox), whose bits no version of
    NumPy changes, as it may change `permutation`.
    """
    key = np.array([seed % (1 << 64), epoch * 2 + stream], np.uint64)
    words = np.random.Philox(key=key).random_raw(many)
    return np.argsort(words, kind="stable")


def by_length(lengths: Integers, batch: int) -> Iterator[Integers]:
    """Yield rows by rising length, `batch` at a time, for scoring."""
    order = np.argsort(lengths, kind="stable")
    for begin in range(0, len(order), batch):
        yield order[begin : begin + batch]


def _longest(units: Units, lengths: Integers) -> Integers:
    of = np.repeat(np.arange(units.number), np.diff(units.pointers))
    longest = np.zeros(units.number, np.int64)
    np.maximum.at(longest, of, lengths[units.rows])
    return longest


def _sort_within_windows(order: Integers, lengths: Integers, bounds: Integers) -> None:
    """Sort each stretch of `order` between two bounds by length, in place."""
    for begin, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
        part = order[begin:end]
        order[begin:end] = part[np.argsort(lengths[part], kind="stable")]
