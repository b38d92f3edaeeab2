"""The images of a zip archive, from its central directory (APPNOTE.TXT 6.3.10)."""

import calendar
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from typing import Final

from ...errors import ReadError
from .blocks import Archive, Damage, FileBlocks, open_blocks
from .members import Entry, Link, Member, Method, NotImage, Unreadable
from .names import key_of_text, own_key, place, text_of_bytes
from .reading import read_whole
from .zipdirectory import ENTRY, ENTRY_SIGNATURE, FULL, LOCAL_SIGNATURE, Directory, find_directory

__all__ = ["ZIP_ERROR", "list_zip", "zip_entries"]

ZIP_ERROR: Final = "ZipError"

_CHUNK: Final = 1 << 20
_LONGEST: Final = ENTRY.size + 3 * 0xFFFF
_METHODS: Final[dict[int, Method]] = {
    0: "stored",
    8: "deflate",
    12: "bzip2",
    14: "lzma",
    20: "zstd",  # its number before 6.3.8
    93: "zstd",
    95: "xz",
}
_METHOD_NAMES: Final = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    94: "MP3",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES",
}
_UTF8: Final = 0x800  # the flag of a name in UTF-8
_UNIX: Final = {3, 19}  # hosts whose attributes hold a file's mode: Unix, macOS
_BACKSLASHES: Final = {0, 6, 10, 14}  # hosts where a name's folders end with them: FAT, HPFS, NTFS, VFAT
_SPECIAL: Final = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
_LONGEST_TARGET: Final = 4096  # bytes, as Linux has it
_AGAIN: Final = "unpack it with 7z and give the folder"


def list_zip(path: str, prefix: str = "", encoding: str | None = None) -> Iterator[Entry]:
    """Yield the entries of a zip, in the order of its central directory, which is read in pieces.

    Members say where their local header is (`local_header`); the reader finds the data behind it.

    Args:
        path: the file.
        prefix: put before every key.
        encoding: of names that are not marked as UTF-8; None for UTF-8 where they are that, else code page
            437, which the format's authors meant.

    Raises:
        ArchiveError: there is no central directory.
    """
    archive = Archive(path, own_key(path, prefix), prefix, encoding)
    with closing(open_blocks(path)) as blocks:
        yield from zip_entries(blocks, archive, find_directory(blocks, path))


def zip_entries(blocks: FileBlocks, archive: Archive, where: Directory) -> Iterator[Entry]:
    """Yield the entries of a zip whose bytes are open and whose directory was found."""
    if where.shift and not where.wraps and blocks.read(0, 4) == LOCAL_SIGNATURE:
        message = (
            f"another zip, joined or cut off, stands before this one: its {where.shift:,} bytes are lost"
        )
        yield Unreadable(place(archive.key, 0), ZIP_ERROR, message)
    yield from _Listing(blocks, archive, where)


class _Listing:
    """Iterates over the entries of a central directory."""

    def __init__(self, blocks: FileBlocks, archive: Archive, where: Directory) -> None:
        self._blocks = blocks
        self._path, self._key, self._origin = archive.path, archive.key, archive.origin
        self._prefix, self._encoding = archive.prefix, archive.encoding
        self._where = where
        self._shift = 0 if where.wraps else where.shift
        self._end = 0  # of the entry before

    def __iter__(self) -> Iterator[Entry]:
        where = self._where
        position, end = where.offset, where.offset + where.size
        buffer, at, seen = b"", 0, 0
        while position + at < end:
            if len(buffer) - at < _LONGEST and position + len(buffer) < end:
                position += at
                try:
                    buffer = self._blocks.read(position, min(_CHUNK, end - position))
                except Damage as damage:
                    yield self._damage(position, str(damage))
                    return
                at = 0
            if buffer[at : at + 4] != ENTRY_SIGNATURE or at + ENTRY.size > len(buffer):
                yield self._damage(position + at, "damaged central directory")
                # An entry begins at the next signature, or a chunk further on.
                found = buffer.find(ENTRY_SIGNATURE, at + 1)
                at = found if found >= 0 else max(len(buffer) - 3, at + 1)
                if found < 0 and position + len(buffer) >= end:
                    return
                continue
            fields = ENTRY.unpack_from(buffer, at)
            names, extras, comments = fields[10:13]
            start = at + ENTRY.size
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
        if not where.holds(seen):
            message = f"central directory holds {seen:,} entries, not {where.count:,} as its end record says"
            yield self._damage(end, message)

    def _damage(self, position: int, message: str) -> Unreadable:
        return Unreadable(place(self._key, position), ZIP_ERROR, message)

    def _entry(self, fields: tuple[int, ...], name: bytes, extra: bytes, position: int) -> Entry | None:
        _, made_by, _, flags, code, time, date, crc, stored, size, *_, attributes, offset = fields
        mtime_ns = _dos_time(date, time)
        if extra or FULL in {stored, size, offset}:
            try:
                stored, size, offset, name, flags, mtime_ns = _extras(
                    extra, stored, size, offset, name, flags, mtime_ns
                )
            except (ValueError, struct.error) as error:
                return self._damage(position, f"damaged extra fields: {error}")
        host = made_by >> 8
        text = self._text(name, flags, host)
        key = key_of_text(text, self._prefix)
        unix = stat.S_IFMT(attributes >> 16) if host in _UNIX else 0
        if text.endswith("/") or unix == stat.S_IFDIR:
            return NotImage(key, f"folder, with {size:,} bytes of its own") if size and key else None
        if not key:
            return self._damage(position, "an entry without a name")
        if unix not in {0, stat.S_IFREG, stat.S_IFLNK}:
            return NotImage(key, _SPECIAL.get(unix, "special file"))
        if flags & 1:
            return Unreadable(
                key, ZIP_ERROR, "encrypted: unpack it with its password (7z x) and give the folder"
            )
        method = _METHODS.get(code)
        if method is None:
            named = _METHOD_NAMES.get(code, "unknown")
            return Unreadable(key, ZIP_ERROR, f"compressed by method {code} ({named}): {_AGAIN}")
        offset = self._place(offset, stored)
        if offset + 30 + stored > self._where.offset:
            return Unreadable(key, ZIP_ERROR, "truncated: its bytes are not in the archive")
        if method == "stored" and stored != size:
            return Unreadable(key, ZIP_ERROR, f"stored bytes of two sizes: {stored:,} and {size:,}")
        member = Member(
            key, self._path, offset + self._origin, stored, size, mtime_ns, method, crc, local_header=True
        )
        return member if unix != stat.S_IFLNK else self._link(member)

    def _link(self, member: Member) -> Link | Unreadable:
        """Return the link whose target is what a member holds."""
        if max(member.size, member.stored) > _LONGEST_TARGET:
            return Unreadable(member.key, ZIP_ERROR, f"a symbolic link of {member.size:,} bytes")
        try:
            target = read_whole(self._blocks.descriptor, member)
        except (ReadError, OSError) as error:
            return Unreadable(member.key, ZIP_ERROR, f"a symbolic link that cannot be read: {error}")
        return Link(member.key, text_of_bytes(target, self._encoding), hard=False, within=self._prefix)

    def _text(self, name: bytes, flags: int, host: int) -> str:
        """Return a name in the encoding that its entry, or the user, says it has."""
        if name.isascii() and host not in _BACKSLASHES and self._encoding is None:
            return name.decode()
        if flags & _UTF8:
            encodings = ["utf-8"]
        else:
            encodings = [self._encoding, "utf-8"] if self._encoding is not None else ["utf-8", "cp437"]
        for encoding in encodings:
            try:
                text = name.decode(encoding)
            except UnicodeError:
                continue
            if host in _BACKSLASHES and "/" not in text:
                return text.replace("\\", "/")
            return text
        return name.decode("utf-8", "backslashreplace")

    def _place(self, offset: int, stored: int) -> int:
        """Return where in the file a local header is that the directory gives."""
        if self._where.wraps:  # entries follow each other, so that the missing bits can be told
            while offset < self._end:
                offset += FULL + 1
            self._end = offset + 30 + stored
        return offset + self._shift


def _extras(
    extra: bytes, stored: int, size: int, offset: int, name: bytes, flags: int, mtime_ns: int
) -> tuple[int, int, int, bytes, int, int]:
    """Return what extra fields override: zip64 sizes, a Unicode name, a time with a time zone."""
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
            size = next(values, size) if size == FULL else size
            stored = next(values, stored) if stored == FULL else stored
            offset = next(values, offset) if offset == FULL else offset
        elif kind == 0x5455 and length >= 5 and data[0] & 1:
            mtime_ns = int.from_bytes(data[1:5], "little", signed=True) * 1_000_000_000
        elif kind == 0x7075 and data[:5] == b"\1" + zlib.crc32(name).to_bytes(4, "little"):
            name, flags = data[5:], flags | _UTF8
    if FULL in {stored, size, offset} and not wide:
        raise ValueError("no zip64 sizes")
    if max(stored, size, offset) >= 1 << 62:
        raise ValueError("an impossible size")
    return stored, size, offset, name, flags, mtime_ns


@lru_cache(maxsize=1024)
def _dos_time(date: int, time: int) -> int:
    """Return a DOS date and time, which have no time zone, in ns since the epoch; 0 if they are invalid."""
    year, month, day = 1980 + (date >> 9), date >> 5 & 15, date & 31
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return 0
    return calendar.timegm((year, month, day, time >> 11, time >> 5 & 63, (time & 31) * 2)) * 1_000_000_000
