"""Checks manifest.sqlite and the files beside it before sqlite opens them: they may come from anybody.

File formats: https://www.sqlite.org/fileformat2.html, the database header and the rollback journal.
"""

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import DatasetError
from .held_file import FLAGS, HeldFile
from .schema import MANIFEST_NAME

__all__ = ["JOURNAL_NAME", "LOG_NAMES", "Found", "check_files"]

_JOURNAL: Final = "-journal"
JOURNAL_NAME: Final = f"{MANIFEST_NAME}{_JOURNAL}"
_LOG: Final = "-wal"
LOG_NAMES: Final = (f"{MANIFEST_NAME}{_LOG}", f"{MANIFEST_NAME}-shm")
_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = struct.Struct(">16xH2s36xI")  # page size, versions, encoding of texts
_ROLLBACK_MODE: Final = b"\1\1"
_UTF8: Final = 1
_PAGE_SIZES: Final = frozenset(1 << power for power in range(9, 17))
_SECTOR_SIZES: Final = frozenset(1 << power for power in range(5, 17))
_JOURNAL_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_JOURNAL_HEADER: Final = struct.Struct(">8sIIIII")  # magic, records, nonce, pages before, sector, page size
_NOBODYS_BYTE: Final = (1 << 30) - 1  # sqlite locks those behind it
# What a manifest may cost is measured by its size, and holes cost nothing. File systems that pack files pack
# manifests to a fifth; some report no blocks at all.
_MOST_PACKED: Final = 64
_WHOLE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What the checks found.

    Attributes:
        size: of the manifest, in bytes.
        half_done: a transaction was left half done; sqlite undoes it when it opens the manifest to write.
        locks: the file system has the record locks that sqlite takes; True for a manifest that is not there.
        file: the manifest, for a connection to hold; None for one that is not there.
    """

    size: int
    half_done: bool
    locks: bool
    file: HeldFile | None


def check_files(path: Path) -> Found:
    """Refuse a manifest that leads sqlite to other files, or a journal that would do more than undo.

    A write-ahead log would be read instead of the manifest. A journal that ends with a name is part of a
    transaction over several files: undoing it, sqlite deletes the file of that name. A journal that claims
    more pages than the manifest has would make it grow, to terabytes if it says so.

    Args:
        path: of the manifest, which need not be there yet.

    Raises:
        DatasetError: it is no manifest as brinery writes it, or cannot be read.
    """
    file = None
    try:
        with suppress(FileNotFoundError):
            file = HeldFile(path)
        size = 0 if file is None else _size(path, file.number)
        page_size = None if file is None else _check_header(path, file.read(0, _HEADER_BYTES))
        locks = file is None or _can_be_locked(file.number)
        _refuse_log(path)
        half_done = _check_journal(path, size, page_size)
    except BaseException as error:
        if file is not None:
            file.close()
        if not isinstance(error, OSError):
            raise
        why = "it is a link, and none is followed" if error.errno == errno.ELOOP else error.strerror
        raise DatasetError(f"{error.filename or path} cannot be read: {why}") from error
    return Found(size, half_done, locks, file)


def _size(path: Path | str, descriptor: int) -> int:
    """Return the size of a regular file; sqlite would wait for ever for a pipe or a device."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError(f"{path} is no regular file")
    stored = status.st_blocks * 512
    if status.st_size > _WHOLE_BYTES and 0 < stored < status.st_size // _MOST_PACKED:
        raise DatasetError(
            f"{path} is damaged: of its {status.st_size:,} bytes {stored:,} are stored, the others are a hole"
        )
    return status.st_size


def _refuse_log(path: Path) -> None:
    if os.path.lexists(f"{path}{_LOG}"):
        raise DatasetError(
            f"{path} has a log, {path.name}{_LOG}, beside it, which brinery never makes: it would involve"
            " other files"
        )


def _can_be_locked(descriptor: int) -> bool:
    """Lock a byte that sqlite does not lock, for a moment."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _NOBODYS_BYTE)
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _NOBODYS_BYTE)
    except OSError:
        return False
    return True


def _check_header(path: Path, head: bytes) -> int | None:
    """Return the size of a page; None for a manifest that is still empty, or that sqlite will refuse."""
    if not head.startswith(_MAGIC) or len(head) < _HEADER_BYTES:
        return None
    page_size, mode, encoding = _HEADER.unpack_from(head)
    page_size = 1 << 16 if page_size == 1 else page_size
    if mode != _ROLLBACK_MODE:
        raise DatasetError(f"{path} is no manifest as brinery writes it: it would involve other files")
    if page_size not in _PAGE_SIZES or encoding not in (0, _UTF8):
        raise DatasetError(f"{path} is no manifest as brinery writes it: its header makes no sense")
    return page_size


def _check_journal(path: Path, size: int, page_size: int | None) -> bool:
    """Refuse a journal whose undoing would be more than to bring pages back; return whether there is one.

    Args:
        path: of the manifest.
        size: of the manifest, in bytes.
        page_size: of the manifest, if it is known.
    """
    journal = f"{path}{_JOURNAL}"
    try:
        descriptor = os.open(journal, FLAGS)
    except FileNotFoundError:
        return False
    try:
        length = _size(journal, descriptor)
        head = os.pread(descriptor, _JOURNAL_HEADER.size, 0)
        end = os.pread(descriptor, len(_JOURNAL_MAGIC), max(0, length - len(_JOURNAL_MAGIC)))
    finally:
        os.close(descriptor)
    if end == _JOURNAL_MAGIC:
        raise DatasetError(f"{path} is no manifest as brinery writes it: it would involve other files")
    _check_journal_header(journal, head, length, size, page_size)
    return True


def _check_journal_header(journal: str, head: bytes, length: int, size: int, page_size: int | None) -> None:
    """Refuse a journal that does not belong to a manifest of this size."""
    if len(head) < _JOURNAL_HEADER.size or not head.startswith(_JOURNAL_MAGIC):
        return  # sqlite undoes nothing: the transaction had not begun to write, or was complete
    _, _, _, pages, sector, journal_page_size = _JOURNAL_HEADER.unpack(head)
    sound = journal_page_size in _PAGE_SIZES and sector in _SECTOR_SIZES
    fits = page_size in (None, journal_page_size) and pages * journal_page_size <= size
    longest = (pages + 2) * (journal_page_size + 8 + sector)  # each page once, a header before each
    if not sound or not fits or length > longest:
        raise DatasetError(
            f"{journal} of {length:,} bytes does not belong to this manifest of {size:,} bytes: it would make"
            f" {pages:,} pages of {journal_page_size:,} bytes of it. Without it the manifest stays as it is,"
            " perhaps with a part of a transaction"
        )
