"""Blocks of records as columns, by a compiled program: no record becomes a Python object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.types as pat
from numpy.typing import NDArray

from gdmix.data.formats import avro_kernels as run
from gdmix.data.formats.avro_container import Block
from gdmix.data.formats.avro_program import NOWHERE, Program, Shape

Words = NDArray[np.int64]


class BrokenError(Exception):
    """A record does not hold what the schema says.

    Parameters
    ----------
    block, record : int
        Where, from 0; the record behind the last one where bytes are left over.
    """

    def __init__(self, block: int, record: int) -> None:
        super().__init__(block, record)
        self.block, self.record = block, record


class Decoded:
    """The outputs of a program that was run over some blocks.

    Raises
    ------
    BrokenError
    """

    def __init__(self, program: Program, blocks: Sequence[Block]) -> None:
        self._data = np.frombuffer(b"".join(block.data for block in blocks), np.uint8)
        self.rows = sum(block.records for block in blocks)
        counts = np.array([block.records for block in blocks], np.int64)
        ends = np.cumsum([len(block.data) for block in blocks], dtype=np.int64)
        room = [
            words * (self.rows if width == 0 else len(self._data) // width + len(blocks))
            for words, width in program.outputs
        ]
        self._bases = np.concatenate([np.zeros(1, np.int64), np.cumsum(room, dtype=np.int64)])
        words = np.empty(max(1, int(self._bases[-1])), np.int64)
        pattern = np.zeros(1, np.uint32)
        tops = self._bases[:-1].copy()
        out = run.Outputs(words, words.view(np.float64), tops, pattern, pattern.view(np.float32))
        stack = np.zeros((program.depth, 2), np.int64)
        status, block, record = run.decode(
            self._data, ends, counts, program.code, program.jumps, stack, out
        )
        if status == run.BROKEN:
            raise BrokenError(block, record)
        self.is_foreign = status == run.FOREIGN
        self._out = out

    def array(self, shape: Shape) -> pa.Array:
        """Return a column, or a part of one.

        Raises
        ------
        pa.ArrowInvalid
            A text is not UTF-8.
        """
        if pat.is_struct(shape.kind):
            parts = [self.array(part) for part in shape.parts]
            nulls = self._nulls(shape)
            mask = None if nulls is None else pa.array(nulls)
            return pa.StructArray.from_arrays(parts, fields=list(shape.kind), mask=mask)
        words = self._words(shape.number)
        if pat.is_nested(shape.kind):
            return self._lists(shape, words)
        nulls = self._nulls(shape)
        if shape.symbols:
            codes = pa.array(words.astype(np.int32), mask=nulls)
            return pa.DictionaryArray.from_arrays(codes, list(shape.symbols)).cast(shape.kind)
        if pat.is_string(shape.kind) or pat.is_binary(shape.kind):
            return self._texts(shape.kind, words.reshape(-1, 2))
        if pat.is_boolean(shape.kind):
            return pa.array(words != 0, mask=nulls)
        values = words.view(np.float64) if pat.is_floating(shape.kind) else words
        return pa.array(values.astype(shape.kind.to_pandas_dtype(), copy=False), mask=nulls)

    def _lists(self, shape: Shape, lengths: Words) -> pa.Array:
        missing = lengths < 0
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(np.maximum(lengths, 0), out=offsets[1:], dtype=np.int32)
        parts = [self.array(part) for part in shape.parts]
        make = pa.MapArray if pat.is_map(shape.kind) else pa.ListArray
        mask = pa.array(missing) if missing.any() else None
        return make.from_arrays(pa.array(offsets), *parts, mask=mask)

    def _texts(self, kind: pa.DataType, spans: Words) -> pa.Array:
        missing = spans[:, 0] < 0
        ends = np.zeros(len(spans) + 1, np.int32)
        letters = np.empty(int(spans[:, 1].sum()), np.uint8)
        run.copy_texts(self._data, spans, ends[1:], letters)
        there = pa.array(~missing).buffers()[1] if missing.any() else None
        buffers = [there, pa.py_buffer(ends), pa.py_buffer(letters)]
        texts = pa.Array.from_buffers(kind, len(spans), buffers)
        texts.validate(full=True)
        return texts

    def _words(self, number: int) -> Words:
        return self._out.words[self._bases[number] : self._out.tops[number]]

    def _nulls(self, shape: Shape) -> NDArray[np.bool_] | None:
        if shape.valid == NOWHERE:
            return None
        missing: NDArray[np.bool_] = self._words(shape.valid) == 0
        return missing if missing.any() else None
