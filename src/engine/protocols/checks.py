"""Bounds that every safe reader shares: bytes within the file, arrays within their bytes."""

import math
import os
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ...errors import CorruptError
from .base import Array, Placement, ShardReader, Spec
from .frames import Codec

__all__ = ["CheckedFile", "RawReader", "RecordReader", "array_from", "conform", "packed_limit", "pixels"]


_DENSEST = 4  # bytes of an array that a byte of a record can stand for: json's shortest numbers


def pixels(array: Array) -> memoryview:
    """Return the raw bytes of a C-contiguous array of any shape and dtype, without a copy."""
    flat = array.reshape(-1)
    return (flat if flat.dtype == np.uint8 else flat.view(np.uint8)).data


def array_from(buffer: bytes | memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """View a buffer as a read-only array.

    Raises:
        CorruptError: the buffer is not exactly shape x itemsize bytes, or numpy takes no such shape.
    """
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(buffer):
        raise CorruptError(f"{len(buffer)} bytes cannot be an array of shape {shape} and dtype {dtype}")
    try:
        if not buffer:
            return np.empty(shape, dtype)
        return np.frombuffer(buffer, dtype).reshape(shape)
    except (ValueError, MemoryError) as error:
        raise CorruptError(f"no array can have shape {shape}: {error}") from error


def conform(array: Array, spec: Spec) -> Array:
    """Return the array if it is what the manifest says, in native byte order.

    Raises:
        CorruptError: another shape or dtype.
    """
    if array.shape == spec.shape:
        if array.dtype == spec.dtype:
            return array
        if array.dtype.newbyteorder("=") == spec.dtype:
            return array.astype(spec.dtype)
    raise CorruptError(
        f"the record holds shape {array.shape}, dtype {array.dtype}; "
        f"the manifest says shape {spec.shape}, dtype {spec.dtype}"
    )


def packed_limit(nbytes: int) -> int:
    """Return the most bytes that a compression makes of a number of bytes that it cannot make fewer."""
    return nbytes + nbytes // 64 + (1 << 12)


class CheckedFile:
    """Reads byte ranges of an open file and refuses those that leave it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._size: int | None = None

    @property
    def size(self) -> int:
        """Size of the file in bytes, measured once."""
        if self._size is None:
            self._size = self.file.seek(0, os.SEEK_END)
        return self._size

    def bytes(self, start: int, length: int) -> bytes:
        """Read `length` bytes from `start`.

        Raises:
            CorruptError: the range is not within the file.
        """
        if start < 0 or length < 0 or start + length > self.size:
            raise CorruptError(f"bytes {start} to {start + length} are outside the file of {self.size} bytes")
        self.file.seek(start)
        try:
            data = self.file.read(length)
        except MemoryError as error:
            raise CorruptError(f"{length} bytes are more than memory holds") from error
        if len(data) != length:
            raise CorruptError(f"the file ended {length - len(data)} bytes too early")
        return data


class RecordReader(ShardReader):
    """Reads records that are byte ranges, each perhaps one compressed frame.

    Args:
        file: the open file.
        decode: makes the array from a record's bytes; anything wrong is a CorruptError.
        limit: the most bytes a record of a spec can take before compression.
        codec: the compression of each record.
    """

    def __init__(
        self,
        file: BinaryIO,
        decode: Callable[[bytes, Spec], Array],
        limit: Callable[[Spec], int],
        codec: Codec | None = None,
    ) -> None:
        self._file = CheckedFile(file)
        self._decode = decode
        self._limit = limit
        self._codec = codec

    def read(self, placement: Placement, spec: Spec) -> Array:
        """Read, expand and decode the record at a placement."""
        limit = self._limit(spec)
        if placement.length > (limit if self._codec is None else packed_limit(limit)):
            raise CorruptError(
                f"a record of {placement.length} bytes is too long for an array of {spec.nbytes}"
            )
        data = self._file.bytes(placement.start, placement.length)
        if self._codec is not None:
            if spec.nbytes > _DENSEST * self._codec.max_ratio * len(data):
                raise CorruptError(f"a frame of {len(data)} bytes cannot hold an array of {spec.nbytes}")
            # lz4's library takes all that it is allowed at once.
            data = self._codec.expand(data, min(limit, self._codec.max_ratio * len(data)))
        return conform(self._decode(data, spec), spec)


class RawReader(ShardReader):
    """Reads records that are an array's raw bytes and nothing else.

    Args:
        file: the open file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = CheckedFile(file)

    def read(self, placement: Placement, spec: Spec) -> Array:
        """Read the bytes at a placement."""
        if placement.length != spec.nbytes:
            raise CorruptError(f"a record of {placement.length} bytes cannot be {spec}")
        data = self._file.bytes(placement.start, placement.length)
        return conform(array_from(data, spec.dtype, spec.shape), spec)
