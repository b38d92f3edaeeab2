"""Files that appear whole: written aside, flushed, renamed, their folder flushed."""

import ctypes
import errno
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from time import perf_counter_ns as _now
from typing import Any

__all__ = ["PARTIAL_FOLDER", "NewFile", "fsync_paths", "wait_for_writing"]

PARTIAL_FOLDER = ".partial"
_SMALL = 64 * 1024
_BUFFER = 1024 * 1024
_EARLY = 1024 * 1024  # bytes after which the device is told to begin writing
_MEMORY = {"tmpfs", "ramfs"}
_SYNC_FILE_RANGE_WRITE, _SYNC_FILE_RANGE_WAIT = 2, 1 | 2 | 4  # sync_file_range(2)
_CANNOT_WAIT = {errno.ENOSYS, errno.EINVAL, errno.ESPIPE}  # this system or file system does not offer it


class NewFile:
    """A new binary file, seekable and readable, whose writes are complete or raise.

    Small writes are gathered and written together with the next large one, which is not copied.

    Args:
        path: the file; it is emptied if it exists.
        early: let the device start writing before the file is complete, since `commit` waits for all of it.

    Attributes:
        early: the argument; False on tmpfs and ramfs, which have no device to start.
        write_ns: time spent in system calls that write, in ns.
        error: the first error of such a call; a library that calls back may hide it behind its own.
        size: bytes from the start to the last byte written.
    """

    def __init__(self, path: str | os.PathLike[str], *, early: bool = False) -> None:
        self.path = os.fspath(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o666)
        self._pending = bytearray()  # they end at the position
        self._position = 0
        self.early = early and not _in_memory(os.fstat(self._descriptor).st_dev)
        self._begun = 0 if self.early else None  # up to where the device was told to begin
        self.size = 0
        self.write_ns = 0
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all bytes of a C-contiguous buffer at the current position; return how many.

        An empty buffer writes the gathered bytes.
        """
        view = memoryview(data)
        length = view.nbytes
        pending, begun = self._pending, self._begun
        end = self._position + length
        if not length and not pending:
            return 0
        if 0 < length < _SMALL:
            pending.extend(view)
            self._position = end
            if len(pending) >= _BUFFER:
                self.flush()
        else:
            begin = _now()
            start = self._position - len(pending)
            try:
                done = os.pwritev(self._descriptor, (pending, view) if pending else (view,), start)
                if start + done < end:
                    self._put_rest(b"".join((pending, view)), start, done)
            except OSError as error:
                self.error = self.error or error
                raise
            self._position = end
            if pending:
                self._pending = bytearray()
            if begun is not None and end - begun >= _EARLY:
                _begin_writing(self._descriptor, begun, end - begun)
                self._begun = end
            self.write_ns += _now() - begin
        self.size = max(self.size, end)
        return length

    def flush(self) -> None:
        """Hand the gathered bytes to the operating system."""
        if self._pending:
            self.write(b"")

    def _put_rest(self, data: bytes, start: int, done: int) -> None:
        """Write what the first call did not take, in as many calls as that needs."""
        while done < len(data):
            done += os.pwrite(self._descriptor, memoryview(data)[done:], start + done)

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer from the current position; return how many bytes there were."""
        self.flush()
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes from the current position; all of the rest if it is negative."""
        self.flush()
        data = os.pread(self._descriptor, self.size if size < 0 else size, self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if self._position != base + offset:
            self.flush()
            self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the current position, in bytes from the start."""
        return self._position

    def seekable(self) -> bool:
        """Return True, as zipfile asks."""
        return True

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend the file to size, by default the current position."""
        self.flush()
        self.size = self._position if size is None else size
        os.ftruncate(self._descriptor, self.size)
        return self.size

    def raise_own(self, error: BaseException) -> None:
        """Raise the file's own error where a format's library turned it into this other one."""
        if self.error is not None and error is not self.error:
            raise self.error from error

    def commit(self, target: str | os.PathLike[str], *, fsync: bool, folder: int | None = None) -> int:
        """Flush, check the size, close, and rename to the target; return the time fsync took, in ns.

        The target's folder is not flushed: that is done once for many files.

        Args:
            target: the path; below the folder if that is given.
            fsync: make the file's bytes durable before it is renamed.
            folder: an open descriptor.
        """
        self._complete()
        begin = _now()
        if fsync:
            os.fsync(self._descriptor)
        elapsed = _now() - begin
        self._close()
        os.replace(self.path, target, dst_dir_fd=folder)
        return elapsed

    def close(self) -> None:
        """Flush, check the size and close; the file stays where it is, and no fsync was made."""
        self._complete()
        self._close()

    def lay_down(self) -> None:
        """Write what was gathered and give the descriptor back until `take_up`."""
        self.flush()
        self._close()

    def take_up(self) -> None:
        """Go on after `lay_down`; nothing happens where the file is open."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def discard(self) -> None:
        """Close and delete the file."""
        self._close()
        Path(self.path).unlink(missing_ok=True)

    def _complete(self) -> None:
        self.flush()
        actual = os.fstat(self._descriptor).st_size
        if actual != self.size:
            raise OSError(f"{self.path}: {actual} bytes arrived of {self.size} written")

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@cache
def _in_memory(device: int) -> bool:
    """Return whether a file system lives in memory without a device, by proc_pid_mountinfo(5)."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return False
    return any(mount[2] == number and mount[mount.index("-") + 1] in _MEMORY for mount in mounts)


@cache
def _sync_file_range() -> Any:
    """Return the system call; None if the C library has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


def _begin_writing(descriptor: int, start: int, length: int) -> None:
    """Have the device start writing these bytes, and do not wait; fsync will report an error again."""
    function = _sync_file_range()
    if function is not None:
        function(descriptor, start, length, _SYNC_FILE_RANGE_WRITE)


def wait_for_writing(path: str | os.PathLike[str]) -> int:
    """Wait until the device has taken a file's bytes, if the system can tell; return the time in ns.

    That does not make them durable: the device may hold them in its cache.
    """
    begin = _now()
    function = _sync_file_range()
    if function is not None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if function(descriptor, 0, 0, _SYNC_FILE_RANGE_WAIT):
                error = ctypes.get_errno()
                if error not in _CANNOT_WAIT:
                    raise OSError(error, os.strerror(error), os.fspath(path))
        finally:
            os.close(descriptor)
    return _now() - begin


def fsync_paths(paths: Iterable[str | os.PathLike[str]]) -> int:
    """Make the bytes of files, or the entries of folders, durable; return the time in ns.

    Opening a file again reports an error of its write-back that nobody has seen yet.
    """
    begin = _now()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return _now() - begin
