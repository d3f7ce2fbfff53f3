"""`Feed`: rows of `Examples`, batch by batch, as tensors; the next is made during a step."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gdmix.data.ahead import ahead
from gdmix.data.dataset import Csr
from gdmix.deep.bags import Bag
from gdmix.deep.batch import Batch, Lot, mapped
from gdmix.deep.examples import Examples
from gdmix.deep.gathering import Integers, bagged, padded
from gdmix.deep.order import Order, Share, by_length
from gdmix.deep.ragged import Ragged

T = TypeVar("T")

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Feed:
    """Rows, ready to become batches.

    Attributes
    ----------
    examples : Examples
    encoded : dict of str to Ragged
        Its texts as ids of tokens, by column.
    pad : int
        Id of the token that fills up.
    min_length : int
        Least tokens of a text with its filling.
    device : torch.device
        Where the batches shall lie.
    """

    examples: Examples
    encoded: Mapping[str, Ragged] = field(default_factory=dict)
    pad: int = 0
    min_length: int = 1
    device: torch.device = _CPU

    def lengths(self) -> Integers:
        """Return for each row the number of its tokens, in all of its texts."""
        total = np.zeros(self.examples.rows, np.int64)
        for ragged in self.encoded.values():
            total += np.maximum(np.diff(ragged.offsets), self.min_length)
        return total

    def batch(self, rows: Integers) -> Batch:
        """Return the inputs of these rows, on the CPU."""
        examples, task = self.examples, self.examples.task
        return Batch(
            {name: self._text(ragged, rows) for name, ragged in self.encoded.items()},
            _bag(examples.wide, rows),
            torch.from_numpy(examples.dense[rows]),
            {name: _bag(csr, rows) for name, csr in examples.fields.items()},
            None if task is None else torch.from_numpy(task[rows].astype(np.int64)),
        )

    def lot(self, share: Share) -> Lot:
        """Return rows with what their loss needs, on the CPU."""
        examples, rows = self.examples, share.rows
        return Lot(
            self.batch(rows),
            _single(examples.label[rows]),
            _single(examples.weight[rows]),
            _single(examples.offset[rows]),
            None if share.pointers is None else torch.from_numpy(share.pointers),
            share.whole,
        )

    @contextmanager
    def training(
        self, order: Order, step: int = 0, *, rank: int = 0, ranks: int = 1
    ) -> Iterator[Iterator[Lot]]:
        """Give the lots of this process from `step` on, without end.

        The next one is made by a thread, which ends with the context.
        """
        made = (self.lot(order.share(number, rank, ranks)) for number in count(step))
        with closing(self._ahead(made)) as lots:
            yield lots

    def scoring(
        self, batch: int, *, rank: int = 0, ranks: int = 1
    ) -> Generator[tuple[Integers, Batch]]:
        """Yield rows and their inputs, `batch` at a time, those of like length together.

        Of several processes each takes its batches, in turn.
        """
        chosen = islice(by_length(self.lengths(), batch), rank, None, ranks)
        made = ((rows, self.batch(rows)) for rows in chosen)
        with closing(self._ahead(made)) as batches:
            yield from batches

    def _ahead(self, made: Iterator[T]) -> Generator[T]:
        """Yield what is made, on the device; copies to a GPU run beside its work."""
        if self.device.type != "cuda":
            yield from ahead(made)
            return
        with closing(ahead(mapped(item, Tensor.pin_memory) for item in made)) as pinned:
            for item in pinned:
                yield mapped(item, lambda part: part.to(self.device, non_blocking=True))

    def _text(self, ragged: Ragged, rows: Integers) -> tuple[Tensor, Tensor]:
        table, sizes = padded(ragged.offsets, ragged.ids, rows, self.pad, self.min_length)
        return torch.from_numpy(table), torch.from_numpy(sizes)


def _bag(csr: Csr, rows: Integers) -> Bag:
    begins, indices, values = bagged(csr.indptr, csr.indices, csr.values, rows)
    return Bag(*map(torch.from_numpy, (indices, begins[:-1], values)))


def _single(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
