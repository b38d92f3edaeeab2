"""parquet: a row a sample with `data`, the array's raw bytes, `dtype`, `shape` and `key`.

Format: Parquet. Each array is a page of its own, compressed or not, so that it is read alone. A row group
ends when its arrays pass 8 MiB, so that other readers need not take more at once either. Pages go to the file
as the arrays come.
"""

import struct
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError, MemberError
from .base import (
    Abilities,
    Array,
    Compression,
    OutputFile,
    Placement,
    Serializer,
    ShardReader,
    ShardWriter,
    Spec,
)
from .checks import RecordReader, array_from, pixels
from .frames import Codec, frame_codec
from .optional import library
from .parquet_file import MAGIC, Chunk, Footer, page, shapes_page, texts_page

__all__ = ["ParquetSerializer"]

_GROUP = 8 << 20  # bytes of arrays after which a row group ends
_MAX_PAGE = (1 << 31) - 1
_PREFIX = 4  # bytes before each array: its length
_NUMBERS = {"snappy": 1, "gzip": 2, "zstd": 6, "lz4": 7}

_ARRAY = 'numpy.ndarray(row["shape"], row["dtype"], row["data"])'
_LINES = """\
import numpy, pyarrow.parquet

rows = pyarrow.parquet.read_table("{file}").to_pylist()
"""
_SAMPLES = f'samples = {{row["key"]: {_ARRAY} for row in rows}}\n'
_SINGLE = f"(row,) = rows\narray = {_ARRAY}\n"


class _Lz4(Codec):
    """LZ4's blocks, without the frame."""

    default_level = 0
    max_ratio = 255

    def compress(self, data: bytes) -> bytes:
        mode = {"mode": "high_compression", "compression": self.level} if self.level > 2 else {}
        return bytes(library("lz4.block").compress(data, store_size=False, **mode))

    def expand(self, data: bytes, limit: int) -> bytes:
        block = library("lz4.block")
        try:
            return bytes(block.decompress(data, uncompressed_size=limit))
        except (block.LZ4BlockError, MemoryError, ValueError) as error:
            raise CorruptError(f"damaged lz4 block: {error}") from error


class _Snappy(Codec):
    """Snappy's blocks, by pyarrow."""

    default_level = 0
    max_ratio = 22  # a copy of 64 bytes takes three

    def compress(self, data: bytes) -> bytes:
        return bytes(library("pyarrow").compress(data, codec="snappy", asbytes=True))

    def expand(self, data: bytes, limit: int) -> bytes:
        size = _snappy_size(data)
        if size > limit:
            raise CorruptError(f"a snappy block names {size} bytes where at most {limit} can be")
        try:
            return bytes(library("pyarrow").decompress(data, size, codec="snappy", asbytes=True))
        except (OSError, ValueError, MemoryError) as error:
            raise CorruptError(f"damaged snappy block: {error}") from error


def _snappy_size(data: bytes) -> int:
    """Return the size that a block names at its head, seven bits a byte."""
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * at
        if byte < 0x80:
            return size
    raise CorruptError("no snappy block names its size in five bytes")


def _codec(compression: Compression) -> Codec:
    own = {"lz4": _Lz4, "snappy": _Snappy}.get(compression.name)
    return frame_codec(compression) if own is None else own(compression.level)


def _limit(spec: Spec) -> int:
    return spec.nbytes + _PREFIX


def _decode(data: bytes, spec: Spec) -> Array:
    if len(data) < _PREFIX or int.from_bytes(data[:_PREFIX], "little") != len(data) - _PREFIX:
        raise CorruptError("the page does not hold one value")
    return array_from(memoryview(data)[_PREFIX:], spec.dtype, spec.shape)


class _TableWriter(ShardWriter):
    """Streams the pages of arrays; what else is in a row group is held until it ends."""

    def __init__(self, file: OutputFile, compression: Compression | None, *, keys: bool = True) -> None:
        self._file = file
        self._columns = 4 if keys else 3
        self._codec = None if compression is None else _codec(compression)
        self._number = 0 if compression is None else _NUMBERS[compression.name]
        self._placements: list[Placement] = []
        self._footer = Footer(self._columns)
        self._keys: list[str] = []
        self._kinds: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        self._held = 0
        file.write(MAGIC)
        self._position = len(MAGIC)
        self._data = Chunk(self._position, codec=self._number)

    def add(self, key: str, array: Array) -> None:
        size = _PREFIX + array.nbytes
        if size > _MAX_PAGE:
            raise MemberError(f"a page of parquet holds less than 2 GiB, not {array.nbytes} bytes")
        prefix = struct.pack("<I", array.nbytes)
        if self._codec is None:
            parts: tuple[bytes | memoryview, ...] = (prefix, pixels(array))
            packed = size
        else:
            data = self._codec.compress(b"".join((prefix, pixels(array))))
            packed, parts = len(data), (data,)
            if packed > _MAX_PAGE:
                raise MemberError("a page of parquet holds less than 2 GiB")
        header = page(1, size, packed)
        self._write(header)
        start = self._position
        for part in parts:
            self._write(part)
        self._placements.append(Placement(start, packed, None if self._codec else start + _PREFIX))
        self._data.add(1, len(header), size, packed)
        self._keys.append(key)
        self._kinds.append((array.shape, array.dtype))
        self._held += array.nbytes
        if self._held >= _GROUP:
            self._end_group()

    def finish(self) -> list[Placement]:
        if self._keys:
            self._end_group()
        self._file.write(self._footer.contents())
        return self._placements

    def _end_group(self) -> None:
        """Write the columns beside the arrays, each one page."""
        pages = [
            texts_page([dtype.name for _, dtype in self._kinds]),
            shapes_page([shape for shape, _ in self._kinds]),
            texts_page(self._keys),
        ]
        chunks = [self._data]
        for values, contents in pages[: self._columns - 1]:
            chunk = Chunk(self._position)
            header = page(values, len(contents), len(contents))
            chunk.add(values, len(header), len(contents), len(contents))
            self._write(header + contents)
            chunks.append(chunk)
        self._footer.add(len(self._keys), chunks)
        self._keys, self._kinds, self._held = [], [], 0
        self._data = Chunk(self._position, codec=self._number)

    def _write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._position += len(data)


class ParquetSerializer(Serializer):
    """Parquet files, written by hand; pyarrow loads them."""

    name = "parquet"
    suffix = ".parquet"
    abilities = Abilities(
        raw_payload=True, safe_load=True, portable=True, compressions=("zstd", "lz4", "gzip", "snappy")
    )

    @property
    def codec(self) -> Codec | None:
        """What compresses each page, or None."""
        return None if self.compression is None else _codec(self.compression)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard; an array of 2 GiB or more is a MemberError."""
        return _TableWriter(file, self.compression)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write a table of one row without a key."""
        writer = _TableWriter(file, self.compression, keys=False)
        writer.add("", array)
        return writer.finish()[0]

    def load(self, path: str | PathLike[str]) -> Array:
        """Read the one row with pyarrow."""
        return next(_arrays(_table(path)))

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Read the table with pyarrow."""
        table = _table(path)
        yield from zip(table["key"].to_pylist(), _arrays(table), strict=True)

    def lines(self, file: str, *, single: bool) -> str:
        """Read the table by pyarrow."""
        return _LINES.replace("{file}", file) + (_SINGLE if single else _SAMPLES)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read pages, whose length the spec bounds."""
        return RecordReader(file, _decode, _limit, self.codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one page, whose length the spec bounds."""
        return RecordReader(file, _decode, _limit, self.codec)


def _table(path: str | PathLike[str]) -> Any:
    with library("pyarrow.parquet").ParquetFile(path) as file:
        return file.read()


def _arrays(table: Any) -> Iterator[Array]:
    """Yield the arrays of a table, views of its memory."""
    kinds = zip(table["data"], table["shape"].to_pylist(), table["dtype"].to_pylist(), strict=True)
    return (np.ndarray(shape, dtype, data.as_buffer()) for data, shape, dtype in kinds)
