"""The images of a zip archive, from its central directory (APPNOTE.TXT 6.3.10)."""

import calendar
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..errors import ArchiveError
from .members import Entry, Member, Method, NotImage, Unreadable
from .names import key_of_bytes, place

__all__ = ["ZIP_ERROR", "Directory", "find_directory", "list_zip"]

ZIP_ERROR: Final = "ZipError"

_ENTRY: Final = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_SIGNATURE: Final = b"PK\x01\x02"
_END: Final = b"PK\x05\x06"
_ADVICE: Final = "fetch it again, or try zip -FF"
_CHUNK: Final = 1 << 20
_LONGEST: Final = _ENTRY.size + 3 * 0xFFFF
_METHODS: Final[dict[int, Method]] = {0: "stored", 8: "deflate", 12: "bzip2", 14: "lzma"}
_METHOD_NAMES: Final = {1: "shrink", 6: "implode", 9: "deflate64", 93: "zstd", 95: "xz", 98: "PPMd"}
_FULL: Final = 0xFFFFFFFF
_SPECIAL: Final = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}


@dataclass(frozen=True, slots=True)
class Directory:
    """Where a zip's central directory is.

    Attributes:
        offset: its first byte in the file.
        size: its bytes.
        count: the entries that it should hold.
        shift: bytes that stand before the zip's own first byte (a self-extracting program).
    """

    offset: int
    size: int
    count: int
    shift: int


def find_directory(descriptor: int, name: str) -> Directory:
    """The central directory of an open zip file.

    Raises:
        ArchiveError: there is none, or it cannot be where its end record says.
    """
    length = os.fstat(descriptor).st_size
    tail_at = max(length - 22 - 0xFFFF, 0)
    tail = os.pread(descriptor, length - tail_at, tail_at)
    at = tail.rfind(_END)
    while at >= 0 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") > len(tail):
        at = tail.rfind(_END, 0, at)
    if at < 0:
        raise ArchiveError(f"{name}: a zip without its central directory, cut off perhaps: {_ADVICE}")
    disk, first, here, count, size, offset = struct.unpack_from("<4H2I", tail, at + 4)
    end = tail_at + at
    if end >= 20:
        locator = os.pread(descriptor, 20, end - 20)
        if locator[:4] == b"PK\x06\x07":
            end, disk, first, here, count, size, offset = _zip64_end(descriptor, end, locator, name)
    if disk or first or here != count:
        raise ArchiveError(f"{name}: one part of a zip in several: join the parts first (zip -s 0)")
    shift = end - size - offset
    if shift < 0:
        raise ArchiveError(f"{name}: a zip with a damaged end record: {_ADVICE}")
    return Directory(end - size, size, count, shift)


def _zip64_end(
    descriptor: int, end: int, locator: bytes, name: str
) -> tuple[int, int, int, int, int, int, int]:
    """The zip64 end record: its position, and the fields that it overrides."""
    for at in (int.from_bytes(locator[8:16], "little"), end - 20 - 56):
        # Bytes before the zip shift the record; it then stands just before its locator.
        record = os.pread(descriptor, 56, at) if 0 <= at < end else b""
        if len(record) == 56 and record[:4] == b"PK\x06\x06":
            return at, *struct.unpack_from("<2I4Q", record, 16)
    raise ArchiveError(f"{name}: a zip with a damaged zip64 record: {_ADVICE}")


def list_zip(path: str, prefix: str = "") -> Iterator[Entry]:
    """The entries of a zip, in the order of its central directory, which is read in pieces.

    Members say where their local header is (`local_header`); the reader finds the data behind it.

    Raises:
        ArchiveError: there is no central directory.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        where = find_directory(descriptor, path)
        yield from _Listing(descriptor, path, prefix, where)
    finally:
        os.close(descriptor)


class _Listing:
    """Iterates over the entries of a central directory."""

    def __init__(self, descriptor: int, path: str, prefix: str, where: Directory) -> None:
        self._descriptor = descriptor
        self._path = path
        self._prefix = prefix
        self._where = where

    def __iter__(self) -> Iterator[Entry]:
        where = self._where
        position, end = where.offset, where.offset + where.size
        buffer, at, seen = b"", 0, 0
        while position + at < end:
            if len(buffer) - at < _LONGEST and position + len(buffer) < end:
                position += at
                try:
                    buffer = os.pread(self._descriptor, min(_CHUNK, end - position), position)
                except OSError as error:
                    yield self._damage(position, error.strerror or str(error))
                    return
                at = 0
            if buffer[at : at + 4] != _SIGNATURE or at + _ENTRY.size > len(buffer):
                yield self._damage(position + at, "damaged central directory")
                # An entry begins at the next signature, or a chunk further on.
                found = buffer.find(_SIGNATURE, at + 1)
                at = found if found >= 0 else max(len(buffer) - 3, at + 1)
                if found < 0 and position + len(buffer) >= end:
                    return
                continue
            fields = _ENTRY.unpack_from(buffer, at)
            names, extras, comments = fields[10:13]
            start = at + _ENTRY.size
            name = buffer[start : start + names]
            extra = buffer[start + names : start + names + extras]
            following = start + names + extras + comments
            if following > len(buffer):
                yield self._damage(position + at, "central directory cut off in an entry")
                return
            seen += 1
            entry = self._entry(fields, name, extra, position + at)
            at = following
            if entry is not None:
                yield entry
        if seen != where.count:
            message = f"central directory holds {seen:,} entries, not {where.count:,} as its end record says"
            yield self._damage(end, message)

    def _damage(self, position: int, message: str) -> Unreadable:
        return Unreadable(place(self._path, position, self._prefix), ZIP_ERROR, message)

    def _entry(self, fields: tuple[int, ...], name: bytes, extra: bytes, position: int) -> Entry | None:
        _, made_by, _, flags, code, time, date, crc, stored, size, *_, attributes, offset = fields
        mtime_ns = _dos_time(date, time)
        if extra or _FULL in {stored, size, offset}:
            try:
                stored, size, offset, name, flags, mtime_ns = _extras(
                    extra, stored, size, offset, name, flags, mtime_ns
                )
            except (ValueError, struct.error) as error:
                return self._damage(position, f"damaged extra fields: {error}")
        if not name.isascii() and not flags & 0x800:
            name = name.decode("cp437").encode()
        if name.endswith(b"/"):
            return None
        key = key_of_bytes(name, self._prefix)
        if not key:
            return self._damage(position, "an entry without a name")
        unix = stat.S_IFMT(attributes >> 16) if made_by >> 8 == 3 else 0
        if unix not in {0, stat.S_IFREG}:
            return None if unix == stat.S_IFDIR else NotImage(key, _SPECIAL.get(unix, "special file"))
        if flags & 1:
            return Unreadable(key, ZIP_ERROR, "encrypted: decrypt the archive first")
        method = _METHODS.get(code)
        if method is None:
            named = _METHOD_NAMES.get(code, "unknown")
            return Unreadable(key, ZIP_ERROR, f"compressed by method {code} ({named}): pack it by deflate")
        offset += self._where.shift
        if offset + 30 + stored > self._where.offset:
            return Unreadable(key, ZIP_ERROR, "truncated: its bytes are not in the archive")
        if method == "stored" and stored != size:
            return Unreadable(key, ZIP_ERROR, f"stored bytes of two sizes: {stored:,} and {size:,}")
        return Member(key, self._path, offset, stored, size, mtime_ns, method, crc, None, local_header=True)


def _extras(
    extra: bytes, stored: int, size: int, offset: int, name: bytes, flags: int, mtime_ns: int
) -> tuple[int, int, int, bytes, int, int]:
    """What the extra fields say better: zip64 sizes, a Unicode name, a time with a time zone."""
    at = 0
    wide = False
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        data = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if len(data) < length:
            break  # padding by alignment tools
        if kind == 0x0001 and not wide:
            wide = True
            values = iter(struct.unpack_from(f"<{length // 8}Q", data))
            size = next(values, size) if size == _FULL else size
            stored = next(values, stored) if stored == _FULL else stored
            offset = next(values, offset) if offset == _FULL else offset
        elif kind == 0x5455 and length >= 5 and data[0] & 1:
            mtime_ns = int.from_bytes(data[1:5], "little", signed=True) * 1_000_000_000
        elif kind == 0x7075 and data[:5] == b"\1" + zlib.crc32(name).to_bytes(4, "little"):
            name, flags = data[5:], flags | 0x800
    if _FULL in {stored, size, offset} and not wide:
        raise ValueError("no zip64 sizes")
    if max(stored, size, offset) >= 1 << 62:
        raise ValueError("an impossible size")
    return stored, size, offset, name, flags, mtime_ns


@lru_cache(maxsize=1024)
def _dos_time(date: int, time: int) -> int:
    """A DOS date and time, which know no time zone, as ns since the epoch in UTC; 0 if they are none."""
    year, month, day = 1980 + (date >> 9), date >> 5 & 15, date & 31
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return 0
    return calendar.timegm((year, month, day, time >> 11, time >> 5 & 63, (time & 31) * 2)) * 1_000_000_000
