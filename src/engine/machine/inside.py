"""Opens files inside a folder from the folder's descriptor, without following a link on the way."""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Descriptor", "Folder"]

# O_PATH, if the system has it, needs no permission to list a folder.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
# Errors of deleting a file that mean it is not there, or something else is.
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR}
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Descriptor:
    """An open file or folder, closed with the last reference to it, since other threads may still be reading.

    Attributes:
        number: the file descriptor.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Close the descriptor now; closing again does nothing."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


class Folder(Descriptor):
    """A folder that stays the same while it is open, whatever happens to its name.

    Args:
        path: the folder; links that lead to it are followed.
    """

    __slots__ = ("_last",)

    def __init__(self, path: Path) -> None:
        super().__init__(-1)
        self.number = os.open(path, _FOLDER)
        self._last: tuple[Sequence[str], Descriptor] | None = None

    def close(self) -> None:
        """Close the folder, and the one that was kept open below it."""
        self._last = None
        super().close()

    def open(self, folders: Sequence[str], name: str) -> int:
        """Open a regular file for reading, and return its descriptor.

        Args:
            folders: names of the folders that lead to it.
            name: its own name.

        Raises:
            OSError: the file or one of the folders is a link or of another kind, or cannot be opened.
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
        """Return whether the name is a regular file that no link leads to."""
        try:
            found = os.stat(name, dir_fd=self.below(folders).number, follow_symlinks=False)
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode)

    def remove(self, folders: Sequence[str], name: str) -> None:
        """Delete a file, or a link itself; folders, and what links lead to, stay."""
        try:
            os.unlink(name, dir_fd=self.below(folders).number)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise

    def below(self, folders: Sequence[str], made: dict[tuple[str, ...], None] | None = None) -> Descriptor:
        """Return the folder that these names lead to; the last one asked for is kept open.

        Args:
            folders: names of folders, each inside the one before.
            made: if given, missing folders are made, and the names that lead to the parent of each are added.

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
    """Return an error of opening a name in a folder, replaced by a clearer one if the name is a link."""
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, f"{name} is a link, which could lead out of the dataset", name)
    return error
