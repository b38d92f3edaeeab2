"""Where the central directory of a zip is (APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...errors import ArchiveError
from .blocks import FileBlocks

__all__ = [
    "ENTRY",
    "ENTRY_SIGNATURE",
    "FULL",
    "LOCAL_SIGNATURE",
    "ZIP_MAGIC",
    "Directory",
    "find_directory",
    "holds_zip",
]

ENTRY: Final = struct.Struct("<4s6H3I5H2I")  # 4.3.12
ENTRY_SIGNATURE: Final = b"PK\x01\x02"
LOCAL_SIGNATURE: Final = b"PK\x03\x04"
ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins: with a member, or where it is empty with its end record."""
FULL: Final = 0xFFFFFFFF
"""What a field of 32 bits says where a zip64 field has the value."""

_END: Final = b"PK\x05\x06"
_END64: Final = b"PK\x06\x06"
_LOCATOR: Final = b"PK\x06\x07"
_ADVICE: Final = "fetch it again, or try zip -FF"


@dataclass(frozen=True, slots=True)
class Directory:
    """Where a zip's central directory is.

    Attributes:
        offset: its first byte in the file.
        size: its bytes.
        count: the entries that it should hold; the low 16 bits of that where `wide` is false.
        shift: bytes that stand before the zip's own first byte (a self-extracting program).
        wide: a zip64 record says so.
    """

    offset: int
    size: int
    count: int
    shift: int
    wide: bool

    @property
    def wraps(self) -> bool:
        """Whether offsets are cut to 32 bits, as in zips above 4 GiB of tools that know no zip64."""
        return not self.wide and self.shift > 0 and not self.shift & FULL

    def holds(self, entries: int) -> bool:
        """Return whether the number of entries is right; tools without zip64 also write more than 65,535."""
        return entries == self.count or (not self.wide and entries & 0xFFFF == self.count)


def find_directory(blocks: FileBlocks, name: str) -> Directory:
    """Return the central directory of a zip.

    Its end record is found from the end of the file; what a comment or a member holds that looks like one is
    told from it by where it says that the directory begins.

    Raises:
        ArchiveError: there is none, or it cannot be where its end record says.
    """
    failure: ArchiveError | None = None
    others: list[Directory] = []
    for end, record in _end_records(blocks):
        try:
            found = _directory(blocks, end, record, name)
        except ArchiveError as error:
            failure = failure or error
            continue
        if blocks.read(found.offset, 4) == ENTRY_SIGNATURE and found.size:
            return found
        others.append(found)
    if others:  # an empty zip, or one whose first entry is damaged
        return others[0]
    raise failure or ArchiveError(f"{name}: a zip without its central directory, cut off perhaps: {_ADVICE}")


def holds_zip(blocks: FileBlocks) -> bool:
    """Return whether a file that begins otherwise ends with a zip whose first entry is in its place."""
    for end, record in _end_records(blocks):
        try:
            found = _directory(blocks, end, record, "")
        except ArchiveError:
            continue
        first = blocks.read(found.offset, ENTRY.size)
        if first[:4] != ENTRY_SIGNATURE or len(first) < ENTRY.size:
            continue
        offset = ENTRY.unpack(first)[-1]
        if offset == FULL or blocks.read(offset + found.shift, 4) == LOCAL_SIGNATURE:
            return True
    return False


def _end_records(blocks: FileBlocks) -> Iterator[tuple[int, bytes]]:
    """Yield what may be the end record, from the file's end on backwards: its place and its 22 bytes."""
    length = blocks.size
    tail_at = max(length - 22 - 0xFFFF, 0)
    tail = blocks.read(tail_at, length - tail_at)
    at = tail.rfind(_END)
    while at >= 0:
        record = tail[at : at + 22]
        if len(record) == 22 and at + 22 + int.from_bytes(record[20:], "little") <= len(tail):
            yield tail_at + at, record
        at = tail.rfind(_END, 0, at)


def _directory(blocks: FileBlocks, end: int, record: bytes, name: str) -> Directory:
    """Return what an end record says.

    Raises:
        ArchiveError: it is of one part of several, or makes no sense.
    """
    disk, first, here, count, size, offset = struct.unpack_from("<4H2I", record, 4)
    locator = blocks.read(end - 20, 20) if end >= 20 else b""
    wide = locator[:4] == _LOCATOR
    if wide:
        end, disk, first, here, count, size, offset = _zip64_end(blocks, end, locator, name)
    if disk or first or here != count:
        raise ArchiveError(f"{name}: one part of a zip in several: join the parts first (zip -s 0)")
    shift = end - size - offset
    if shift < 0:
        raise ArchiveError(f"{name}: a zip with a damaged end record: {_ADVICE}")
    return Directory(end - size, size, count, shift, wide)


def _zip64_end(
    blocks: FileBlocks, end: int, locator: bytes, name: str
) -> tuple[int, int, int, int, int, int, int]:
    """Return the zip64 end record: its position, and the fields that it overrides."""
    last = end - 20
    nearest = max(last - 0xFFFF, 0)
    before = blocks.read(nearest, last - nearest)
    # Bytes before the zip shift the record; it then stands just before its locator.
    for at in (int.from_bytes(locator[8:16], "little"), nearest + before.rfind(_END64)):
        record = blocks.read(at, 56) if nearest <= at < last else b""
        size = int.from_bytes(record[4:12], "little")
        if len(record) == 56 and record[:4] == _END64 and at + 12 + size == last:
            return at, *struct.unpack_from("<2I4Q", record, 16)
    raise ArchiveError(f"{name}: a zip with a damaged zip64 record: {_ADVICE}")
