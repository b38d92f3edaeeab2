"""What lies inside a folder, opened from a descriptor of it and without following a link on the way."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Descriptor", "Folder"]

# O_PATH, where there is one, needs no permission to list a folder.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
# What stands in the way of a file that is to go: nothing, or something else than it.
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR}
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Descriptor:
    """An open file or folder, closed with the last reference to it: other threads may still be reading.

    Attributes:
        number: of the descriptor.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Close it now; closing again does nothing."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


class Folder(Descriptor):
    """A folder that stays the same one while it is open, whatever becomes of its name.

    Args:
        path: of the folder itself, where links are followed.
    """

    __slots__ = ("_last",)

    def __init__(self, path: Path) -> None:
        super().__init__(-1)
        self.number = os.open(path, _FOLDER)
        self._last: tuple[Sequence[str], Descriptor] | None = None

    def close(self) -> None:
        """Close it and the folder that was kept open in it."""
        self._last = None
        super().close()

    def open(self, folders: Sequence[str], name: str) -> int:
        """Open a regular file for reading, and return its descriptor.

        Args:
            folders: names of the folders that lead to it.
            name: its own name.

        Raises:
            OSError: it or one of the folders is a link, or something else than that; or cannot be opened.
        """
        above = self.below(folders)
        try:
            descriptor = os.open(name, _FILE, dir_fd=above.number)
        except OSError as error:
            raise _explained(error, above.number, name) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file", name)
        return descriptor

    def holds(self, folders: Sequence[str], name: str) -> bool:
        """Whether there is a regular file behind no link."""
        try:
            found = os.stat(name, dir_fd=self.below(folders).number, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode)

    def remove(self, folders: Sequence[str], name: str) -> None:
        """Delete a file, or the link of that name; no folder, and nothing that other folders lead to."""
        try:
            os.unlink(name, dir_fd=self.below(folders).number)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise

    def below(self, folders: Sequence[str], made: dict[tuple[str, ...], None] | None = None) -> Descriptor:
        """Return the folder that these names lead to; the last one asked for is kept open.

        Args:
            folders: names of folders, each inside of the one before.
            made: make those that are missing, and add the names that lead to what each was made in.

        Raises:
            OSError: one is a link or no folder, or cannot be opened or made.
        """
        if not folders:
            return self
        last = self._last
        if last is None or last[0] != folders:
            at: Descriptor = self
            for depth, name in enumerate(folders):
                try:
                    try:
                        descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at.number)
                    except FileNotFoundError:
                        if made is None:
                            raise
                        with suppress(FileExistsError):  # by another worker
                            os.mkdir(name, dir_fd=at.number)
                        made[tuple(folders[:depth])] = None
                        descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=at.number)
                except OSError as error:
                    raise _explained(error, at.number, name) from error
                at = Descriptor(descriptor)
            last = self._last = (folders, at)
        return last[1]

    def flush(self, folders: Sequence[str]) -> None:
        """Make the entries of the folder that these names lead to durable."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        descriptor = os.open(".", flags, dir_fd=self.below(folders).number)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(error: OSError, folder: int, name: str) -> OSError:
    """An error of opening a name in a folder, that says so where the name is a link's."""
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, f"{name} is a link, which could lead out of the dataset", name)
    return error
