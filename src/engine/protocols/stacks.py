"""What the stacked containers share: samples gathered into one stack for each shape and dtype."""

import contextlib
import math
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import MemberError
from .base import Array, OutputFile
from .checks import pixels

__all__ = ["Stack", "Stacks", "StreamedStack", "group_name"]

_MAX_DIMENSIONS = 31  # HDF5 takes 32, and the stack adds one
_FIRST = 1 << 18  # bytes
_HUGE_FROM = 1 << 22  # bytes


def group_name(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Return the name of the group of a shape and dtype: `240x320x3-uint8`, for 0-d arrays `scalar-uint8`."""
    return f"{'x'.join(map(str, shape)) or 'scalar'}-{dtype.name}"


class Stack:
    """Samples of one shape and dtype, one behind the other in a buffer that grows in place.

    Pages of the buffer take memory when they are first written, so a stack of one sample costs one sample.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if len(shape) > _MAX_DIMENSIONS:
            raise MemberError(f"HDF5 cannot stack arrays of {len(shape)} dimensions")
        self.name = group_name(shape, dtype)
        self.shape = shape
        self.dtype = dtype
        self.keys: list[bytes] = []
        self._buffer: mmap.mmap | None = None
        self._used = 0

    @property
    def sample_bytes(self) -> int:
        """Size of one sample in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def add(self, key: str, array: Array) -> int:
        """Append a sample and return its row."""
        name = key.encode("utf-8")
        if array.nbytes:
            self._append(array)
        self.keys.append(name)
        return len(self.keys) - 1

    def _append(self, array: Array) -> None:
        end = self._used + array.nbytes
        buffer = self._room(end)
        buffer[self._used : end] = pixels(array)
        self._used = end

    def images(self) -> Array:
        """Return the stack, shape (N, *shape); a view of the buffer."""
        shape = (len(self.keys), *self.shape)
        if self._buffer is None:
            return np.empty(shape, self.dtype)
        return np.frombuffer(self._buffer, self.dtype, self._used // self.dtype.itemsize).reshape(shape)

    def key_array(self) -> Array:
        """Return the keys as UTF-8, shape (N,), dtype S as long as the longest."""
        return np.array(self.keys)

    def release(self) -> None:
        """Leave the buffer to a later stack; views of it must be gone."""
        if self._buffer is not None:
            _give_back(self._buffer)
            self._buffer = None

    def _room(self, size: int) -> mmap.mmap:
        old = self._buffer
        if old is None:
            self._buffer = _take(max(size, _FIRST))
        elif size > len(old):
            wanted = max(size, 2 * len(old))
            try:
                old.resize(wanted)
                _prefer_huge_pages(old)
            except (OSError, SystemError):
                # Only Linux moves a mapping without copying it.
                self._buffer = _anonymous(wanted)
                self._buffer[: self._used] = old[: self._used]
        assert self._buffer is not None
        return self._buffer


class StreamedStack(Stack):
    """A stack whose samples go to the file as they come, one behind the other; none is held."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], file: OutputFile) -> None:
        super().__init__(shape, dtype)
        self._file = file

    def _append(self, array: Array) -> None:
        self._file.write(pixels(array))


# One buffer survives its shard: fresh pages cost more than the copy into them. Lists pop atomically.
_spare: list[mmap.mmap] = []
_MAX_SPARE = 1 << 26  # bytes


def _take(size: int) -> mmap.mmap:
    with contextlib.suppress(IndexError):
        buffer = _spare.pop()
        if len(buffer) >= size:
            return buffer
    return _anonymous(size)


def _give_back(buffer: mmap.mmap) -> None:
    if len(buffer) <= _MAX_SPARE and (not _spare or len(buffer) > len(_spare[0])):
        _spare[:] = [buffer]


def _anonymous(size: int) -> mmap.mmap:
    buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _prefer_huge_pages(buffer)
    return buffer


def _prefer_huge_pages(buffer: mmap.mmap) -> None:
    if len(buffer) >= _HUGE_FROM and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            buffer.madvise(mmap.MADV_HUGEPAGE)


class Stacks:
    """The stacks of one shard, in order of first appearance.

    Attributes:
        records: the stack of each sample, and its row there.
        streamed: the first stack where `stream` was called.
    """

    def __init__(self) -> None:
        self._stacks: dict[tuple[tuple[int, ...], np.dtype[Any]], Stack] = {}
        self.records: list[tuple[Stack, int]] = []
        self.streamed: StreamedStack | None = None

    def stream(self, array: Array, file: OutputFile) -> None:
        """Write the samples that are like this one to the file, from its position on, as they come."""
        self.streamed = StreamedStack(array.shape, array.dtype, file)
        self._stacks = {(array.shape, array.dtype): self.streamed}

    def add(self, key: str, array: Array) -> None:
        """Append a sample to the stack of its shape and dtype."""
        kind = (array.shape, array.dtype)
        stack = self._stacks.get(kind)
        if stack is None:
            stack = self._stacks[kind] = Stack(*kind)
        self.records.append((stack, stack.add(key, array)))

    def release(self) -> None:
        """Leave the buffers to later shards once the file is written."""
        for stack in self._stacks.values():
            stack.release()

    def __iter__(self) -> Iterator[Stack]:
        return iter(self._stacks.values())
