"""Arrow columns as the arrays from which features of ``tf.train.Example`` are written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.arrowtypes import is_list, is_number, is_string, plain, plain_type
from gdmix.data.formats.examples_encode import measure_integers, measure_texts
from gdmix.data.formats.examples_wire import BYTES, FLOATS, INTEGERS, NONE
from gdmix.errors import DataError

Places = NDArray[np.int64]
_T = TypeVar("_T", bound=np.generic)

_NO_NUMBERS = np.empty(0, np.int64)
_NO_BYTES = np.empty(0, np.uint8)


class FeatureColumn(NamedTuple):
    """The values of one feature in some rows.

    Attributes
    ----------
    kind : int
        BYTES, FLOATS or INTEGERS.
    offsets : int64[rows + 1]
        Row k has the items from ``offsets[k]`` to ``offsets[k + 1]``.
    sizes : int64[rows]
        Bytes of a row's items as they are written, -1 where the row has no such feature.
    whole : int64[items]
        Integers.
    plain : uint8[bytes]
        Floats of four bytes, or texts one after the other.
    places : int64[items + 1]
        Where each text begins and the last one ends.
    """

    kind: int
    offsets: Places
    sizes: Places
    whole: Places = _NO_NUMBERS
    plain: NDArray[np.uint8] = _NO_BYTES
    places: Places = _NO_NUMBERS


def require_feature(path: Path, field: pa.Field) -> None:
    """Check that a column can be a feature.

    Raises
    ------
    DataError
        It holds lists of lists, structs, or what else has no place in an Example.
    """
    if _kind_of(field.type) == NONE:
        raise DataError(
            f"{path}, column {field.name!r}",
            f"type {field.type} cannot be a feature of an Example",
            "numbers, strings, or lists of these",
            "give sparse features as two columns, x_indices and x_values",
        )


def feature_column(path: Path, first_row: int, name: str, array: pa.Array) -> FeatureColumn:
    """Return a column's values; `first_row` is how many rows of the file come before.

    Raises
    ------
    DataError
        A list holds a null, or a number is too large.
    """
    column = plain(array)
    there = pc.is_valid(column).to_numpy(zero_copy_only=False)
    counts = there.astype(np.int64)
    if is_list(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        counts = lengths.to_numpy(zero_copy_only=False).astype(np.int64)
        items = plain(column.flatten())
    else:
        items = column.drop_null()
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    where = _Where(path, first_row, name, offsets)
    if items.null_count:
        raise where.fault(items.is_null(), "a null inside a list", "a value")
    sizes = np.where(there, 0, -1)
    kind = _kind_of(column.type)
    if kind == INTEGERS:
        whole = _integers(items, where)
        measure_integers(whole, offsets, sizes)
        return FeatureColumn(kind, offsets, sizes, whole)
    if kind == FLOATS:
        sizes[there] = 4 * counts[there]
        return FeatureColumn(kind, offsets, sizes, plain=_floats(items, where))
    places, letters = _texts(items)
    measure_texts(places, offsets, sizes)
    return FeatureColumn(kind, offsets, sizes, plain=letters, places=places)


class _Where(NamedTuple):
    """The place of a column, for messages."""

    path: Path
    first_row: int
    name: str
    offsets: Places

    def fault(self, wrong: pa.Array, found: str, expected: str) -> DataError:
        """Return an error about the first item that is wrong."""
        item = int(np.argmax(wrong.to_numpy(zero_copy_only=False)))
        row = int(np.searchsorted(self.offsets, item, side="right"))
        where = f"{self.path}, row {self.first_row + row}, column {self.name!r}"
        return DataError(where, found, expected)


def _kind_of(kind: pa.DataType) -> int:
    kind = plain_type(kind)
    item = plain_type(kind.value_type) if is_list(kind) else kind
    if pat.is_integer(item) or pat.is_boolean(item) or pat.is_null(item):
        return INTEGERS
    if is_number(item):
        return FLOATS
    return BYTES if is_string(item) or pat.is_binary(item) or pat.is_large_binary(item) else NONE


def _integers(items: pa.Array, where: _Where) -> Places:
    try:
        numbers = items.cast(pa.int64())
    except pa.ArrowInvalid:
        large = pc.greater(items, pa.scalar(2**63 - 1, items.type))
        raise where.fault(large, "found an integer of 2**63 or more", "one of 64 bits") from None
    return _frozen(numbers.to_numpy(zero_copy_only=False))


def _floats(items: pa.Array, where: _Where) -> NDArray[np.uint8]:
    if pat.is_decimal(items.type):
        items = items.cast(pa.float64())
    numbers = items.cast(pa.float32(), safe=False)
    if not pat.is_float32(items.type):
        large = pc.and_(pc.is_inf(numbers), pc.invert(pc.is_inf(items.cast(pa.float64()))))
        if pc.any(large).as_py():
            raise where.fault(large, "found a number beyond 3.4e38", "one of 32 bits")
    return _frozen(numbers.to_numpy(zero_copy_only=False).astype("<f4", copy=False)).view(np.uint8)


def _texts(items: pa.Array) -> tuple[Places, NDArray[np.uint8]]:
    large = items.cast(pa.large_binary())
    if not len(large):
        return _frozen(np.zeros(1, np.int64)), _frozen(np.empty(0, np.uint8))
    _, places, letters = large.buffers()
    offsets = np.frombuffer(places, np.int64)[large.offset : large.offset + len(large) + 1]
    return _frozen(offsets), _frozen(np.frombuffer(letters or b"", np.uint8))


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    """Return an array that is read-only, as what Arrow gives is: kernels are then compiled once."""
    array = array.view()
    array.flags.writeable = False
    return array
