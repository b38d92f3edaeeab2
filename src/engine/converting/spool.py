"""Holds bytes that only the parent can read, for workers: in memory within a budget, or in files."""

import threading
from pathlib import Path

from ...errors import StorageError
from ...parser.archives.blocks import Damage, Passing
from ...parser.archives.members import Member
from ..machine.new_file import NewFile
from ..records import Unit

__all__ = ["Spool", "travel_budget"]

_LARGE = 4 << 20  # a member of more bytes always goes to a file
_PIECE = 1 << 20
_FILE_BYTES = 32 << 20  # bytes after which another file begins
_LEAST, _MOST = 32 << 20, 256 << 20
_MOST_IN_FILES = 256 << 20


def travel_budget(unit_bytes: int, workers: int) -> int:
    """Return how many bytes may travel in memory: those of all units under way, within 32 and 256 MiB."""
    return min(max(_LEAST, (2 * workers + 3) * unit_bytes), _MOST)


class Spool:
    """Keeps the bytes of members from the moment they pass by until their unit is done.

    Args:
        folder: folder for files; its maker removes it.
        budget: most bytes held in memory at a time.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        self._folder = folder
        self._budget = budget
        self._lock = threading.Lock()
        self._in_memory = self._in_files = 0
        self._file: NewFile | None = None  # the one being written
        self._count = 0
        self._kept: dict[str, int] = {}  # members not done, by file
        self._passed: Passing | None = None  # the one read last
        self._last: Member | None = None  # with its bytes

    def room(self) -> bool:
        """Return whether another unit may be drawn while some are under way: files are bounded too."""
        return self._in_files < _MOST_IN_FILES

    def load(self, member: Member) -> Member | None:
        """Return a member with bytes that stay; None if they cannot be read.

        Raises:
            StorageError: a file cannot be written.
        """
        passing, size = member.data, member.size
        if passing is None:
            return member
        if isinstance(passing, bytes):  # the first bytes of a member that is not wanted
            with self._lock:
                self._in_memory += len(passing)
            return member
        if passing is self._passed and self._last is not None:
            return self._same_bytes(member, self._last)
        with self._lock:
            in_memory = size < _LARGE and self._in_memory + size <= self._budget
            if in_memory:
                self._in_memory += size
        try:
            loaded = member._replace(data=passing.read(size)) if in_memory else self._write(member, passing)
        except Damage:
            if in_memory:
                with self._lock:
                    self._in_memory -= size
            return None
        except OSError as error:
            raise StorageError(
                f"cannot write into {self._folder.parent}: {error.strerror or error}"
            ) from error
        self._remember(passing, loaded)
        return loaded

    def _same_bytes(self, member: Member, last: Member) -> Member:
        """Give a link the bytes that the member before it was loaded with."""
        with self._lock:
            if last.data is not None:
                self._in_memory += last.size
            else:
                self._in_files += last.size
                self._kept[last.path] += 1
        return member._replace(path=last.path, offset=last.offset, data=last.data)

    def _remember(self, passing: Passing | None, loaded: Member | None) -> None:
        """Hold the bytes of the member that was loaded last, since links to it may follow."""
        with self._lock:
            last, self._passed, self._last = self._last, passing, loaded
            if loaded is not None and loaded.data is None:
                self._kept[loaded.path] += 1
            if last is not None and last.data is None:
                self._kept[last.path] -= 1
                self._remove_if_done(last.path)

    def release(self, unit: Unit) -> None:
        """Forget the bytes of a unit that is done."""
        with self._lock:
            if not self._in_memory and not self._kept:
                return
            for _, member in unit.members:
                if isinstance(member.data, bytes):
                    self._in_memory -= len(member.data)
                elif member.path in self._kept:
                    self._in_files -= member.size
                    self._kept[member.path] -= 1
                    self._remove_if_done(member.path)

    def close(self) -> None:
        """Close the file that is being written."""
        self._remember(None, None)
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _write(self, member: Member, passing: Passing) -> Member:
        """Put a member's bytes into a file."""
        file = self._file
        if file is None:
            self._count += 1
            file = self._file = NewFile(self._folder / f"passing-{self._count}")
            file.write(bytes(1))  # offset 0 means that a member has its own file
            self._kept[file.path] = 0
        offset = file.tell()
        left = member.size
        while left:
            left -= file.write(passing.read(min(left, _PIECE)))
        file.flush()
        with self._lock:
            self._in_files += member.size
            self._kept[file.path] += 1
            if file.size >= _FILE_BYTES:
                file.close()
                self._file = None
        return member._replace(path=file.path, offset=offset, data=None)

    def _remove_if_done(self, path: str) -> None:
        if not self._kept[path] and (self._file is None or self._file.path != path):
            del self._kept[path]
            Path(path).unlink(missing_ok=True)
