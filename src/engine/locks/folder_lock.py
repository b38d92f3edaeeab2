"""One writer at a time in a dataset's folder."""

import fcntl
import os
from pathlib import Path

from ...errors import StorageError
from .lock_file import LockFile

__all__ = ["FolderLock", "is_locked"]


def is_locked(folder: Path) -> bool:
    """Return whether a convert holds the lock of a folder, where flock(2) tells.

    Raises:
        OSError: the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: opening the manifest looks at the lock file
        return False
    finally:
        os.close(descriptor)
    return False


class FolderLock:
    """Keeps other converts out of a folder: by flock(2), or by a lock file if the file system cannot lock.

    A crash leaves no flock behind; a lock file that it leaves is recognised by others.

    Args:
        folder: that is there.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._file: LockFile | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            StorageError: another convert holds it.
            OSError: the folder cannot be written.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(
                f"another convert is writing into {self._folder}: wait for it, or choose another destination"
            ) from error
        except OSError:
            self.show()

    def show(self) -> None:
        """Make the lock file too, for readers that sqlite's own locks do not reach.

        Raises:
            StorageError: another convert has one.
            OSError: the folder cannot be written.
        """
        if self._file is None:
            file = LockFile(self._folder)
            file.take()
            self._file = file

    def check(self) -> None:
        """Check that the lock is still held.

        Raises:
            StorageError: it was taken over.
        """
        if self._file is not None:
            self._file.check()

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.release()
        os.close(self._descriptor)
