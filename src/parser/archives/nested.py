"""Archives that are members of an archive, or files of a folder: told by what they hold, and read in place.

Those whose bytes stand in a file as they are (in a plain tar, stored in a zip, in a folder) are read there.
Of compressed ones, and of those in a compressed archive, the bytes are unpacked as they pass.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from ...errors import ArchiveError, MissingLibraryError, ReadError
from ..images.signature import READ_ARCHIVE, claims_image, describe
from ..options import ReadBudget
from .blocks import Archive, Blocks, BlocksFile, Damage, FileBlocks, StreamBlocks, Stretch
from .members import Entry, Member, NotImage, Unreadable
from .reading import MemberReader, archive_state
from .streams import compression_of
from .tarfiles import stream_entries, tar_entries
from .tarheader import BLOCK, ZEROS, begins_tar
from .zipdirectory import LOCAL_SIGNATURE, ZIP_MAGIC, find_directory
from .zipfiles import ZIP_ERROR, zip_entries

__all__ = ["NestedArchives"]

_TOO_DEEP: Final = "inside of an archive that is in another one: unpack the outer one first"
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


class NestedArchives:
    """Puts the members of archives in place of the archives, one level deep.

    A member that is named like an image is none of them.

    Args:
        budget: of what is unpacked.
        encoding: of names that do not say theirs.
    """

    def __init__(self, budget: ReadBudget, encoding: str | None) -> None:
        self._budget = budget
        self._encoding = encoding

    def expanded(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield a listing of members with places in files; archives are replaced by what they hold."""
        with MemberReader(self._budget) as reader:
            for entry in entries:
                head = _head(reader, entry)
                if isinstance(entry, Member) and _holds_archive(head):
                    yield from self._opened(entry, head)
                else:
                    yield entry

    def passing(self, blocks: Blocks, position: int, member: Member, head: bytes) -> Iterator[Entry] | None:
        """Return the entries of a member whose bytes pass by, as `Inner` says."""
        if claims_image(member.key) or not _holds_archive(head):
            return None
        return _said(member, self._of_stream(blocks, position, member, head))

    def _opened(self, member: Member, head: bytes) -> Iterator[Entry]:
        """Yield the entries of a member that stands in a file."""
        try:
            descriptor = os.open(member.path, _FLAGS)
            state = archive_state(os.fstat(descriptor))
            if member.identity is not None and state[:2] != member.identity[:2]:
                os.close(descriptor)
                yield Unreadable(member.key, "ReadError", "changed while it was being listed")
                return
            whole = FileBlocks(descriptor)
        except OSError as error:
            yield Unreadable(member.key, "ReadError", f"cannot be read: {error.strerror or error}")
            return
        with closing(whole):
            for entry in _said(member, self._of_place(whole, member, head)):
                if isinstance(entry, Member):
                    alone = not member.offset and not member.local_header
                    listed = state if alone and entry.data is None else entry.identity
                    yield entry._replace(identity=listed, doubted=member.doubted)
                else:
                    yield entry

    def _of_place(self, whole: FileBlocks, member: Member, head: bytes) -> Iterator[Entry]:
        """Yield the entries of a member in a file that is open."""
        offset = _data_offset(whole, member)
        if member.method == "stored":
            yield from self._of_file(whole, offset, member, head)
        elif member.method == "lzma":
            raise ReadError("an archive packed by LZMA in a zip: unpack the zip first")
        else:
            packed = BlocksFile(whole, offset, member.stored)
            most, unpacked = self._budget.max_ratio, (member.size, member.crc or 0)
            with closing(StreamBlocks(packed, member.method, most, unpacked)) as blocks:
                yield from self._of_stream(blocks, 0, member, head)

    def _of_file(self, whole: FileBlocks, offset: int, member: Member, head: bytes) -> Iterator[Entry]:
        """Yield the entries of an archive whose bytes stand in a file as they are."""
        archive = self._archive(member, offset)
        with closing(whole.part(offset, member.size)) as blocks:
            if head.startswith(ZIP_MAGIC):
                where = find_directory(blocks, member.key)
                yield NotImage(member.key, READ_ARCHIVE)
                yield from self._flat(zip_entries(blocks, archive, where))
            elif begins_tar(head):
                yield NotImage(member.key, READ_ARCHIVE)
                yield from self._flat(tar_entries(blocks, archive, self._budget))
            else:
                packed = BlocksFile(blocks, 0, member.size)
                yield from self._unpacked(packed, self._archive(member, 0), head)

    def _of_stream(self, blocks: Blocks, position: int, member: Member, head: bytes) -> Iterator[Entry]:
        """Yield the entries of an archive whose bytes pass by."""
        archive = self._archive(member, 0)
        if head.startswith(ZIP_MAGIC):
            message = "a zip inside of a compressed archive, which tells its members at its end only"
            yield Unreadable(member.key, ZIP_ERROR, f"{message}: unpack the outer one first")
        elif begins_tar(head):
            yield NotImage(member.key, READ_ARCHIVE)
            stretch = Stretch(blocks, position, member.size)
            yield from stream_entries(stretch, archive, self._budget, member.size, _refused)
        else:
            packed_before = blocks.packed if isinstance(blocks, StreamBlocks) else None
            packed = BlocksFile(blocks, position, member.size, packed_before)
            yield from self._unpacked(packed, archive, head)

    def _unpacked(self, packed: BlocksFile, archive: Archive, head: bytes) -> Iterator[Entry]:
        """Yield the entries of a compressed tar, or one that says that it is no tar."""
        compression = compression_of(head) or ""
        with closing(StreamBlocks(packed, compression, self._budget.max_ratio)) as blocks:
            if not begins_tar(blocks.read(0, 2 * BLOCK)):
                yield NotImage(archive.key, f"{compression} data that holds no tar")
                return
            yield NotImage(archive.key, READ_ARCHIVE)
            yield from stream_entries(blocks, archive, self._budget, None, _refused)

    def _archive(self, member: Member, origin: int) -> Archive:
        return Archive(member.path, member.key, f"{member.key}/", self._encoding, origin)

    def _flat(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield the listing of a nested archive; archives inside it are named as archives."""
        with MemberReader(self._budget) as reader:
            for entry in entries:
                head = _head(reader, entry)
                yield NotImage(entry.key, f"{describe(head)} {_TOO_DEEP}") if _holds_archive(head) else entry


def _said(member: Member, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Yield the entries of an archive, and what keeps the rest from being read."""
    try:
        yield from entries
    except (Damage, OSError, ReadError, ArchiveError, MissingLibraryError) as error:
        yield Unreadable(member.key, "ArchiveError", str(error))


def _refused(_blocks: Blocks, _position: int, member: Member, head: bytes) -> Iterator[Entry] | None:
    """Name an archive in a nested one whose bytes pass by, as `Inner` says."""
    if claims_image(member.key) or not _holds_archive(head):
        return None
    return iter([NotImage(member.key, f"{describe(head)} {_TOO_DEEP}")])


def _head(reader: MemberReader, entry: Entry) -> bytes:
    """Return the first bytes of a member in a file that is not named like an image; none of others."""
    if not isinstance(entry, Member) or entry.data is not None or claims_image(entry.key):
        return b""
    return reader.head(entry)


def _holds_archive(head: bytes) -> bool:
    """Return whether bytes begin an archive, or compressed data, which may be a tar."""
    if head.startswith(ZIP_MAGIC) or compression_of(head) is not None:
        return True
    return begins_tar(head) and head[:BLOCK] != ZEROS


def _data_offset(blocks: FileBlocks, member: Member) -> int:
    """Return where in its file a member's bytes begin."""
    if not member.local_header:
        return member.offset
    header = blocks.read(member.offset, 30)
    if header[:4] != LOCAL_SIGNATURE or len(header) < 30:
        raise ReadError("damaged: no zip header where the central directory says")
    return (
        member.offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    )
