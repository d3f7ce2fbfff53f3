"""Avro's object container files: header, blocks, codecs; everything is checked before it is used.

Apache Avro specification 1.11, "Object Container Files". What comes out is a container again, of
plain blocks and a schema that fastavro reads, so that it never meets a length that is not true.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from gdmix.errors import DataError

MAGIC = b"Obj\x01"

_SYNC = 16
_LARGEST = 1 << 30
_FIRST_GUESS = 1 << 24
_HINT = "is the file complete? write it again"
# coefficients hardly shrink: more effort is wasted on them
_LEVEL = 2


class Block(NamedTuple):
    """Records of a file, unpacked.

    Attributes
    ----------
    offset : int
        Byte of the file where the block begins.
    records : int
    data : bytes
    """

    offset: int
    records: int
    data: bytes


class Container:
    """A container file as a stream of one without compression.

    Parameters
    ----------
    path : Path
    stream : file of bytes
    size : int
        Bytes in the file: no length may be larger.

    Raises
    ------
    DataError
        The file is no Avro file, cut off, or damaged; names the byte.
    """

    def __init__(self, path: Path, stream: BinaryIO, size: int) -> None:
        self._path, self._stream, self._left = path, stream, size
        self.offset = 0
        self._used = 0
        self._plain = b""
        self._at = 0
        self._served = 0
        if self._take(len(MAGIC)) != MAGIC:
            raise DataError(str(path), "not an Avro file (its first bytes are not Obj1)")
        metadata = self._metadata()
        self._sync = self._take(_SYNC)
        self.schema = self._schema(metadata)
        name = metadata.get("avro.codec", b"null").decode("utf-8", "replace")
        if name not in _CODECS:
            known = ", ".join(_CODECS)
            raise DataError(str(path), f"found the codec {name!r}", f"one of {known}")
        self._codec = _CODECS[name]
        self._plain = self.header = _header(self.schema, self._sync)

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes of the plain container; fewer only at its end."""
        parts, wanted = [], count
        while wanted:
            if self._at == len(self._plain) and not self._next_block():
                break
            end = len(self._plain) if wanted < 0 else min(len(self._plain), self._at + wanted)
            part = self._plain[self._at : end]
            parts.append(part)
            self._at = end
            wanted -= len(part) if wanted > 0 else 0
        plain = b"".join(parts) if len(parts) != 1 else parts[0]
        self._served += len(plain)
        return plain

    def tell(self) -> int:
        """Return how many bytes were read, which fastavro asks for."""
        return self._served

    def wrong(self, problem: str, hint: str = _HINT) -> DataError:
        """Return an error at the block that is being read."""
        return self.wrong_at(self.offset, problem, hint)

    def wrong_at(self, offset: int, problem: str, hint: str = _HINT) -> DataError:
        """Return an error at another block."""
        return DataError(f"{self._path}, byte {offset}", problem, hint=hint)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks that were not yet read."""
        while block := self._read_block():
            yield block

    def plain(self, blocks: Iterable[Block]) -> BinaryIO:
        """Return a container of some of the blocks, without compression."""
        return BytesIO(b"".join([self.header, *(self._framed(block) for block in blocks)]))

    def _next_block(self) -> bool:
        block = self._read_block()
        if block is None:
            return False
        self._plain, self._at = self._framed(block), 0
        return True

    def _framed(self, block: Block) -> bytes:
        return encode_long(block.records) + encode_long(len(block.data)) + block.data + self._sync

    def _read_block(self) -> Block | None:
        if self._left == 0:
            return None
        self.offset += self._used
        self._used = 0
        count, size = self._long(), self._long()
        if count < 0 or size < 0 or size > self._left:
            raise self.wrong(f"the block claims {count} records in {size} bytes")
        data = self._take(size)
        if self._take(_SYNC) != self._sync:
            raise self.wrong("the block does not end with the file's mark")
        try:
            plain = self._codec(data)
        except _Errors as error:
            raise self.wrong(f"the block cannot be unpacked ({error})") from None
        # a record of at least one value takes a byte, unless all its values are null
        if count > max(len(plain), 1) * 8:
            raise self.wrong(f"the block claims {count} records in {len(plain)} bytes")
        return Block(self.offset, count, plain)

    def _take(self, count: int) -> bytes:
        if count > self._left:
            raise self.wrong("the file ends too early")
        data = self._stream.read(count)
        if len(data) < count:
            raise self.wrong("the file ends too early")
        self._left -= count
        self._used += count
        return data

    def _long(self) -> int:
        value = shift = 0
        while True:
            byte = self._take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)
            if shift > 63:
                raise self.wrong("a length does not end")

    def _metadata(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        while count := self._long():
            if count < 0:
                # the size of the block of items follows, which nobody needs
                count, _ = -count, self._long()
            for _ in range(count):
                key = self._take(self._length()).decode("utf-8", "replace")
                found[key] = self._take(self._length())
        return found

    def _length(self) -> int:
        length = self._long()
        if length < 0:
            raise self.wrong(f"found the length {length}")
        return length

    def _schema(self, metadata: dict[str, bytes]) -> Any:  # noqa: ANN401 - as in JSON
        try:
            return without_defaults(json.loads(metadata["avro.schema"]))
        except KeyError:
            raise self.wrong("the header has no schema") from None
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"the schema is not JSON ({error})") from None


def without_defaults(schema: Any) -> Any:  # noqa: ANN401 - as in JSON
    """Return a writer's schema without defaults, which are for readers.

    Photon-ML's older models declare a text whose default is null, which fastavro refuses.
    """
    if isinstance(schema, list):
        return [without_defaults(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = ("default", "logicalType")
    plain = {key: without_defaults(item) for key, item in schema.items() if key not in dropped}
    if isinstance(schema.get("symbols"), list) and "default" in schema:
        plain["default"] = schema["default"]
    return plain


class BlockWriter:
    """Writes a container file from blocks of records that are encoded already.

    Parameters
    ----------
    stream : file of bytes
    schema : as in JSON
    """

    def __init__(self, stream: BinaryIO, schema: Any) -> None:  # noqa: ANN401 - as in JSON
        # any mark serves that data hardly holds; equal models make equal files
        self._sync = hashlib.sha256(json.dumps(schema).encode()).digest()[:_SYNC]
        self._stream = stream
        stream.write(_header(schema, self._sync, b"deflate"))

    def write(self, count: int, data: bytes | memoryview) -> None:
        """Write a block of `count` records, deflated."""
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = deflate.compress(data) + deflate.flush()
        self._stream.write(encode_long(count) + encode_long(len(packed)) + packed + self._sync)


def _header(schema: Any, sync: bytes, codec: bytes = b"null") -> bytes:  # noqa: ANN401
    items = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec}
    body = b"".join(
        encode_long(len(key)) + key.encode() + encode_long(len(value)) + value
        for key, value in items.items()
    )
    return MAGIC + encode_long(len(items)) + body + encode_long(0) + sync


def encode_long(value: int) -> bytes:
    """Return a whole number as Avro writes it: zigzag, seven bits a byte, low bits first."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _limited(inflate: Any, data: bytes) -> bytes:  # noqa: ANN401 - zlib and others name no type
    plain: bytes = inflate.decompress(data, _LARGEST)
    if not inflate.eof:
        raise ValueError("it is cut off, or larger than 1 GiB")
    return plain


def _deflate(data: bytes) -> bytes:
    return _limited(zlib.decompressobj(-15), data)


def _snappy(data: bytes) -> bytes:
    from cramjam import snappy

    packed, check = data[:-4], data[-4:]
    if snappy.decompress_raw_len(packed) > _LARGEST:
        raise ValueError("it is larger than 1 GiB")
    plain = bytes(snappy.decompress_raw(packed))
    if zlib.crc32(plain) != struct.unpack(">I", check)[0]:
        raise ValueError("its checksum does not fit")
    return plain


def _zstandard(data: bytes) -> bytes:
    from cramjam import DecompressionError, zstd

    size = _FIRST_GUESS
    while True:
        room = bytearray(size)
        try:
            return bytes(room[: zstd.decompress_into(data, room)])
        except DecompressionError:
            size *= 8
            if size > _LARGEST:
                raise


_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": _deflate,
    "snappy": _snappy,
    "bzip2": lambda data: _limited(bz2.BZ2Decompressor(), data),
    "xz": lambda data: _limited(lzma.LZMADecompressor(), data),
    "zstandard": _zstandard,
}

# cramjam's own error is a plain Exception
_Errors = (Exception,)
