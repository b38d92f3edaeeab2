"""What a run remembers about a listing that goes by: keys met, ordinals kept, source bytes ahead."""

import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import StorageError

__all__ = ["KeptOrdinals", "SeenKeys", "SourceSize"]


class SeenKeys:
    """Tells whether a key occurs for the first time, exactly, in bounded memory.

    The keys go into a private sqlite database that spills to a temporary file.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -4000")
        self._db.execute("CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def first_time(self, key: str) -> bool:
        """Return True at the first call with this key.

        Raises:
            StorageError: there is no room for the temporary file.
        """
        try:
            return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1
        except sqlite3.Error as error:
            raise StorageError(
                f"cannot write a temporary file: {error}; make room, or name another folder in TMPDIR"
            ) from error

    def close(self) -> None:
        """Delete the database."""
        self._db.close()


class KeptOrdinals:
    """A set of ordinals, one byte each."""

    def __init__(self) -> None:
        self._flags = bytearray()

    def add(self, ordinal: int) -> None:
        """Put an ordinal in."""
        missing = ordinal + 1 - len(self._flags)
        if missing > 0:
            self._flags.extend(bytes(max(missing, len(self._flags) // 4, 4096)))
        self._flags[ordinal] = 1

    def __contains__(self, ordinal: int) -> bool:
        return ordinal < len(self._flags) and self._flags[ordinal] == 1


class SourceSize:
    """Adds up the bytes of all sources in a thread of its own, for progress and the space estimate.

    Args:
        sources: folders and files.

    Attributes:
        total: bytes, None until they are known.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        self._sources = sources
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.total: int | None = None

    def start(self) -> None:
        """Begin to count, unless that was said before."""
        if self._thread is None:
            thread = threading.Thread(target=self._measure, name="source-size", daemon=True)
            with suppress(RuntimeError):  # no thread can be started: the bytes stay unknown
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Stop counting."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _measure(self) -> None:
        total = 0
        for source in self._sources:
            if not source.is_dir():
                total += source.stat().st_size
                continue
            folders = [os.fspath(source)]
            while folders:
                if self._ended.is_set():
                    return
                try:
                    with os.scandir(folders.pop()) as entries:
                        for entry in entries:
                            if entry.is_dir(follow_symlinks=False):
                                folders.append(entry.path)
                            elif entry.is_file(follow_symlinks=False):
                                total += entry.stat(follow_symlinks=False).st_size
                except OSError:
                    continue
        self.total = total
