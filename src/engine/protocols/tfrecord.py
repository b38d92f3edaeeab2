"""tfrecord: a tf.train.Example a sample, with the features key, dtype, shape and data.

Formats: TFRecord frames (a length, its checksum, the bytes, theirs: CRC-32C, masked); Protocol Buffers for
what is in them. `data`, the array's raw bytes, comes last, so that only a checksum follows it. Nothing is
compressed: the format packs whole files, of which no record could be read alone.
"""

import struct
from collections.abc import Iterator
from functools import lru_cache
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError, MemberError
from .base import Abilities, Array, OutputFile, Placement, Serializer, ShardReader, ShardWriter, Spec
from .checks import RecordReader, array_from, pixels
from .optional import library
from .thrift import varint

__all__ = ["TfrecordSerializer"]

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
_FRAME = _LENGTH.size + _CHECKSUM.size  # bytes before an example
_AROUND = _FRAME + _CHECKSUM.size
_MASK = 0xA282EAD8
_MOST = (1 << 31) - 1  # bytes of an example: Protocol Buffers take no longer message
_SLACK = 1 << 20  # room for the key and the names around the data
_LONGEST = 1 << 63

# What stands before a length: field 1 of a message, the list of whole numbers of a Feature.
_FIRST, _NUMBERS = b"\x0a", b"\x1a"


def _named(name: str) -> bytes:
    """Return what stands before a Feature's length in the entry of a name."""
    return b"".join((_FIRST, varint(len(name)), name.encode("ascii"), b"\x12"))


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise CorruptError("a length has no end")


def _around(size: int, *openings: bytes) -> bytes:
    """Return what stands before a value in messages inside each other, the innermost first."""
    head = b""
    for opening in openings:
        head = b"".join((opening, varint(size + len(head)), head))
    return head


def _bytes_feature(name: str, size: int) -> bytes:
    """Return what stands before a feature whose one value has `size` bytes."""
    return _around(size, _FIRST, _FIRST, _named(name), _FIRST)


@lru_cache(1024)
def _after_key(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the features between a key and an array's bytes."""
    kind, lengths = dtype.str.encode("ascii"), b"".join(map(varint, shape))
    packed = (_FIRST,) if shape else ()
    shape_head = _around(len(lengths), *packed, _NUMBERS, _named("shape"), _FIRST)
    data_head = _bytes_feature("data", Spec(dtype, shape).nbytes)
    return b"".join((_bytes_feature("dtype", len(kind)), kind, shape_head, lengths, data_head))


def _before_data(key: bytes | None, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return an example up to its array's bytes."""
    features = _after_key(dtype, shape)
    if key is not None:
        features = b"".join((_bytes_feature("key", len(key)), key, features))
    return _around(len(features) + Spec(dtype, shape).nbytes, _FIRST) + features


def _key_in(record: bytes) -> bytes:
    """Return the bytes of a key, which comes first."""
    at, size = _FRAME, 0
    for opening in (_FIRST, _FIRST, _named("key"), _FIRST, _FIRST):
        if not record.startswith(opening, at):
            raise CorruptError("the example does not begin with its key")
        size, at = _varint_at(record, at + len(opening))
    return record[at : at + size]


def _masked(checksum: int) -> bytes:
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return _CHECKSUM.pack((turned + _MASK) & 0xFFFFFFFF)


class _Records(ShardWriter):
    """Writes one record a sample."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._crc = library("crc32c").crc32c
        self._position = 0
        self._placements: list[Placement] = []

    def add(self, key: str, array: Array) -> None:
        self.put(key.encode("utf-8"), array)

    def put(self, key: bytes | None, array: Array) -> Placement:
        """Write a record, without a key where that is None, and say where."""
        before = _before_data(key, array.dtype, array.shape)
        size = len(before) + array.nbytes
        if size > _MOST:
            raise MemberError(f"a tf.train.Example takes at most {_MOST} bytes, and this one would be {size}")
        length = _LENGTH.pack(size)
        head = b"".join((length, _masked(self._crc(length)), before))
        self._file.write(head)
        self._file.write(array)
        self._file.write(_masked(self._crc(pixels(array), self._crc(before))))
        start, whole = self._position, len(head) + array.nbytes + _CHECKSUM.size
        placement = Placement(start, whole, start + len(head))
        self._placements.append(placement)
        self._position += whole
        return placement

    def finish(self) -> list[Placement]:
        return self._placements


def _limit(spec: Spec) -> int:
    return spec.nbytes + _SLACK


def _decode(data: bytes, spec: Spec, *, keyed: bool) -> Array:
    """Make the array of a record, which must be spelled as it was written."""
    size = len(data) - _AROUND
    if size < spec.nbytes or any(not 0 <= length < _LONGEST for length in spec.shape):
        raise CorruptError(f"a record of {len(data)} bytes cannot be {spec}")
    crc, example = library("crc32c").crc32c, memoryview(data)[_FRAME : _FRAME + size]
    length = _LENGTH.pack(size)
    if data[:_FRAME] != length + _masked(crc(length)):
        raise CorruptError("the record's length is another, or its checksum differs")
    if data[_FRAME + size :] != _masked(crc(example)):
        raise CorruptError("the record's checksum differs")
    before = _before_data(_key_in(data) if keyed else None, spec.dtype, spec.shape)
    if not data.startswith(before, _FRAME) or len(before) + spec.nbytes != size:
        raise CorruptError("the record is not an example of the manifest's dtype and shape")
    return array_from(example[len(before) :], spec.dtype, spec.shape)


def _decode_keyed(data: bytes, spec: Spec) -> Array:
    return _decode(data, spec, keyed=True)


def _decode_alone(data: bytes, spec: Spec) -> Array:
    return _decode(data, spec, keyed=False)


_SINGLE = """\
(record,) = tfrecord.reader.tfrecord_loader("{file}", None)
array = numpy.ndarray(record["shape"], record["dtype"].decode(), record["data"])
"""
_SAMPLES = """\
samples = {{}}
for record in tfrecord.reader.tfrecord_loader("{file}", None):
    key, dtype = record["key"].decode(), record["dtype"].decode()
    samples[key] = numpy.ndarray(record["shape"], dtype, record["data"])
"""


class TfrecordSerializer(Serializer):
    """TensorFlow's files of records."""

    name = "tfrecord"
    suffix = ".tfrecord"
    abilities = Abilities(raw_payload=True, safe_load=True, portable=True)

    def writer(self, file: OutputFile) -> ShardWriter:
        """Start a file of an example a sample; one of 2 GiB or more is a MemberError."""
        return _Records(file)

    def dump(self, array: Array, file: OutputFile) -> Placement:
        """Write one example without a key."""
        return _Records(file).put(None, array)

    def load(self, path: str | PathLike[str]) -> Array:
        """Load the one example with `tfrecord.reader.tfrecord_loader`, which compares no checksums."""
        (record,) = library("tfrecord.reader").tfrecord_loader(path, None)
        return self._array(record)

    def load_shard(self, path: str | PathLike[str]) -> Iterator[tuple[str | None, Array]]:
        """Load example by example with `tfrecord.reader.tfrecord_loader`, which compares no checksums."""
        for record in library("tfrecord.reader").tfrecord_loader(path, None):
            yield record["key"].decode("utf-8"), self._array(record)

    @staticmethod
    def _array(record: dict[str, Any]) -> Array:
        return np.ndarray(record["shape"], record["dtype"].decode("ascii"), record["data"])

    def lines(self, file: str, *, single: bool) -> str:
        """Iterate over `tfrecord.reader.tfrecord_loader`."""
        body = (_SINGLE if single else _SAMPLES).format(file=file)
        return f"import numpy, tfrecord.reader\n\n{body}"

    def shard_reader(self, file: BinaryIO) -> ShardReader:
        """Read records that are spelled as they were written and whose checksums agree."""
        return RecordReader(file, _decode_keyed, _limit)

    def single_reader(self, file: BinaryIO) -> ShardReader:
        """Read the one record if it is spelled as it was written and its checksums agree."""
        return RecordReader(file, _decode_alone, _limit)
