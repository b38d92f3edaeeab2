"""The bytes of a tar by position: of a plain file, or of a compressed stream that runs forwards only."""

import math
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from .options import RATIO_FROM
from .streams import Packed, Streams, TooLargeWindow

__all__ = ["CHUNK", "Blocks", "Damage", "FileBlocks", "Passing", "StreamBlocks"]

CHUNK: Final = 1 << 16
"""Bytes that are searched at a time, and how far back a stream can be read again."""


class Damage(Exception):  # noqa: N818  # becomes an Unreadable entry
    """No more bytes can be had: a corrupt or cut off stream, or an I/O error."""


class Blocks(Protocol):
    """Bytes by position, read forwards."""

    position: int
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

    def read(self, size: int) -> bytes:
        """The next `size` bytes, or what is left.

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


class FileBlocks:
    """The bytes of a plain file.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError("no regular file")
        self.size = status.st_size
        self.position = 0

    def read(self, position: int, size: int) -> bytes:
        """As Blocks says."""
        if position >= self.size:
            return b""
        try:
            data = os.pread(self._descriptor, size, position)
        except OSError as error:
            self.position = position
            raise Damage(error.strerror or str(error)) from error
        self.position = position + len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class StreamBlocks:
    """The bytes that a compressed file unpacks to.

    Args:
        file: a path, or packed bytes; closed with this.
        compression: "gzip", "bzip2", "xz" or "zstd".
        max_ratio: bytes that each packed byte may unpack to on the whole.

    Raises:
        MissingLibraryError: zstd, and the library is not installed.
        OSError: it cannot be opened.
    """

    def __init__(self, file: str | Packed, compression: str, max_ratio: float = math.inf) -> None:
        self._file: Packed = Path(file).open("rb") if isinstance(file, str) else file  # noqa: SIM115  # closed by close()
        try:
            self._stream = Streams(self._file, compression)
        except BaseException:
            self._file.close()
            raise
        self._compression = compression
        self._max_ratio = max_ratio
        self.position = 0
        self._kept = b""  # the bytes that end at `position`

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
        if self.position > RATIO_FROM and self.position > self._max_ratio * (packed := self._file.tell()):
            raise Damage(
                f"expands from {packed:,} to more than {self.position:,} bytes;"
                f" the budget is {self._max_ratio:g} times"
            )
        return data
