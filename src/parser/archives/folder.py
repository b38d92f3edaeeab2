"""The images of a folder tree."""

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from ...errors import ArchiveError
from .links import SPECIAL, Identity, Links, Target, identity_of, refused_descent
from .members import NEVER, Entry, Member, NotImage, Unreadable, storable_time
from .names import key_of_name
from .reading import NO_DESCRIPTORS

__all__ = ["list_folder"]

_NAMES_SORTED = 1 << 15
"""Names of one directory that are held as strings; more are packed, run by run, and merged."""

_name = attrgetter("name")


def list_folder(
    root: str,
    prefix: str = "",
    *,
    follow_links: bool = False,
    doubt_from: int = NEVER,
    apart: Identity | None = None,
) -> Iterator[Entry]:
    """Yield the files below a folder, depth first, the names of each directory in the order of their bytes.

    A link stands under its own name for what it leads to, where that lies inside the tree. No folder is
    listed inside itself. Memory holds the names of one directory and of those above it, as bare bytes where
    they are many.

    Args:
        root: the folder, a path free of links.
        prefix: put before every key.
        follow_links: follow links that lead out of the tree too.
        doubt_from: a member whose file or link was changed in any way at this time or later, in ns since the
            epoch, is doubted.
        apart: a folder that is not listed where a link leads to it.

    Yields:
        A Member for each regular file; NotImage for pipes, devices, links back to a folder above and broken
        links; Unreadable for what the file system refuses, links out of the tree and broken links that are
        named like images.
    """
    return iter(_Tree(root, prefix, Links(root, follow=follow_links), doubt_from, apart))


@dataclass(slots=True)
class _Level:
    """A directory that is being listed.

    Attributes:
        folder: its path, with a slash at the end.
        before: put before the names of what it holds to make their keys.
        names: those still to come.
        identity: tells it from every other directory, whatever its path.
        linked: it was reached through a link.
        doubt_from: as in `list_folder`; 0 below a link that itself is doubted.
    """

    folder: str
    before: str
    names: Iterator[str]
    identity: Identity
    linked: bool
    doubt_from: int


class _Tree:
    """Iterates over what is below a folder."""

    def __init__(self, root: str, prefix: str, links: Links, doubt_from: int, apart: Identity | None) -> None:
        self._links = links
        self._apart = apart
        identity = identity_of(os.stat(root))  # noqa: PTH116 - paths are text here
        self._levels = [_Level(root.rstrip("/") + "/", prefix, _names(root), identity, False, doubt_from)]

    def __iter__(self) -> Iterator[Entry]:
        levels = self._levels
        while levels:
            level = levels[-1]
            folder, before, linked, doubt_from = level.folder, level.before, level.linked, level.doubt_from
            for name in level.names:
                path = folder + name
                key = before + name if name.isascii() else key_of_name(name, before)
                entry: Entry | None
                try:
                    status = os.lstat(path)
                    kind = stat.S_IFMT(status.st_mode)
                    if kind == stat.S_IFREG:
                        size, mtime_ns = status.st_size, storable_time(status.st_mtime_ns)
                        entry = Member(key, path, 0, size, size, mtime_ns)
                        if linked:
                            entry = entry._replace(identity=identity_of(status))
                        if status.st_ctime_ns >= doubt_from:
                            entry = entry._replace(doubted=True)
                    elif kind == stat.S_IFDIR:
                        entry = self._enter(key, Target(path, status), linked=linked, doubt_from=doubt_from)
                    elif kind == stat.S_IFLNK:
                        entry = self._follow(key, path, status, level)
                    else:
                        entry = NotImage(key, SPECIAL.get(kind, "special file"))
                except OSError as error:
                    if error.errno in NO_DESCRIPTORS:
                        raise ArchiveError(
                            f"cannot list {path}: {error.strerror}: raise `ulimit -n`"
                        ) from error
                    entry = Unreadable(key, "ReadError", error.strerror or str(error))
                if entry is None:
                    break  # a directory was entered: its names come first
                yield entry
            else:
                levels.pop()

    def _follow(self, key: str, link: str, status: os.stat_result, level: _Level) -> Entry | None:
        """Return a link's own entry, or None where it leads into a folder."""
        found = self._links.target(link, key)
        if not isinstance(found, Target):
            return found
        doubt_from = 0 if status.st_ctime_ns >= level.doubt_from else level.doubt_from
        if not found.is_folder:
            size, mtime_ns = found.status.st_size, storable_time(found.status.st_mtime_ns)
            member = Member(key, found.path, 0, size, size, mtime_ns)
            doubted = found.status.st_ctime_ns >= doubt_from
            return member._replace(identity=identity_of(found.status), doubted=doubted)
        if level.linked and not self._holds(found) and not self._links.may_descend(found):
            return refused_descent(key)
        return self._enter(key, found, linked=True, doubt_from=doubt_from)

    def _enter(self, key: str, folder: Target, *, linked: bool, doubt_from: int) -> NotImage | None:
        """Go down into a folder, unless links led from it back to it."""
        if linked and self._holds(folder):
            return NotImage(
                key, "link to a folder that it lies in: its images are read under their own names"
            )
        identity = identity_of(folder.status)
        if linked and identity == self._apart:
            return NotImage(key, "the dataset itself")
        names = _names(folder.path)
        self._levels.append(_Level(folder.path + "/", key + "/", names, identity, linked, doubt_from))
        return None

    def _holds(self, folder: Target) -> bool:
        """Return whether a folder is one of those that are being listed."""
        identity = identity_of(folder.status)
        return any(level.identity == identity for level in self._levels)


def _names(folder: str) -> Iterator[str]:
    """Return the names in a directory in the order of their bytes; it is read to its end at once."""
    with os.scandir(folder) as entries:
        names = map(_name, entries)
        run = _sorted(list(islice(names, _NAMES_SORTED)))
        packed = []
        while len(run) == _NAMES_SORTED:
            packed.append(b"\0".join(map(os.fsencode, run)))
            run = _sorted(list(islice(names, _NAMES_SORTED)))
    if not packed:
        return iter(run)
    runs = [*map(_unpacked, packed), map(os.fsencode, run)]
    return map(os.fsdecode, heapq.merge(*runs))


def _sorted(names: list[str]) -> list[str]:
    if all(map(str.isascii, names)):
        return sorted(names)  # the order of their bytes, without making them
    return sorted(names, key=os.fsencode)


def _unpacked(names: bytes) -> Iterator[bytes]:
    """Take names out of a pack one by one: a string each is six times their bytes."""
    start = 0
    while (end := names.find(b"\0", start)) >= 0:
        yield names[start:end]
        start = end + 1
    yield names[start:]
