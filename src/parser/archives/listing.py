"""Sources of images: folders, tars and zips, told apart by what they hold, not by their names."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from ...errors import ArchiveError, UsageError
from ..foreign import foreign_archive
from ..images.signature import describe, sniff
from ..options import RATIO_FROM, ReadBudget
from .blocks import Damage, Passing, StreamBlocks, open_blocks
from .folder import list_folder
from .linking import linked
from .members import NEVER, Entry, Member
from .names import shown_path
from .prefixes import prefixes
from .reading import ArchiveState, archive_state
from .streams import compression_of
from .tarfiles import list_compressed_tar, list_tar
from .tarheader import BLOCK, begins_tar
from .zipdirectory import ZIP_MAGIC, find_directory, holds_zip
from .zipfiles import list_zip

__all__ = [
    "Quota",
    "Source",
    "archive_states",
    "check_sources",
    "list_archives",
    "list_sources",
    "plan_sources",
]

Listed = TypeVar("Listed")

_BUDGET: Final = ReadBudget()
_BYTES_OF_FOLDER: Final = 1 << 30  # for which links of archives in it may stand
_LOOK: Final = 256  # entries
_PART_OF_ZIP: Final = b"PK\x07\x08"


@dataclass(frozen=True, slots=True)
class Source:
    """A folder or archive that is to be listed.

    Attributes:
        path: absolute, links resolved: workers open it without following links.
        given: absolute, links as they were given.
        shown: as it was given, for messages.
        kind: "folder", "zip", "tar", or a tar's compression: "gzip", "bzip2", "xz", "zstd". Others may tell
            further kinds apart among folders, which are not listed here.
        prefix: put before the keys of its members.
        encoding: of the names in a zip or tar that do not say theirs; None for what they most likely are.
        follow_links: follow links that lead out of a folder.
        nested: read archives that are members of it.
        doubt_from: members are doubted whose file was changed at this time or later, in ns since the epoch.
        apart: device and inode of a folder that is not listed, wherever a link leads to it: the dataset's.
    """

    path: str
    given: str
    shown: str
    kind: str
    prefix: str
    encoding: str | None = None
    follow_links: bool = False
    nested: bool = False
    doubt_from: int = NEVER
    apart: tuple[int, int] | None = None


def check_sources(sources: Sequence[str | os.PathLike[str]]) -> None:
    """See whether the sources can be listed, by the first bytes of each; nothing is listed.

    Raises:
        UsageError: there is none, or one does not exist.
        ArchiveError: one is no folder, tar or zip, or cannot be read.
        MissingLibraryError: one is compressed by zstd, and the library is not installed.
    """
    plan_sources(sources)


def list_archives(sources: Sequence[str | os.PathLike[str]], budget: ReadBudget = _BUDGET) -> Iterator[Entry]:
    """Return everything that the sources hold, in an order that depends on their content only.

    The sources are checked at once, as `check_sources` does; the listing itself is lazy, and its memory
    does not grow with the number of entries (a folder holds the names of one directory at a time).

    Args:
        sources: folders, tars (plain, gz, bz2, xz, zst) and zips. Where there are several, each key
            begins with the name of its source and `/`, see `prefixes`.
        budget: of what is unpacked while it is listed: compressed tars.

    Returns:
        Member for what may be an image, NotImage for what is none, Unreadable for what is damaged.

    Raises:
        UsageError: there is no source, or one does not exist.
        ArchiveError: one is no folder, tar or zip, or cannot be read.
        MissingLibraryError: one is compressed by zstd, and the library is not installed.
    """
    return _with_bytes(list_sources(plan_sources(sources), budget))


def _with_bytes(entries: Iterator[Entry]) -> Iterator[Entry]:
    passed, data = None, b""
    for entry in entries:
        if isinstance(entry, Member) and isinstance(entry.data, Passing):
            with suppress(Damage):  # then it is Unreadable, and that comes next
                if entry.data is not passed:  # else it is a link to the one before
                    passed, data = entry.data, entry.data.read(entry.size)
                yield entry._replace(data=data)
        else:
            yield entry


class Quota:
    """How many entries may still be listed, of several sources together.

    Args:
        limit: how many at first; None for all.
        look: called now and then while entries are listed that `ahead` gives.
    """

    def __init__(self, limit: int | None = None, look: Callable[[], object] | None = None) -> None:
        self._left = limit
        self._look = look

    def ahead(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Return the entries that `taken` will give of a listing."""
        ahead = islice(entries, self._left)
        return ahead if self._look is None else self._looked(ahead, self._look)

    def _looked(self, entries: Iterator[Entry], look: Callable[[], object]) -> Iterator[Entry]:
        for number, entry in enumerate(entries):
            if not number % _LOOK:
                look()
            yield entry

    def taken(self, entries: Iterator[Listed]) -> Iterator[Listed]:
        """Return the entries that may be listed."""
        return entries if self._left is None else self._counted(self._left, entries)

    def _counted(self, left: int, entries: Iterator[Listed]) -> Iterator[Listed]:
        for self._left, entry in zip(range(left - 1, -1, -1), entries, strict=False):
            yield entry


def list_sources(
    sources: Sequence[Source],
    budget: ReadBudget = _BUDGET,
    *,
    link: bool = True,
    quota: Quota | None = None,
) -> Iterator[Entry]:
    """As `list_archives`, of sources that were checked; bytes of members of compressed tars are Passing.

    Args:
        sources: in order.
        budget: of what is unpacked while it is listed.
        link: list archives twice, to tell what their links lead to, and which of two entries of a name
            counts. Where it is False, links are yielded as Link, and members of one name one after the other.
        quota: of entries.

    Raises:
        ArchiveError: one cannot be read any more, or was changed.
    """
    quota = quota or Quota()
    for source in sources:
        try:
            if link and (source.kind != "folder" or source.nested):
                yield from _list_linked(source, budget, quota)
            else:
                yield from quota.taken(_list_source(source, budget))
        except OSError as error:
            raise ArchiveError(
                f"{shown_path(source.path)} cannot be read: {error.strerror or error}"
            ) from error


def _list_linked(source: Source, budget: ReadBudget, quota: Quota) -> Iterator[Entry]:
    state = archive_state(Path(source.path).stat())
    ahead, entries = (_list_source(source, budget) for _ in range(2))
    most = budget.max_ratio * (_BYTES_OF_FOLDER if source.kind == "folder" else max(state[2], RATIO_FROM))
    yield from linked(quota.ahead(ahead), quota.taken(entries), most)
    if source.kind != "folder" and archive_state(Path(source.path).stat()) != state:
        raise ArchiveError(f"{shown_path(source.path)} was changed while it was being read")


def _list_source(source: Source, budget: ReadBudget) -> Iterator[Entry]:
    path, prefix, encoding = source.path, source.prefix, source.encoding
    if not source.nested:
        return _list_flat(source, budget)
    from .nested import NestedArchives  # noqa: PLC0415  # each only where it is needed

    nested = NestedArchives(budget, encoding)
    if source.kind in {"folder", "zip", "tar"}:
        return nested.expanded(_list_flat(source, budget))
    return _doubted(source, list_compressed_tar(path, source.kind, prefix, budget, encoding, nested.passing))


def _list_flat(source: Source, budget: ReadBudget) -> Iterator[Entry]:
    path, prefix, encoding = source.path, source.prefix, source.encoding
    if source.kind == "folder":
        return list_folder(
            path,
            prefix,
            follow_links=source.follow_links,
            doubt_from=source.doubt_from,
            apart=source.apart,
        )
    if source.kind == "zip":
        entries = list_zip(path, prefix, encoding)
    elif source.kind == "tar":
        entries = list_tar(path, prefix, encoding, budget)
    else:
        entries = list_compressed_tar(path, source.kind, prefix, budget, encoding)
    return _doubted(source, entries)


def _doubted(source: Source, entries: Iterator[Entry]) -> Iterator[Entry]:
    path = source.path
    if Path(path).stat().st_ctime_ns < source.doubt_from:
        return entries
    return (entry._replace(doubted=True) if isinstance(entry, Member) else entry for entry in entries)


def archive_states(sources: Sequence[Source]) -> dict[str, ArchiveState]:
    """Return the state of every source that is one file, by the path that its members name."""
    return {
        source.path: archive_state(Path(source.path).stat()) for source in sources if source.kind != "folder"
    }


def plan_sources(
    sources: Sequence[str | os.PathLike[str]],
    *,
    follow_links: bool = False,
    encoding: str | None = None,
    nested: bool = False,
) -> list[Source]:
    """See what the sources are, and give each its prefix.

    Args:
        sources: as for `list_archives`.
        follow_links: follow links that lead out of a folder.
        encoding: of the names in zips and tars that do not say theirs.
        nested: read archives that are members of a source.

    Raises:
        UsageError, ArchiveError, MissingLibraryError: as `check_sources`.
    """
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    if not sources:
        raise UsageError("no source: name a folder, a tar or a zip")
    found: list[tuple[str, str, str]] = []
    for source in sources:
        try:
            path, given = os.path.realpath(source), os.path.abspath(source)  # noqa: PTH100 - Path keeps `..`
        except ValueError as error:
            raise UsageError(f"{os.fspath(source)!r} is no path: {error}") from error
        except FileNotFoundError as error:
            raise UsageError(
                f"{shown_path(os.fspath(source))} is relative, and the current folder does not exist"
                " any more: give an absolute path"
            ) from error
        if any(path == other for other, *_ in found):
            raise UsageError(f"{shown_path(os.fspath(source))} is given twice")
        found.append((path, given, _kind(path, os.fspath(source))))
    before = prefixes([given for _, given, _ in found]) if len(found) > 1 else [""]
    return [
        Source(
            path,
            given,
            shown_path(os.fspath(source)),
            kind,
            prefix,
            encoding=None if kind == "folder" else encoding,
            follow_links=follow_links,
            nested=nested,
        )
        for source, (path, given, kind), prefix in zip(sources, found, before, strict=True)
    ]


def _kind(path: str, given: str) -> str:
    shown = shown_path(given)
    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            return "folder"
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveError(f"{shown} is neither a folder nor a file: name a folder, a tar or a zip")
        with closing(open_blocks(path)) as blocks:
            head = blocks.read(0, 2 * BLOCK)
            if head.startswith(ZIP_MAGIC):
                find_directory(blocks, shown)
                return "zip"
            if compression_of(head) is None and not begins_tar(head) and holds_zip(blocks):
                return "zip"
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{shown} does not exist") from error
    except (OSError, ValueError, Damage) as error:
        raise ArchiveError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    compression = compression_of(head)
    if compression is not None:
        _check_compressed(path, compression, shown)
        return compression
    if begins_tar(head):
        return "tar"
    if head.startswith(_PART_OF_ZIP):
        raise ArchiveError(f"{shown} is one part of a zip in several: join the parts first (zip -s 0)")
    if not head:
        raise ArchiveError(f"{shown} is empty: name a folder, a tar or a zip")
    image = sniff(head)
    if image is not None:
        raise ArchiveError(f"{shown} is a single image ({image}): give the folder that it is in")
    foreign = foreign_archive(head)
    if foreign is not None:
        raise ArchiveError(
            f"{shown} is {foreign.name}, which brinery does not read:"
            f" unpack it ({foreign.unpack}) and give what comes out, a folder or a tar"
        )
    what = describe(head)
    raise ArchiveError(f"{shown} is no archive that brinery reads ({what}): name a folder, a tar or a zip")


def _check_compressed(path: str, compression: str, shown: str) -> None:
    blocks = StreamBlocks(path, compression)
    try:
        head = blocks.read(0, 2 * BLOCK)
    except Damage as damage:
        raise ArchiveError(f"{shown}: {damage}") from damage
    finally:
        blocks.close()
    if not begins_tar(head):
        raise ArchiveError(f"{shown} is {compression} data that holds no tar: unpack it and give its folder")
