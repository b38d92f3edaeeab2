"""What a run remembers of a listing: keys seen, ordinals kept, source bytes to come."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import DatasetError
from ...parser.archives.listing import Source
from ...parser.archives.spilled import no_room, spilled_database
from ..datasets.member_records import DATASET, array_bytes, is_dataset

__all__ = ["DistinctKeys", "KeptOrdinals", "SeenKeys", "SourceSize", "keys_of"]

_PIECE = 4096  # ordinals


class SeenKeys:
    """Tells whether a key occurs for the first time, exactly, in bounded memory."""

    def __init__(self) -> None:
        self._db = spilled_database(
            "CREATE TABLE seen (key TEXT PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE again (key TEXT PRIMARY KEY) WITHOUT ROWID",
        )

    def first_time(self, key: str) -> bool:
        """Return True at the first call with this key.

        Raises:
            StorageError: there is no room for the temporary file.
        """
        try:
            if self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1:
                return True
            self._db.execute("INSERT OR IGNORE INTO again VALUES (?)", (key,))
        except sqlite3.Error as error:
            raise no_room(error) from error
        return False

    def again(self) -> Iterator[str]:
        """Yield the keys that occurred more than once."""
        for (key,) in self._db.execute("SELECT key FROM again"):
            yield key

    def close(self) -> None:
        """Delete the database."""
        self._db.close()


class DistinctKeys:
    """Replaces SeenKeys if no key can occur twice."""

    def first_time(self, _key: str) -> bool:
        """Return True."""
        return True

    def again(self) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing."""


def keys_of(sources: Sequence[Source]) -> SeenKeys | DistinctKeys:
    """Return a record of the keys seen in these sources; one folder, or one dataset, has no name twice."""
    plain = [source.kind in {"folder", DATASET} and not source.nested for source in sources]
    return DistinctKeys() if plain == [True] else SeenKeys()


class KeptOrdinals:
    """A set of ordinals, one byte each, in pieces, since a manifest can name any ordinal."""

    def __init__(self) -> None:
        self._pieces: dict[int, bytearray] = {}

    def add(self, ordinal: int) -> None:
        """Add an ordinal."""
        number, place = divmod(ordinal, _PIECE)
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = bytearray(_PIECE)
        piece[place] = 1

    def __contains__(self, ordinal: int) -> bool:
        number, place = divmod(ordinal, _PIECE)
        piece = self._pieces.get(number)
        return piece is not None and piece[place] == 1


class SourceSize:
    """Adds up the bytes of all sources, of datasets those of their arrays, in a thread for progress.

    Args:
        sources: folders and files.

    Attributes:
        total: bytes of all sources; None until they are known.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        self._sources = sources
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.total: int | None = None

    def start(self) -> None:
        """Begin to count; calling it again does nothing."""
        if self._thread is None:
            thread = threading.Thread(target=self._measure, name="source-size", daemon=True)
            with suppress(RuntimeError):  # no thread can start: the bytes stay unknown
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
            if is_dataset(source):
                with suppress(DatasetError):
                    total += array_bytes(source)
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
