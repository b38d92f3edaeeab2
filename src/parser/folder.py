"""The images of a folder tree."""

import os
import stat
from collections.abc import Iterator

from .members import Entry, Member, NotImage, Unreadable
from .names import key_of_name

__all__ = ["list_folder"]

_SPECIAL = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def list_folder(root: str, prefix: str = "") -> Iterator[Entry]:
    """The files below a folder, depth first, the names of each directory in the order of their bytes.

    Links are not followed. Memory holds the names of one directory and of those above it.

    Args:
        root: the folder.
        prefix: put before every key.

    Yields:
        A Member for each regular file; NotImage for links, pipes and devices; Unreadable for what the
        file system refuses.
    """
    top = root.rstrip("/") + "/"
    start = len(top)
    levels = [(top, iter(_names(root)))]
    while levels:
        folder, names = levels[-1]
        for name in names:
            path = folder + name
            try:
                status = os.lstat(path)
                if stat.S_ISDIR(status.st_mode):
                    levels.append((path + "/", iter(_names(path))))
                    break
            except OSError as error:
                yield Unreadable(key_of_name(path[start:], prefix), "ReadError", error.strerror or str(error))
                continue
            key = key_of_name(path[start:], prefix)
            if stat.S_ISREG(status.st_mode):
                yield Member(key, path, 0, status.st_size, status.st_size, status.st_mtime_ns)
            else:
                yield NotImage(key, _SPECIAL.get(stat.S_IFMT(status.st_mode), "special file"))
        else:
            levels.pop()


def _names(folder: str) -> list[str]:
    names = os.listdir(folder)  # noqa: PTH208  # paths of their own cost memory
    if all(map(str.isascii, names)):
        return sorted(names)  # the order of their bytes, without making them
    return sorted(names, key=os.fsencode)
