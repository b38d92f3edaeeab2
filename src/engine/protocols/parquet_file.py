"""The part of the Parquet file format that brinery writes: plain pages of required columns.

Source: parquet.thrift 2.10 and "Encodings" of the Parquet format. No dictionaries, no statistics, pages of
version 1.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np

from .thrift import I64, Value, compact, varint

__all__ = ["MAGIC", "Chunk", "Footer", "page", "shapes_page", "texts_page"]

MAGIC = b"PAR1"
_INT64, _BYTE_ARRAY = 2, 6
_REQUIRED, _REPEATED = 0, 2
_UTF8, _CONVERTED_LIST = 0, 3
_STRING, _LIST = 1, 3  # of the union LogicalType
_PLAIN, _RLE = 0, 3
_DATA_PAGE = 0

_SCHEMA: tuple[list[Value], ...] = (
    [{1: _BYTE_ARRAY, 3: _REQUIRED, 4: "data"}],
    [{1: _BYTE_ARRAY, 3: _REQUIRED, 4: "dtype", 6: _UTF8, 10: {_STRING: {}}}],
    [
        {3: _REQUIRED, 4: "shape", 5: 1, 6: _CONVERTED_LIST, 10: {_LIST: {}}},
        {3: _REPEATED, 4: "list", 5: 1},
        {1: _INT64, 3: _REQUIRED, 4: "element"},
    ],
    [{1: _BYTE_ARRAY, 3: _REQUIRED, 4: "key", 6: _UTF8, 10: {_STRING: {}}}],
)
_COLUMNS = (
    (_BYTE_ARRAY, ("data",)),
    (_BYTE_ARRAY, ("dtype",)),
    (_INT64, ("shape", "list", "element")),
    (_BYTE_ARRAY, ("key",)),
)


@dataclass(slots=True)
class Chunk:
    """A column's pages in a row group.

    Attributes:
        start: first byte of the first page.
        values: how many there are, those of lists counted one by one.
        nbytes: of all pages with their headers.
        plain_nbytes: what they would be without compression.
        codec: number of the compression, 0 for none.
    """

    start: int
    values: int = 0
    nbytes: int = 0
    plain_nbytes: int = 0
    codec: int = 0

    def add(self, values: int, header: int, size: int, packed: int) -> None:
        """Count a page: its values, and the bytes of its header and of its contents, plain and as stored."""
        self.values += values
        self.nbytes += header + packed
        self.plain_nbytes += header + size


@lru_cache(64)
def page(values: int, size: int, packed: int) -> bytes:
    """Return the header of a page of values, whose contents take `size` bytes, `packed` as stored."""
    levels: Value = {1: values, 2: _PLAIN, 3: _RLE, 4: _RLE}
    return compact({1: _DATA_PAGE, 2: size, 3: packed, 5: levels})


def texts_page(texts: Sequence[str]) -> tuple[int, bytes]:
    """Return how many values a page of texts has, and its contents."""
    encoded = [text.encode("utf-8") for text in texts]
    return len(texts), b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def shapes_page(shapes: Sequence[tuple[int, ...]]) -> tuple[int, bytes]:
    """Return how many values a page of lists has, and its contents; an empty list counts as one value."""
    repeated = [number for shape in shapes for number in (0, *(1,) * (len(shape) - 1))]
    defined = [number for shape in shapes for number in ((1,) * len(shape) or (0,))]
    lengths = np.fromiter((length for shape in shapes for length in shape), "<i8")
    return len(defined), _levels(repeated) + _levels(defined) + lengths.tobytes()


def _levels(levels: Iterable[int]) -> bytes:
    """Return levels of one bit, as runs of equal ones."""
    runs = ((level, len(list(run))) for level, run in groupby(levels))
    data = b"".join(varint(length << 1) + bytes((level,)) for level, length in runs)
    return struct.pack("<I", len(data)) + data


class Footer:
    """What stands behind the row groups.

    Args:
        columns: how many of the columns there are, in their order.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows = 0
        self._groups: list[Value] = []

    def add(self, rows: int, chunks: Sequence[Chunk]) -> None:
        """Note a row group, given its columns' pages in order."""
        described = zip(_COLUMNS, chunks, strict=False)
        columns: list[Value] = [_column(*column, chunk) for column, chunk in described]
        size = I64(sum(chunk.plain_nbytes for chunk in chunks))
        packed = I64(sum(chunk.nbytes for chunk in chunks))
        self._groups.append({1: columns, 2: size, 3: I64(rows), 5: I64(chunks[0].start), 6: packed})
        self._rows += rows

    def contents(self) -> bytes:
        """Return all that follows the last page."""
        root: Value = {4: "schema", 5: self._columns}
        schema = [root, *(element for column in _SCHEMA[: self._columns] for element in column)]
        data = compact({1: 2, 2: schema, 3: I64(self._rows), 4: self._groups, 6: "brinery"})
        return data + struct.pack("<I", len(data)) + MAGIC


def _column(kind: int, path: tuple[str, ...], chunk: Chunk) -> Value:
    metadata: Value = {
        1: kind,
        2: [_PLAIN, _RLE],
        3: list(path),
        4: chunk.codec,
        5: I64(chunk.values),
        6: I64(chunk.plain_nbytes),
        7: I64(chunk.nbytes),
        9: I64(chunk.start),
    }
    return {2: I64(0), 3: metadata}
