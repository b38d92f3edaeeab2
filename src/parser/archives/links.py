"""Where the symbolic links of a folder tree lead, and which of them are followed."""

import errno
import os
import stat
from collections import Counter
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..images.signature import claims_image
from .members import NotImage, Unreadable
from .names import shown_path

__all__ = ["SPECIAL", "Identity", "Links", "Target", "identity_of", "refused_descent"]

SPECIAL: Final = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

_LINK_ERROR: Final = "LinkError"
_MOST_DESCENTS: Final = 64
"""Times that links below linked folders may lead to one folder: such links can double with every level."""

Identity: TypeAlias = tuple[int, int]
"""Device and inode: the same file, whatever its path."""


@dataclass(frozen=True, slots=True)
class Target:
    """A regular file or a folder that a link leads to.

    Attributes:
        path: absolute, free of links when it was resolved.
        status: of the file or folder itself.
    """

    path: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)


class Links:
    """Resolves the links of one tree.

    Args:
        root: the tree's folder, absolute and free of links.
        follow: also the links that lead out of it.
    """

    def __init__(self, root: str, *, follow: bool) -> None:
        self._root = root
        self._below = root.rstrip("/") + "/"
        self._follow = follow
        self._descents: Counter[Identity] = Counter()

    def target(self, path: str, key: str) -> Target | NotImage | Unreadable:
        """Return what a link leads to, or what is to be said of it instead."""
        try:
            found = _resolve(path)
        except OSError as error:
            return _broken(path, key, error)
        kind = stat.S_IFMT(found.status.st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFDIR}:
            return NotImage(key, f"symbolic link to a {SPECIAL.get(kind, 'special file')}")
        if self._follow or found.path == self._root or found.path.startswith(self._below):
            return found
        message = f"a link that leads outside the source, to {shown_path(found.path)}: add --follow-links"
        return Unreadable(key, _LINK_ERROR, message)

    def may_descend(self, target: Target) -> bool:
        """Return whether a folder that links below linked folders lead to may be listed once more."""
        identity = identity_of(target.status)
        self._descents[identity] += 1
        return self._descents[identity] <= _MOST_DESCENTS


def refused_descent(key: str) -> Unreadable:
    """Return what is said of a link into a folder that links lead to too often."""
    message = f"links lead to its folder in more than {_MOST_DESCENTS} ways: it is not read in one more"
    return Unreadable(key, _LINK_ERROR, message)


def identity_of(status: os.stat_result) -> Identity:
    """Device and inode of a file or folder."""
    return status.st_dev, status.st_ino


def _resolve(path: str) -> Target:
    """Follow a link to its end; path and status are of one and the same file, whatever changes meanwhile."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        try:
            real = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - paths are text here
        except FileNotFoundError:  # no /proc
            real = os.path.realpath(path, strict=True)
    finally:
        os.close(descriptor)
    return Target(real, status)


def _broken(path: str, key: str, error: OSError) -> NotImage | Unreadable:
    """Return what is said of a link that leads to nothing."""
    try:
        leads_to = shown_path(os.readlink(path))  # noqa: PTH115
    except OSError:
        leads_to = "an unknown place"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        message = f"a broken link: {leads_to} does not exist"
    elif error.errno == errno.ELOOP:
        message = f"a broken link: {leads_to} leads round in circles"
    else:
        return Unreadable(key, _LINK_ERROR, f"a link to {leads_to}: {error.strerror or error}")
    return Unreadable(key, _LINK_ERROR, message) if claims_image(key) else NotImage(key, message)
