"""The images of a folder tree."""

import heapq
import os
import stat
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter

from .members import Entry, Member, NotImage, Unreadable, storable_time
from .names import key_of_name

__all__ = ["list_folder"]

_NAMES_SORTED = 1 << 15
"""Names of one directory that are held as strings; more are packed, run by run, and merged."""

_name = attrgetter("name")

_SPECIAL = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def list_folder(root: str, prefix: str = "") -> Iterator[Entry]:
    """The files below a folder, depth first, the names of each directory in the order of their bytes.

    Links are not followed. Memory holds the names of one directory and of those above it, as bare bytes where
    they are many.

    Args:
        root: the folder.
        prefix: put before every key.

    Yields:
        A Member for each regular file; NotImage for links, pipes and devices; Unreadable for what the
        file system refuses.
    """
    levels = [(root.rstrip("/") + "/", prefix, _names(root))]
    while levels:
        folder, before, names = levels[-1]
        for name in names:
            path = folder + name
            key = before + name if name.isascii() else key_of_name(name, before)
            try:
                status = os.lstat(path)
                kind = stat.S_IFMT(status.st_mode)
                if kind == stat.S_IFDIR:
                    levels.append((path + "/", key + "/", _names(path)))
                    break
            except OSError as error:
                yield Unreadable(key, "ReadError", error.strerror or str(error))
                continue
            if kind == stat.S_IFREG:
                size = status.st_size
                yield Member(key, path, 0, size, size, storable_time(status.st_mtime_ns))
            else:
                yield NotImage(key, _SPECIAL.get(kind, "special file"))
        else:
            levels.pop()


def _names(folder: str) -> Iterator[str]:
    """The names in a directory, which is read to its end at once, in the order of their bytes."""
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
