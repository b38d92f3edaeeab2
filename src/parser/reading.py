"""The bytes of members, read by position in a worker."""

import os
import stat
import zlib
from types import TracebackType
from typing import Final, Self

from ..errors import ReadError
from .members import Member
from .signature import HEAD, require_image
from .unpacking import unpack, unpack_head

__all__ = ["MAX_BYTES", "MemberReader"]

MAX_BYTES: Final = 1 << 30
"""Unpacked bytes of one member that a worker will hold."""

_LOOK_FIRST: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


class MemberReader:
    """Reads members; keeps the last archive open. One for each unit; not for several threads at once.

    Args:
        max_bytes: budget of one member, packed and unpacked.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._path = ""
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive that is open, if any."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._path, self._descriptor = "", -1

    def read(self, member: Member) -> bytes:
        """The unpacked bytes of a member, exactly `member.size`, whose signature is an image's.

        Of members above 1 MiB the beginning is read first, so that what is no image costs nothing.

        Raises:
            NotAnImage: it is none by its signature.
            DecodeError: it is none, but is named like one.
            ReadError: its bytes are gone, changed, cut off, not as long as listed, fail their CRC-32,
                or pass the budget.
        """
        if member.data is not None:
            require_image(member.data[:HEAD], member.key)
            return member.data
        try:
            if member.offset or member.local_header:
                return self._read(self._archive(member.path), member)
            return self._read_file(member)
        except OSError as error:
            raise ReadError(f"cannot be read: {error.strerror or error}") from error
        except MemoryError as error:
            raise ReadError(f"{member.size:,} bytes do not fit into memory") from error
        except (ValueError, OverflowError) as error:  # a NUL in a path, an offset past what files can have
            raise ReadError(f"cannot be read: {error}") from error

    def _archive(self, path: str) -> int:
        if path != self._path or self._descriptor < 0:
            self.close()
            self._descriptor, _ = _open(path)
            self._path = path
        return self._descriptor

    def _read_file(self, member: Member) -> bytes:
        descriptor, size = _open(member.path)
        try:
            if size != member.size:
                raise ReadError(f"changed while reading: {member.size:,} bytes when listed, {size:,} now")
            return self._read(descriptor, member)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, member: Member) -> bytes:
        offset = _behind_local_header(descriptor, member.offset) if member.local_header else member.offset
        packed = member.method != "stored"
        look_first = max(member.size, member.stored) > _LOOK_FIRST
        if look_first:
            head = _pread(descriptor, min(member.stored, 1 << 16 if packed else HEAD), offset)
            if packed:
                head = unpack_head(head, member.method, HEAD)
            if head:  # a bzip2 block can be longer than what was read of it
                require_image(head, member.key)
            if max(member.size, member.stored) > self._max_bytes:
                raise ReadError(f"{member.size:,} bytes; the budget of one image is {self._max_bytes:,}")
        data = _pread(descriptor, member.stored, offset)
        if packed:
            data = unpack(data, member.method, member.size)
        if member.crc is not None and zlib.crc32(data) != member.crc:
            raise ReadError("damaged: its CRC-32 is not the archive's")
        if len(data) != member.size:
            raise ReadError(f"damaged: {len(data):,} bytes, listed with {member.size:,}")
        require_image(data[:HEAD], member.key)
        return data


def _open(path: str) -> tuple[int, int]:
    """Open a regular file, and tell its size; nothing else is opened, waited for or followed."""
    descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ReadError("changed while reading: no regular file any more")
    return descriptor, status.st_size


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    data = os.pread(descriptor, size, offset)
    if len(data) == size:
        return data
    parts = [data]
    have = len(data)
    while data and have < size:  # one call gives 2 GiB at most, and may give less
        data = os.pread(descriptor, size - have, offset + have)
        parts.append(data)
        have += len(data)
    if have < size:
        raise ReadError(f"truncated: {have:,} of {size:,} bytes are there")
    return b"".join(parts)


def _behind_local_header(descriptor: int, offset: int) -> int:
    """Where the data begins behind a zip's local header (APPNOTE.TXT 6.3.10, 4.3.7)."""
    header = _pread(descriptor, 30, offset)
    if header[:4] != b"PK\x03\x04":
        raise ReadError("damaged: no zip header where the central directory says")
    return offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
