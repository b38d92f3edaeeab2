"""A manifest's descriptor that stays open while the process has connections to the manifest.

POSIX takes all of a process's locks on a file away when the process closes any descriptor of that file, those
that sqlite holds included: another process could then write what this one is reading.
"""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["FLAGS", "HeldFile"]

FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_PIECE: Final = 1 << 20


@dataclass(slots=True)
class _Shared:
    """The descriptors of one file, and how many hold them."""

    descriptors: list[int] = field(default_factory=list)
    holders: int = 0


_files: dict[tuple[int, int], _Shared] = {}
_lock = threading.RLock()  # a collection of garbage may release a file while another is being opened


class HeldFile:
    """A file, open for reading; its descriptor is shared by all that hold the same file.

    Args:
        path: of the file; a link is not followed.

    Attributes:
        number: the descriptor, to be read at given offsets.

    Raises:
        OSError: it cannot be opened.
    """

    __slots__ = ("_key", "number")

    def __init__(self, path: Path) -> None:
        self._key: tuple[int, int] | None = None
        with _lock:
            key = _key_of(os.lstat(path)) if _files else None
            if key not in _files:
                number = os.open(path, FLAGS)
                key = _key_of(os.fstat(number))
                _files.setdefault(key, _Shared()).descriptors.append(number)
            assert key is not None
            shared = _files[key]
            shared.holders += 1
            self._key, self.number = key, shared.descriptors[0]

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes from an offset on, fewer at the end of the file."""
        return os.pread(self.number, count, offset)

    def copy(self, path: Path) -> None:
        """Copy all bytes into another file."""
        with path.open("wb") as copy:
            while piece := self.read(copy.tell(), _PIECE):
                copy.write(piece)

    def close(self) -> None:
        """Let go of the file; the last one to do so closes it."""
        with _lock:
            key, self._key = self._key, None
            if key is None:
                return
            shared = _files[key]
            shared.holders -= 1
            if not shared.holders:
                del _files[key]
                for number in shared.descriptors:
                    os.close(number)

    def __del__(self) -> None:
        self.close()


def _key_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold it
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
