"""json: one object a line with key, dtype, shape and data as nested lists.

Formats: RFC 8259, except that floats which are no numbers are spelled NaN, Infinity and -Infinity as in
JavaScript; one object a line as in JSON Lines. Complex numbers are pairs [real, imaginary]. All text is
ASCII.
"""

import json
import math
from collections.abc import Iterator
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError, MemberError
from .base import Abilities, Array, OutputFile, Placement, ShardReader, ShardWriter, Spec
from .checks import RecordReader
from .frames import FRAME_COMPRESSIONS, Codec, FramedSerializer

__all__ = ["JsonSerializer"]

_SLACK = 1 << 20  # room for the key and the names around the data
_OF_NUMBERS = b"0123456789+-.,eE[]}\n" + b"truefalsNInity"  # true, false, NaN, Infinity
_WIDTHS = {"b": 6, "f": 26, "c": 56}  # characters of an element and its comma; integers by their dtype


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a complex number's halves."""
    return np.dtype(f"f{dtype.itemsize // 2}")


def _encode(array: Array, key: str | None = None) -> bytes:
    values = array
    if array.dtype.kind == "c":
        values = array.reshape((*array.shape, 1)).view(_real(array.dtype))
    record = {
        **({} if key is None else {"key": key}),
        "dtype": array.dtype.name,
        "shape": array.shape,
        "data": values.tolist() if array.size else [],
    }
    try:
        return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
    except TypeError as error:
        raise MemberError(f"json has no numbers of dtype {array.dtype}: {error}") from error


def _array(record: dict[str, Any]) -> Array:
    """Return what a user's own code would do with a record."""
    dtype, shape = np.dtype(record["dtype"]), tuple(record["shape"])
    if dtype.kind == "c":
        pairs: Array = np.array(record["data"], _real(dtype))
        values: Array = pairs.view(dtype)
        return values.reshape(shape)
    values = np.array(record["data"], dtype)
    return values.reshape(shape)


def _limit(spec: Spec) -> int:
    """Return the most bytes of a line: every list opens and closes, and has a comma behind it."""
    width = _WIDTHS.get(spec.dtype.kind, 0)
    if spec.dtype.kind in "ui":
        bounds = np.iinfo(spec.dtype)
        width = max(len(str(bounds.min)), len(str(bounds.max))) + 1
    return math.prod(spec.shape) * width + 3 * _lists(spec) + _SLACK


def _lists(spec: Spec) -> int:
    """Return how many lists an array is written as, the pairs of complex numbers not counted."""
    lists, inner = 0, 1
    for length in spec.shape if spec.nbytes else (0,):  # what has no elements is one empty list
        lists += inner
        inner *= length
    return lists


def _check_data(data: bytes, spec: Spec) -> None:
    """Refuse a line whose data would take more memory than numbers in lists do, before it is parsed."""
    _, found, rest = data.partition(b'"data":')
    elements = math.prod(spec.shape)
    lists = _lists(spec) + (elements if spec.dtype.kind == "c" else 0)
    if not found or rest.translate(None, _OF_NUMBERS) or rest.count(b"[") > max(lists, 1):
        raise CorruptError("the line's data are not numbers in as many lists as its array has")


def _decode(data: bytes, spec: Spec) -> Array:
    """Make the array that the manifest names from a line, whose own dtype and shape must agree with it."""
    dtype, shape = spec.dtype, spec.shape
    _check_data(data, spec)
    try:
        record = json.loads(data)
        if (
            type(record) is not dict
            or record.get("dtype") != dtype.name
            or record.get("shape") != list(shape)
        ):
            raise CorruptError("the line is not an object of the manifest's dtype and shape")
        if not spec.nbytes:
            return np.empty(shape, dtype)
        if dtype.kind == "c":
            pairs = np.array(record.get("data"), _real(dtype))
            if pairs.shape != (*shape, 2):
                raise CorruptError(f"the line's data have shape {pairs.shape}, not {(*shape, 2)}")
            return pairs.view(dtype).reshape(shape)
        if dtype.kind not in "ui" or dtype.itemsize == 8:
            return np.array(record.get("data"), dtype)
        return _integers(record.get("data"), dtype)
    except (ArithmeticError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise CorruptError(f"the line is damaged: {error}") from error


def _integers(data: Any, dtype: np.dtype[Any]) -> Array:
    # numpy 1 would wrap numbers that the dtype cannot hold.
    wide = np.array(data, np.int64)
    narrow: Array = wide.astype(dtype)
    if not np.array_equal(wide, narrow):
        raise CorruptError(f"the line holds numbers that are no {dtype}")
    return narrow


class _LineWriter(ShardWriter):
    """Writes one line a sample."""

    def __init__(self, file: OutputFile, codec: Codec | None) -> None:
        self._file = file
        self._codec = codec
        self._position = 0
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        self.put(_encode(array, key))

    def put(self, line: bytes) -> Placement:
        """Write a line and say where."""
        if self._codec is not None:
            line = self._codec.compress(line)
        self._file.write(line)
        placement = Placement(self._position, len(line), None)
        self._placements.append(placement)
        self._position += len(line)
        return placement

    def finish(self) -> list[Placement]:
        return self._placements


_ARRAY = 'numpy.array(record["data"], record["dtype"]).reshape(record["shape"])'
_SINGLE = f"record = json.load(file)\narray = {_ARRAY}"
_SAMPLES = f"""\
samples = {{}}
for line in file:
    record = json.loads(line)
    samples[record["key"]] = {_ARRAY}"""


class JsonSerializer(FramedSerializer):
    """Numbers as text that any language reads."""

    name = "json"
    suffix = ".jsonl"
    abilities = Abilities(raw_payload=False, safe_load=True, portable=True, compressions=FRAME_COMPRESSIONS)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard of one line a sample."""
        return _LineWriter(file, self.codec)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write one line without a key."""
        return _LineWriter(file, self.codec).put(_encode(array))

    def load(self, path: str | PathLike[str]) -> Array:
        """Parse the one line with `json.loads`."""
        with self.stream(path) as stream:
            return _array(json.loads(stream.read()))

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Parse line by line with `json.loads`."""
        with self.stream(path) as stream:
            for line in stream:
                record = json.loads(line)
                yield record["key"], _array(record)

    def lines(self, file: str, *, single: bool) -> str:
        """Parse by `json`, line by line."""
        return self.lines_around(file, "json, numpy", _SINGLE if single else _SAMPLES)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read lines, whose length the spec bounds."""
        return RecordReader(file, _decode, _limit, self.codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one line, whose length the spec bounds."""
        return RecordReader(file, _decode, _limit, self.codec)
