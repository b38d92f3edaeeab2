"""The bytes of members, read by position in a worker."""

import errno
import os
import stat
import zlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeAlias

from ...errors import ArchiveError, ReadError
from ..images.signature import HEAD, JPEG, TAIL, require_image
from ..options import RATIO_FROM, ReadBudget
from .blocks import Damage
from .members import Member
from .names import shown_path
from .unpacking import unpack, unpack_head

__all__ = ["NO_DESCRIPTORS", "ArchiveState", "MemberReader", "archive_state", "copy_member", "read_whole"]

ArchiveState: TypeAlias = tuple[int, int, int, int]
"""Device, inode, bytes and time of change of an archive: another state is another archive."""

_LOOK_FIRST: Final = 1 << 20
_PIECE: Final = 1 << 20
_BUDGET: Final = ReadBudget()
_NO_ARCHIVES: Final[Mapping[str, ArchiveState]] = {}
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
NO_DESCRIPTORS: Final = {errno.EMFILE, errno.ENFILE}  # no fault of the file that cannot be opened
_NOT_REGULAR: Final = {errno.ESPIPE, errno.EISDIR}  # how pread(2) refuses pipes and folders
_NO_FILE: Final = "changed while reading: no regular file any more"


class MemberReader:
    """Reads members; keeps the last archive open. One for each unit; not for several threads at once.

    Args:
        budget: of one member.
        archives: what the archives were when they were listed, by their paths; others are not compared.
    """

    def __init__(
        self, budget: ReadBudget = _BUDGET, archives: Mapping[str, ArchiveState] = _NO_ARCHIVES
    ) -> None:
        self._budget = budget
        self._look_first = min(_LOOK_FIRST, budget.max_bytes)
        self._archives = archives
        self._path = ""
        self._descriptor = -1
        self._listed: tuple[int, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> None:
        """See whether the archive that is open is still the one that was listed.

        A tar has no checksums: offsets into other bytes could give another image under this name.

        Raises:
            ArchiveError: it was changed or replaced.
        """
        listed = self._listed
        if self._descriptor < 0 or listed is None:
            return
        if archive_state(os.fstat(self._descriptor))[: len(listed)] != listed:
            raise ArchiveError(f"{shown_path(self._path)} was changed while it was being read")

    def close(self) -> None:
        """Close the archive that is open, if any."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._path, self._descriptor = "", -1

    def read(self, member: Member) -> bytes:
        """Return the unpacked bytes of a member, exactly `member.size`, whose signature is an image's.

        Of members above 1 MiB the beginning is read first, so that what is no image costs nothing.

        Raises:
            NotAnImage: it is none by its signature.
            DecodeError: it is none, but is named like one.
            ReadError: its bytes are gone, changed, cut off, not as long as listed, fail their CRC-32,
                or pass the budget.
            ArchiveError: the archive is not the one that was listed any more.
            OSError: this process, or the system, has too many files open.
        """
        if member.data is not None:
            assert isinstance(member.data, bytes)
            whole = member.data
            tail = whole[-TAIL:] if len(whole) == member.size else None
            require_image(whole[:HEAD], member.key, tail)
            self._check_size(member)
            if len(whole) < member.size:
                raise ReadError(f"truncated: {len(whole):,} of {member.size:,} bytes are there")
            return whole
        try:
            if member.offset or member.local_header:
                return self._read(self._archive(member), member)
            size = member.size
            descriptor = os.open(member.path, _FLAGS)
            try:
                if member.identity is not None:
                    _check_identity(descriptor, member.identity)
                # One byte more than was listed would show that the file has grown: no call asks for its size.
                if size > self._look_first or len(data := os.pread(descriptor, size + 1, 0)) != size:
                    return self._read_file(descriptor, member)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _NOT_REGULAR:
                raise ReadError(_NO_FILE) from error
            if error.errno in NO_DESCRIPTORS:
                raise
            raise ReadError(f"cannot be read: {error.strerror or error}") from error
        except MemoryError as error:
            raise ReadError(f"{member.size:,} bytes do not fit into memory") from error
        except (ValueError, OverflowError) as error:  # a NUL in a path, an offset past what files can have
            raise ReadError(f"cannot be read: {error}") from error
        if not data.startswith(JPEG):
            require_image(data[:HEAD], member.key, data[-TAIL:])
        return data

    def head(self, member: Member) -> bytes:
        """Return the first 512 bytes, or fewer, of a member in a file; none where it cannot be read."""
        packed = member.method != "stored"
        try:
            if member.offset or member.local_header:
                descriptor = self._archive(member)
                offset = member.offset
                if member.local_header:
                    offset = _behind_local_header(descriptor, offset)
                head = _pread(descriptor, min(member.stored, 1 << 16 if packed else HEAD), offset)
                return unpack_head(head, member.method, HEAD) if packed else head
            descriptor = os.open(member.path, _FLAGS)
            try:
                return os.pread(descriptor, HEAD, 0)
            finally:
                os.close(descriptor)
        except (OSError, ValueError, OverflowError, ReadError):
            return b""

    def _read_file(self, descriptor: int, member: Member) -> bytes:
        """Read a file that is large, or is not as it was listed."""
        found = _regular(descriptor)
        if found != member.size:
            raise ReadError(f"changed while reading: {member.size:,} bytes when listed, {found:,} now")
        return self._read(descriptor, member)

    def _archive(self, member: Member) -> int:
        if member.path != self._path or self._descriptor < 0:
            self.check()
            self.close()
            self._descriptor = os.open(member.path, _FLAGS)
            _regular(self._descriptor)
            self._path, self._listed = member.path, self._archives.get(member.path, member.identity)
            self.check()
        return self._descriptor

    def _read(self, descriptor: int, member: Member) -> bytes:
        offset, size, stored = member.offset, member.size, member.stored
        if member.local_header:
            offset = _behind_local_header(descriptor, offset)
        if size > self._look_first or stored > self._look_first:
            self._look(descriptor, member, offset)
        data = _whole(descriptor, member, offset)
        require_image(data[:HEAD], member.key, data[-TAIL:])
        return data

    def _look(self, descriptor: int, member: Member, offset: int) -> None:
        """Look at the beginning of a large member, and at its size, before it is read."""
        packed = member.method != "stored"
        head = _pread(descriptor, min(member.stored, 1 << 16 if packed else HEAD), offset)
        if packed:
            head = unpack_head(head, member.method, HEAD)
        if head:  # a bzip2 block can be longer than what was read of it
            require_image(head, member.key)
        self._check_size(member)
        budget = self._budget
        if member.size > RATIO_FROM and member.size > budget.max_ratio * member.stored:
            raise ReadError(
                f"expands from {member.stored:,} to {member.size:,} bytes;"
                f" the budget is {budget.max_ratio:g} times"
            )

    def _check_size(self, member: Member) -> None:
        if max(member.size, member.stored) > self._budget.max_bytes:
            raise ReadError(f"{member.size:,} bytes; the budget of one image is {self._budget.max_bytes:,}")


def archive_state(status: os.stat_result) -> ArchiveState:
    """Return what tells one state of an archive from another."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check_identity(descriptor: int, listed: tuple[int, ...]) -> None:
    """Take no other file than the one that a link led to: `O_NOFOLLOW` looks at a path's last name only."""
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino) != listed:
        raise ReadError("changed while reading: its link led to another file when it was listed")


def _regular(descriptor: int) -> int:
    """Tell the size of a regular file; nothing else is read or waited for."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ReadError(_NO_FILE)
    return status.st_size


def read_whole(descriptor: int, member: Member) -> bytes:
    """Return the unpacked bytes of a zip's member, whatever they are.

    Raises:
        ReadError: they are cut off, damaged or not as long as listed.
        OSError: they cannot be read.
    """
    return _whole(descriptor, member, _behind_local_header(descriptor, member.offset))


def copy_member(member: Member, write: Callable[[bytes], object], budget: ReadBudget = _BUDGET) -> None:
    """Write the bytes of a member, whatever they are: of one that is cut off those that are there.

    Args:
        member: as its archive lists it; Passing bytes are read here.
        write: takes pieces of it.
        budget: of members that are packed, whose bytes are unpacked in memory.

    Raises:
        ReadError: they are gone or damaged, or pass the budget.
    """
    try:
        if isinstance(member.data, bytes):
            if len(member.data) < member.size:
                raise ReadError("only its beginning was unpacked")
            write(member.data)
        elif member.data is not None:
            while piece := member.data.read(_PIECE):
                write(piece)
        else:
            _copy_from_file(member, write, budget)
    except Damage as damage:
        raise ReadError(str(damage)) from damage


def _copy_from_file(member: Member, write: Callable[[bytes], object], budget: ReadBudget) -> None:
    try:
        descriptor = os.open(member.path, _FLAGS)
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        _regular(descriptor)
        if member.identity is not None:
            _check_identity(descriptor, member.identity[:2])
        if member.method != "stored":
            if max(member.size, member.stored) > budget.max_bytes:
                raise ReadError(f"{member.size:,} bytes; the budget is {budget.max_bytes:,}")
            offset = _behind_local_header(descriptor, member.offset)
            write(unpack(_pread(descriptor, member.stored, offset), member.method, member.size))
            return
        at = _behind_local_header(descriptor, member.offset) if member.local_header else member.offset
        end = at + member.stored
        while at < end and (piece := os.pread(descriptor, min(_PIECE, end - at), at)):
            write(piece)
            at += len(piece)
    except (OverflowError, MemoryError) as error:
        raise ReadError(f"cannot be read: {error}") from error
    finally:
        os.close(descriptor)


def _whole(descriptor: int, member: Member, offset: int) -> bytes:
    """Return the unpacked bytes of a member whose packed ones begin at an offset."""
    data, size = _pread(descriptor, member.stored, offset), member.size
    if member.method != "stored":
        data = unpack(data, member.method, size)
    if member.crc is not None and zlib.crc32(data) != member.crc:
        raise ReadError("damaged: its CRC-32 is not the archive's")
    if len(data) != size:
        raise ReadError(f"damaged: {len(data):,} bytes, listed with {size:,}")
    return data


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
    """Return where the data begins behind a zip's local header (APPNOTE.TXT 6.3.10, 4.3.7)."""
    header = _pread(descriptor, 30, offset)
    if header[:4] != b"PK\x03\x04":
        raise ReadError("damaged: no zip header where the central directory says")
    return offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
