"""The bytes of a tar by position: of a plain file, or of a compressed stream that runs forwards only."""

import math
import os
import stat
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..options import RATIO_FROM
from .streams import Packed, Streams, TooLargeWindow

__all__ = [
    "CHUNK",
    "Archive",
    "Blocks",
    "BlocksFile",
    "Damage",
    "FileBlocks",
    "Passing",
    "StreamBlocks",
    "Stretch",
    "open_blocks",
]

CHUNK: Final = 1 << 16
"""Bytes that are searched at a time, and how far back a stream can be read again."""


class Damage(Exception):  # noqa: N818  # becomes an Unreadable entry
    """No more bytes can be had: a corrupt or cut off stream, or an I/O error."""


class Blocks(Protocol):
    """Bytes by position, read forwards."""

    @property
    def position(self) -> int:
        """Where the last read ended."""

    def read(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from `position`; fewer at the end only.

        Raises:
            Damage: they cannot be had.
        """


class Passing:
    """The bytes of a member, to be read from its stream once, and before the listing goes on.

    Args:
        blocks: the stream.
        position: of the first byte.
        size: number of bytes.

    Attributes:
        damage: why they could not be read, where that was tried.
    """

    __slots__ = ("_blocks", "_end", "_position", "damage")

    def __init__(self, blocks: Blocks, position: int, size: int) -> None:
        self._blocks = blocks
        self._position, self._end = position, position + size
        self.damage: Damage | None = None

    def packed(self) -> int | None:
        """Return how many bytes of the packed file were read so far; None where it is not packed."""
        packed: Callable[[], int] | None = getattr(self._blocks, "packed", None)
        return None if packed is None else packed()

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or what is left.

        Raises:
            Damage: they cannot be had.
        """
        if self.damage is not None:
            raise self.damage
        size = min(size, self._end - self._position)
        try:
            data = self._blocks.read(self._position, size)
            if len(data) < size:
                raise Damage(f"cut off {self._end - self._position - len(data):,} bytes before its end")  # noqa: TRY301  # one way out
        except Damage as damage:
            self.damage = damage
            raise
        self._position += size
        return data


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive is, and how its names become keys.

    Attributes:
        path: the file that holds its bytes, alone or among others.
        key: its own.
        prefix: put before those of its members.
        encoding: of names that do not say theirs; None for what they most likely are.
        origin: where in the file its first byte is.
    """

    path: str
    key: str
    prefix: str = ""
    encoding: str | None = None
    origin: int = 0


class FileBlocks:
    """The bytes of a plain file, or of a stretch of one.

    Args:
        descriptor: of the file; closed with this.
        start: where the stretch begins.
        size: its bytes; None for all that follow.

    Attributes:
        descriptor: of the file, whole.
        size: bytes that can be read.

    Raises:
        OSError: it is no regular file.
    """

    def __init__(self, descriptor: int, start: int = 0, size: int | None = None) -> None:
        self.descriptor = descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError("no regular file")
        there = max(status.st_size - start, 0)
        self.size = there if size is None else min(size, there)
        self._start = start
        self.position = 0

    def read(self, position: int, size: int) -> bytes:
        """As Blocks says."""
        if position + size > self.size or position < 0:
            size = self.size - position
            if size <= 0 or position < 0:
                return b""
        try:
            data = os.pread(self.descriptor, size, position + self._start)
        except OSError as error:
            self.position = position
            raise Damage(error.strerror or str(error)) from error
        self.position = position + len(data)
        return data

    def part(self, start: int, size: int) -> "FileBlocks":
        """Return a stretch of these, to be closed on its own."""
        return FileBlocks(os.dup(self.descriptor), self._start + start, size)

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


def open_blocks(path: str) -> FileBlocks:
    """Return the bytes of a plain file.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    return FileBlocks(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))


class BlocksFile:
    """Blocks as a file of packed bytes: those of an archive in an archive.

    Args:
        blocks: read forwards.
        start: where the packed bytes begin.
        size: how many they are.
        packed: tells how many bytes of a file were read for them; None where they stand in it as they are.
    """

    def __init__(
        self, blocks: Blocks, start: int, size: int, packed: Callable[[], int] | None = None
    ) -> None:
        self._blocks = blocks
        self._at, self._end = start, start + size
        self._start = start
        self._packed = packed

    def read(self, size: int) -> bytes:
        """As Packed says."""
        data = self._blocks.read(self._at, min(size, self._end - self._at))
        self._at += len(data)
        return data

    def tell(self) -> int:
        """As Packed says."""
        return self._at - self._start if self._packed is None else self._packed()

    def close(self) -> None:
        """Leave the blocks to whoever opened them."""


class Stretch:
    """A stretch of blocks, which begins at another position.

    Args:
        blocks: the whole.
        start: of the stretch.
        size: of it.
    """

    def __init__(self, blocks: Blocks, start: int, size: int) -> None:
        self._blocks = blocks
        self._start, self._size = start, size

    @property
    def position(self) -> int:
        """As Blocks says."""
        return self._blocks.position - self._start

    def read(self, position: int, size: int) -> bytes:
        """As Blocks says."""
        size = min(size, self._size - position)
        return self._blocks.read(self._start + position, size) if size > 0 else b""


class StreamBlocks:
    """The bytes that a compressed file unpacks to.

    Args:
        file: a path, or packed bytes; closed with this.
        compression: "gzip", "bzip2", "xz" or "zstd".
        max_ratio: bytes that each packed byte may unpack to on the whole.
        whole: number and CRC-32 of all unpacked bytes, held against them where they end.

    Raises:
        MissingLibraryError: zstd, and the library is not installed.
        OSError: it cannot be opened.
    """

    def __init__(
        self,
        file: str | Packed,
        compression: str,
        max_ratio: float = math.inf,
        whole: tuple[int, int] | None = None,
    ) -> None:
        self._file: Packed = Path(file).open("rb") if isinstance(file, str) else file  # noqa: SIM115  # closed by close()
        try:
            self._stream = Streams(self._file, compression)
        except BaseException:
            self._file.close()
            raise
        self._compression = compression
        self._whole, self._crc = whole, 0
        self._max_ratio = max_ratio
        self.position = 0
        self._kept = b""  # the bytes that end at `position`

    def packed(self) -> int:
        """Return how many packed bytes were read."""
        return self._file.tell()

    @property
    def left_over(self) -> int | None:
        """Where packed bytes begin that belong to no stream, once they are met."""
        return self._stream.left_over

    def read(self, position: int, size: int) -> bytes:
        """As Blocks says; what the last read of up to 64 KiB gave can be read again."""
        behind = self.position - position
        if behind > len(self._kept):
            raise ValueError(f"cannot go back {behind} bytes in a stream")
        again = b""
        if behind > 0:
            start = len(self._kept) - behind
            again = self._kept[start : start + size]
            if len(again) == size:
                return again
        while self.position < position:
            self._kept = b""
            if not self._next(min(CHUNK, position - self.position)):
                return b""
        parts = [again]
        missing = size - len(again)
        while missing:
            data = self._next(missing)
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        data = b"".join(parts)
        self._kept = data if size <= CHUNK else b""
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _next(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except TooLargeWindow as error:
            raise Damage(str(error)) from error
        except self._stream.errors as error:
            raise Damage(f"damaged {self._compression} data: {error or type(error).__name__}") from error
        self.position += len(data)
        if self._whole is not None:
            self._crc = zlib.crc32(data, self._crc)
            size, crc = self._whole
            if self.position >= size and (self.position, self._crc) != (size, crc):
                raise Damage("damaged: its CRC-32 is not the archive's")
        if self.position > RATIO_FROM and self.position > self._max_ratio * (packed := self._file.tell()):
            raise Damage(
                f"expands from {packed:,} to more than {self.position:,} bytes;"
                f" the budget is {self._max_ratio:g} times"
            )
        return data
