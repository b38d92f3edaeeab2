"""arrow: an Arrow IPC file of one record batch, with a column `image` and a column `key`.

Formats: Arrow columnar format 1.5, "IPC File Format"; extension `arrow.fixed_shape_tensor`. Where all
arrays of a shard have one shape and a dtype that Arrow knows, `image` is a column of such tensors; else it
holds the arrays' raw bytes, with `dtype` and `shape` beside it.

Arrays go to the file as they come, one behind the other, which both kinds of column allow. What stands
before them is written when the shard is complete, in room that is as large for either.
"""

import json
import math
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from os import PathLike, fspath
from typing import Any, BinaryIO

import numpy as np

from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, ShardWriter
from .checks import RawReader
from .flatbuffers import Scalar, Structs, Table, flatbuffer
from .optional import library

__all__ = ["ArrowSerializer"]

_MAGIC = b"ARROW1"
_ALIGN = 64  # of each buffer, as Arrow recommends
_BODY_AT = 1024  # first byte of the first array; what stands before it takes 900 at most
_CONTINUED = b"\xff\xff\xff\xff"
_MAX_TENSOR = 8  # dimensions, so that the room suffices
_MAX_LIST = (1 << 31) - 1  # elements of a tensor

# Numbers of Message.fbs and Schema.fbs.
_V5, _SCHEMA, _BATCH = 4, 1, 3
_INT, _FLOAT, _UTF8, _LIST, _FIXED_LIST, _LARGE_BINARY = 2, 3, 5, 12, 16, 19
_PRECISIONS = {2: 0, 4: 1, 8: 2}

_Kind = tuple[tuple[int, ...], np.dtype[Any]]

_LINES = """\
import numpy, pyarrow.ipc

table = pyarrow.ipc.open_file(pyarrow.memory_map("{file}")).read_all()
images = table["image"].combine_chunks()
if "shape" in table.column_names:
    kinds = zip(images, table["shape"].to_pylist(), table["dtype"].to_pylist())
    rows = [numpy.ndarray(shape, dtype, image.as_buffer()) for image, shape, dtype in kinds]
else:
    rows = images.to_numpy_ndarray()
"""
_SAMPLES = 'samples = dict(zip(table["key"].to_pylist(), rows))\n'
_SINGLE = "array = rows[0]\n"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a record batch.

    Attributes:
        field: its entry in the schema.
        lengths: of the column and of what it holds, in rows.
        buffers: in order; None is the one that holds the arrays.
    """

    field: Table
    lengths: tuple[int, ...]
    buffers: tuple[bytes | None, ...]


def _field(name: str, kind: int, values: Table, *children: Table, metadata: Sequence[Table] = ()) -> Table:
    """Return a Field of the schema that may hold nulls and has no dictionary."""
    return Table(name, Scalar("b", 1), Scalar("B", kind), values, None, list(children), list(metadata))


def _numbers(name: str, dtype: np.dtype[Any]) -> Table:
    if dtype.kind == "f":
        return _field(name, _FLOAT, Table(Scalar("h", _PRECISIONS[dtype.itemsize])))
    width, signed = Scalar("i", 8 * dtype.itemsize), Scalar("b", int(dtype.kind == "i"))
    return _field(name, _INT, Table(width, signed))


def _texts(name: str, values: Sequence[str]) -> _Column:
    encoded = [value.encode("utf-8") for value in values]
    field = _field(name, _UTF8, Table())
    return _Column(field, (len(values),), (b"", _ends(map(len, encoded), "i4"), b"".join(encoded)))


def _shapes(name: str, shapes: Sequence[tuple[int, ...]]) -> _Column:
    lengths = np.fromiter((length for shape in shapes for length in shape), "i8")
    field = _field(name, _LIST, Table(), _numbers("item", lengths.dtype))
    buffers = (b"", _ends(map(len, shapes), "i4"), b"", lengths.tobytes())
    return _Column(field, (len(shapes), len(lengths)), buffers)


def _binary(name: str, sizes: Sequence[int]) -> _Column:
    return _Column(_field(name, _LARGE_BINARY, Table()), (len(sizes),), (b"", _ends(sizes, "i8"), None))


def _tensors(name: str, kind: _Kind, rows: int) -> _Column:
    shape, dtype = kind
    size = math.prod(shape)
    notes = {"name": "arrow.fixed_shape_tensor", "metadata": json.dumps({"shape": shape})}
    metadata = [Table(f"ARROW:extension:{key}", value) for key, value in notes.items()]
    item = _numbers("item", dtype)
    field = _field(name, _FIXED_LIST, Table(Scalar("i", size)), item, metadata=metadata)
    return _Column(field, (rows, rows * size), (b"", b"", None))


def _ends(sizes: Iterable[int], dtype: str) -> bytes:
    """Return where each of consecutive values begins, and where the last one ends."""
    return np.cumsum([0, *sizes], dtype=dtype).tobytes()


def _is_tensor(kind: _Kind) -> bool:
    """Return whether Arrow has a tensor of this shape and dtype whose bytes are numpy's."""
    shape, dtype = kind
    numbers = dtype.kind in "ui" or (dtype.kind == "f" and dtype.itemsize in _PRECISIONS)
    return numbers and 0 < len(shape) <= _MAX_TENSOR and 0 < math.prod(shape) <= _MAX_LIST


def _schema(columns: Sequence[_Column]) -> Table:
    return Table(Scalar("h", int(sys.byteorder == "big")), [column.field for column in columns])


def _message(kind: int, header: Table, body: int, room: int | None = None) -> bytes:
    """Return an encapsulated message, without its body; zeros fill the room that it is given."""
    data = flatbuffer(Table(Scalar("h", _V5), Scalar("B", kind), header, Scalar("q", body)))
    if room is not None:
        data = data.ljust(room - 8, b"\0")
    return _CONTINUED + struct.pack("<i", len(data)) + data


class _Contents:
    """What stands around the arrays in a file that holds them in one record batch.

    Attributes:
        head: all that precedes the first array, `_BODY_AT` bytes.
        tail: all that follows the last one.
    """

    def __init__(self, columns: Sequence[_Column], rows: int, nbytes: int) -> None:
        schema = _schema(columns)
        before = _MAGIC.ljust(8, b"\0") + _message(_SCHEMA, schema, 0)
        lengths = b"".join(struct.pack("<2q", n, 0) for column in columns for n in column.lengths)
        tail = bytearray(-nbytes % _ALIGN)
        places = bytearray()
        for buffer in (buffer for column in columns for buffer in column.buffers):
            if buffer is None:
                places += struct.pack("<2q", 0, nbytes)
                continue
            places += struct.pack("<2q", nbytes + len(tail), len(buffer))
            tail += buffer + bytes(-len(buffer) % _ALIGN)
        body = nbytes + len(tail)
        nodes, buffers = (Structs(len(data) // 16, bytes(data)) for data in (lengths, places))
        size = _BODY_AT - len(before)
        batch = Table(Scalar("q", rows), nodes, buffers)
        self.head = before + _message(_BATCH, batch, body, size)
        assert len(self.head) == _BODY_AT
        block = Structs(1, struct.pack("<qi4xq", len(before), size, body))
        footer = flatbuffer(Table(Scalar("h", _V5), schema, Structs(0, b""), block))
        tail += _CONTINUED + bytes(4)  # the end of the batches
        self.tail = bytes(tail + footer + struct.pack("<i", len(footer)) + _MAGIC)


class _FileWriter(ShardWriter):
    """Streams the arrays; their keys, shapes and dtypes are held."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._keys: list[str] = []
        self._kinds: list[_Kind] = []
        file.write(bytes(_BODY_AT))

    def add(self, key: str, array: Array) -> None:
        self._file.write(array)
        self._keys.append(key)
        self._kinds.append((array.shape, array.dtype))

    def finish(self, *, single: bool = False) -> list[Placement]:
        """Write what stands around the arrays; a file of one array holds no keys."""
        kinds = self._kinds
        sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in kinds]
        if kinds and _is_tensor(kinds[0]) and kinds.count(kinds[0]) == len(kinds):
            columns = [_tensors("image", kinds[0], len(kinds))]
        else:
            columns = [
                _binary("image", sizes),
                _texts("dtype", [dtype.name for _, dtype in kinds]),
                _shapes("shape", [shape for shape, _ in kinds]),
            ]
        if not single:
            columns.append(_texts("key", self._keys))
        contents = _Contents(columns, len(kinds), sum(sizes))
        self._file.write(contents.tail)
        self._file.seek(0)
        self._file.write(contents.head)
        starts = accumulate(sizes, initial=_BODY_AT)
        return [Placement(start, size, start) for start, size in zip(starts, sizes, strict=False)]


class ArrowSerializer(Serializer):
    """Arrow's file format, written by hand; pyarrow loads it."""

    name = "arrow"
    suffix = ".arrow"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard of one record batch."""
        return _FileWriter(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write a table of one row without a key."""
        writer = _FileWriter(file)
        writer.add("", array)
        return writer.finish(single=True)[0]

    def load(self, path: str | PathLike[str]) -> Array:
        """Read the one row with pyarrow."""
        return next(iter(_arrays(_table(path))))

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Read the table with pyarrow."""
        table = _table(path)
        yield from zip(table["key"].to_pylist(), _arrays(table), strict=True)

    def lines(self, file: str, *, single: bool) -> str:
        """Map the file by pyarrow."""
        return _LINES.replace("{file}", file) + (_SINGLE if single else _SAMPLES)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read the arrays' bytes where the manifest says they are."""
        return RawReader(file)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the array's bytes where the manifest says they are."""
        return RawReader(file)


def _table(path: str | PathLike[str]) -> Any:
    """Return the `pyarrow.Table` of a file, all of it in memory."""
    with library("pyarrow").OSFile(fspath(path)) as file:
        return library("pyarrow.ipc").open_file(file).read_all()


def _arrays(table: Any) -> Iterable[Array]:
    """Return the arrays of a table, views of its memory."""
    images = table["image"].combine_chunks()
    if "shape" not in table.column_names:
        stack: Array = images.to_numpy_ndarray()
        return stack
    kinds = zip(images, table["shape"].to_pylist(), table["dtype"].to_pylist(), strict=True)
    return [np.ndarray(shape, dtype, image.as_buffer()) for image, shape, dtype in kinds]
