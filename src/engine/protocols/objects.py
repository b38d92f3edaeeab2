"""What msgpack and cbor share: an object a sample with key, dtype, shape and data, the array's raw bytes.

Both are maps of self-describing values, one object after the other. `data` comes last, so that a record ends
with the pixels. `dtype` is spelled as in npy headers, byte order included: `|u1`, `<u2`.
"""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import lru_cache
from os import PathLike
from typing import Any, BinaryIO, ClassVar

import numpy as np

from ...errors import CorruptError
from .base import Abilities, Array, OutputFile, Placement, ShardReader, ShardWriter, Spec
from .checks import RecordReader, array_from, pixels
from .frames import FRAME_COMPRESSIONS, Codec, FramedSerializer

__all__ = ["OBJECT_LINES", "Notation", "ObjectSerializer"]

_SLACK = 1 << 20  # room for the key and the names around the data
_LONGEST = 1 << 63

OBJECT_LINES = 'numpy.ndarray(record["shape"], record["dtype"], record["data"])'
"""Python that makes the array of a loaded object, `record`."""


class Notation(ABC):
    """How a format spells the values that stand in a record, each in its shortest form."""

    @abstractmethod
    def mapping(self, count: int) -> bytes:
        """Return what stands before a map's names and values."""

    @abstractmethod
    def sequence(self, count: int) -> bytes:
        """Return what stands before a list's values."""

    @abstractmethod
    def number(self, value: int) -> bytes:
        """Return a whole number from 0 to 2**64 - 1."""

    @abstractmethod
    def text(self, size: int) -> bytes:
        """Return what stands before a text of `size` bytes."""

    @abstractmethod
    def binary(self, size: int) -> bytes:
        """Return what stands before `size` bytes.

        Raises:
            MemberError: the format does not hold as many.
        """

    @abstractmethod
    def text_at(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Return where the bytes of a text begin, and how many there are; None where no text stands."""


class _Spelling:
    """What stands around the keys and the data of a notation's records."""

    def __init__(self, notation: Notation) -> None:
        self._notation = notation
        self._alone = notation.mapping(3)
        self._keyed = notation.mapping(4) + self._text("key")
        self.between = lru_cache(1024)(self._between)

    def before(self, key: str | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
        """Return a record without its data."""
        between = self.between(dtype, shape)
        return self._alone + between if key is None else b"".join((self._keyed, self._text(key), between))

    def _between(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
        notation, nbytes = self._notation, Spec(dtype, shape).nbytes
        values = [
            self._text("dtype"),
            self._text(dtype.str),
            self._text("shape"),
            notation.sequence(len(shape)),
        ]
        values += [notation.number(length) for length in shape]
        return b"".join((*values, self._text("data"), notation.binary(nbytes)))

    def _text(self, value: str) -> bytes:
        data = value.encode("utf-8")
        return self._notation.text(len(data)) + data

    def decode_alone(self, data: bytes, spec: Spec) -> Array:
        """Make the array of a record without a key, which must be spelled as it was written."""
        return self._decode(data, 0, self._alone, spec)

    def decode_keyed(self, data: bytes, spec: Spec) -> Array:
        """Make the array of a record with any key, which must be spelled as it was written."""
        if not data.startswith(self._keyed):
            raise CorruptError("the record does not begin with its key")
        found = self._notation.text_at(data, len(self._keyed))
        if found is None:
            raise CorruptError("the record's key is no text")
        return self._decode(data, sum(found), b"", spec)

    def _decode(self, data: bytes, at: int, before: bytes, spec: Spec) -> Array:
        if spec.nbytes > len(data) or any(not 0 <= length < _LONGEST for length in spec.shape):
            raise CorruptError(f"a record of {len(data)} bytes cannot be {spec}")
        expected = before + self.between(spec.dtype, spec.shape)
        if not data.startswith(expected, at):
            raise CorruptError("the record is not an object of the manifest's dtype and shape")
        return array_from(memoryview(data)[at + len(expected) :], spec.dtype, spec.shape)


def _limit(spec: Spec) -> int:
    return spec.nbytes + _SLACK


class _ObjectWriter(ShardWriter):
    """Writes one object a sample."""

    def __init__(self, file: OutputFile, spelling: _Spelling, codec: Codec | None) -> None:
        self._file = file
        self._spelling = spelling
        self._codec = codec
        self._position = 0
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        self.put(key, array)

    def put(self, key: str | None, array: Array) -> Placement:
        """Write an object, without a key where that is None, and say where."""
        before = self._spelling.before(key, array.dtype, array.shape)
        start, payload = self._position, None
        if self._codec is None:
            length, payload = len(before) + array.nbytes, start + len(before)
            self._file.write(before)
            self._file.write(array)
        else:
            frame = self._codec.compress(b"".join((before, pixels(array))))
            length = len(frame)
            self._file.write(frame)
        placement = Placement(start, length, payload)
        self._placements.append(placement)
        self._position += length
        return placement

    def finish(self) -> list[Placement]:
        return self._placements


def _array(record: dict[str, Any]) -> Array:
    """Return what a user's own code would do with an object."""
    return np.ndarray(record["shape"], record["dtype"], record["data"])


class ObjectSerializer(FramedSerializer):
    """Objects one after the other; subclasses say how they are spelled and how their library reads them."""

    abilities = Abilities(raw_payload=True, safe_load=True, portable=True, compressions=FRAME_COMPRESSIONS)
    notation: ClassVar[Notation]

    @abstractmethod
    def objects(self, stream: io.BufferedReader) -> Iterable[dict[str, Any]]:
        """Load one object after the other through the format's own library."""

    def _writer(self, file: OutputFile) -> _ObjectWriter:
        return _ObjectWriter(file, _Spelling(self.notation), self.codec)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a shard of one object a sample."""
        return self._writer(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write one object without a key."""
        return self._writer(file).put(None, array)

    def load(self, path: str | PathLike[str]) -> Array:
        """Load the one object."""
        with self.stream(path) as stream:
            (record,) = self.objects(stream)
        return _array(record)

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load object by object."""
        with self.stream(path) as stream:
            for record in self.objects(stream):
                yield record["key"], _array(record)

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read objects that are spelled as they were written; the format's own library is not used."""
        return RecordReader(file, _Spelling(self.notation).decode_keyed, _limit, self.codec)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one object if it is spelled as it was written."""
        return RecordReader(file, _Spelling(self.notation).decode_alone, _limit, self.codec)
