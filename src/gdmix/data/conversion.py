"""From the columns of a source to those that a format holds: what is asked for and done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.types as pat

from gdmix.data.arrowtypes import has_fields, is_list, is_number, plain_type
from gdmix.data.decode import decoder_of
from gdmix.data.decode_lists import decode_name_term_value
from gdmix.data.place import Place
from gdmix.data.source import Source
from gdmix.errors import DataError
from gdmix.schema import Feature

Arrays = list[pa.Array]
Make = Callable[[Arrays, Place], Arrays]


@dataclass(frozen=True)
class Wish:
    """What a user asks of a conversion.

    Attributes
    ----------
    columns : tuple of str
        Columns to take; all without any.
    lists : dict of str to str
        File of names for the indices of a column; the key "" stands for the only such column.
    label, qid : str or None
        Columns that become those of libsvm.
    lossy : bool
        Write what the format cannot hold as near as it can.
    """

    columns: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    qid: str | None = None
    lossy: bool = False


class Part(NamedTuple):
    """How some columns become others.

    Attributes
    ----------
    reads : tuple of str
        Columns of the source.
    fields : list of pa.Field
        Columns that come out.
    make : callable
        From arrays of the former to arrays of the latter.
    """

    reads: tuple[str, ...]
    fields: list[pa.Field]
    make: Make


@dataclass
class Conversion:
    """Batches of a source as batches of what a format holds.

    Attributes
    ----------
    source : Source
    parts : list
        How each column is made.
    lists : dict of str to pa.StringArray
        Keys of the features that were numbered, by column: to be written beside the data.
    sizes : dict of str to int
        How many features a numbered column has.
    """

    source: Source
    parts: list[Part]
    lists: dict[str, pa.StringArray]
    sizes: dict[str, int]

    @property
    def schema(self) -> pa.Schema:
        """Columns that come out."""
        return pa.schema([field for part in self.parts for field in part.fields])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows."""
        reads = list(dict.fromkeys(name for part in self.parts for name in part.reads))
        for columns, place in self.source.batches(reads, frozenset()):
            made: Arrays = []
            for part in self.parts:
                made += part.make([columns.column(name) for name in part.reads], place)
            yield pa.RecordBatch.from_arrays(made, schema=self.schema)


def is_sparse(kinds: list[pa.DataType]) -> bool:
    """Tell whether columns of these types, one or two, are indices and values."""
    if len(kinds) == 1 and has_fields(kinds[0], "indices", "values"):
        kinds = [kinds[0].field(part).type for part in ("indices", "values")]
    if len(kinds) != 2 or not all(is_list(kind) for kind in kinds):
        return False
    index, value = (plain_type(kind.value_type) for kind in kinds)
    numbers = pat.is_integer(index) or pat.is_null(index)
    return numbers and (is_number(value) or pat.is_null(value))


def is_bag(kinds: list[pa.DataType]) -> bool:
    """Tell whether a column is a list of name, term and value."""
    try:
        decode = decoder_of(Feature(column="x"), kinds, "")
    except DataError:
        return False
    return decode is decode_name_term_value


def of_floats(kind: pa.DataType) -> bool:
    """Tell whether a column holds floating point numbers, or lists of them."""
    item = plain_type(kind.value_type) if is_list(kind) else kind
    return bool(pat.is_floating(item) or pat.is_decimal(item))
