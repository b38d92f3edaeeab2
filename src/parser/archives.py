"""Sources of images: folders, tars and zips, told apart by what they hold, not by their names."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ArchiveError, UsageError
from .blocks import Damage, StreamBlocks
from .folder import list_folder
from .members import Entry
from .names import key_of_name, shown_path
from .options import ReadBudget
from .reading import ArchiveState, archive_state
from .signature import describe, sniff
from .tarfiles import list_compressed_tar, list_tar
from .tarheader import BLOCK, ZEROS, is_header
from .zipfiles import find_directory, list_zip

__all__ = ["archive_states", "check_sources", "list_archives"]

_COMPRESSIONS: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_BUDGET: Final = ReadBudget()
_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class _Source:
    path: str  # absolute, links resolved: workers open it without following links
    kind: str  # "folder", "zip", "tar" or a compression
    prefix: str


def check_sources(sources: Sequence[str | os.PathLike[str]]) -> None:
    """See whether the sources can be listed, by the first bytes of each; nothing is listed.

    Raises:
        UsageError: there is none, or one does not exist.
        ArchiveError: one is no folder, tar or zip, or cannot be read.
        MissingLibraryError: one is compressed by zstd, and the library is not installed.
    """
    _plan(sources)


def list_archives(sources: Sequence[str | os.PathLike[str]], budget: ReadBudget = _BUDGET) -> Iterator[Entry]:
    """Everything that the sources hold, in an order that depends on their content only.

    The sources are checked at once, as `check_sources` does; the listing itself is lazy, and its memory
    does not grow with the number of entries (a folder holds the names of one directory at a time).

    Args:
        sources: folders, tars (plain, gz, bz2, xz, zst) and zips. Where there are several, each key
            begins with the base name of its source and `/`.
        budget: of what is unpacked while it is listed: compressed tars.

    Returns:
        Member for what may be an image, NotImage for what is none, Unreadable for what is damaged.

    Raises:
        UsageError: there is no source, or one does not exist.
        ArchiveError: one is no folder, tar or zip, or cannot be read.
        MissingLibraryError: one is compressed by zstd, and the library is not installed.
    """
    return _list(_plan(sources), budget)


def _list(plan: list[_Source], budget: ReadBudget) -> Iterator[Entry]:
    for source in plan:
        try:
            if source.kind == "folder":
                yield from list_folder(source.path, source.prefix)
            elif source.kind == "zip":
                yield from list_zip(source.path, source.prefix)
            elif source.kind == "tar":
                yield from list_tar(source.path, source.prefix)
            else:
                yield from list_compressed_tar(source.path, source.kind, source.prefix, budget)
        except OSError as error:
            raise _unreadable(source.path, error) from error


def archive_states(sources: Sequence[str | os.PathLike[str]]) -> dict[str, ArchiveState]:
    """The state of every source that is one file, by the path that its members name.

    Raises:
        UsageError, ArchiveError, MissingLibraryError: as `check_sources`.
    """
    paths = [source.path for source in _plan(sources) if source.kind != "folder"]
    return {path: archive_state(Path(path).stat()) for path in paths}


def _plan(sources: Sequence[str | os.PathLike[str]]) -> list[_Source]:
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    if not sources:
        raise UsageError("no source: name a folder, a tar or a zip")
    plan: list[_Source] = []
    for source in sources:
        try:
            path = os.path.realpath(source)
        except ValueError as error:
            raise UsageError(f"{os.fspath(source)!r} is no path: {error}") from error
        if any(path == other.path for other in plan):
            raise UsageError(f"{shown_path(os.fspath(source))} is given twice")
        name = Path(source).absolute().name or "root"
        prefix = f"{key_of_name(name)}/" if len(sources) > 1 else ""
        plan.append(_Source(path, _kind(path, os.fspath(source)), prefix))
    return plan


def _unreadable(path: str, error: OSError) -> ArchiveError:
    return ArchiveError(f"{shown_path(path)} cannot be read: {error.strerror or error}")


def _kind(path: str, given: str) -> str:
    shown = shown_path(given)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            return "folder"
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{shown} is neither a folder nor a file: name a folder, a tar or a zip")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            head = os.pread(descriptor, 2 * BLOCK, 0)
            if head.startswith(_ZIPS):
                find_directory(descriptor, shown)
                return "zip"
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{shown} does not exist") from error
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for magic, compression in _COMPRESSIONS:
        if head.startswith(magic):
            _check_compressed(path, compression, shown)
            return compression
    if _begins_tar(head):
        return "tar"
    if not head:
        raise ArchiveError(f"{shown} is empty: name a folder, a tar or a zip")
    image = sniff(head)
    if image is not None:
        raise ArchiveError(f"{shown} is a single image ({image}): give the folder that it is in")
    what = describe(head)
    raise ArchiveError(f"{shown} is no archive that brinery reads ({what}): name a folder, a tar or a zip")


def _check_compressed(path: str, compression: str, shown: str) -> None:
    blocks = StreamBlocks(path, compression)
    try:
        head = blocks.read(0, 2 * BLOCK)
    except Damage as damage:
        raise ArchiveError(f"{shown}: damaged {compression} data: {damage}") from damage
    finally:
        blocks.close()
    if not _begins_tar(head):
        raise ArchiveError(f"{shown} is {compression} data that holds no tar: unpack it and give its folder")


def _begins_tar(head: bytes) -> bool:
    """Whether two blocks begin a tar: a header, one that is damaged but has its magic, or the end marker."""
    block = head[:BLOCK]
    if len(block) < BLOCK:
        return False
    return block[257:262] == b"ustar" or (block == ZEROS and head[BLOCK:] in {ZEROS, b""}) or is_header(block)
