"""Finds names that a file system takes for the same, because it ignores case or Unicode forms of letters."""

import os
import shutil
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...errors import StorageError

__all__ = ["NameTwins", "name_twins"]

_PROBE = "Name-\N{LATIN SMALL LETTER E WITH ACUTE}"
_LIKE_IT = (_PROBE.lower(), _PROBE.upper(), unicodedata.normalize("NFD", _PROBE), f"{_PROBE}.", f"{_PROBE} ")


class NameTwins:
    """Finds keys that would share a file with an earlier key, by asking the file system itself.

    Args:
        folder: a new one on the file system of the files.
        suffix: put behind a key to make its file's name.

    Attributes:
        exist: whether there can be any.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix
        self._db: sqlite3.Connection | None = None
        folder.mkdir(parents=True)
        self.exist = any(self._are_one(_PROBE, other) for other in _LIKE_IT)

    def remember(self, keys: Iterable[str]) -> None:
        """Remember keys that have their files already, unless there can be no twins."""
        for key in keys if self.exist else ():
            self.earlier(key)

    def earlier(self, key: str) -> str | None:
        """Return the key that has this key's file; None if no other key has it.

        Raises:
            StorageError: there is no room for the temporary file that holds the keys.
        """
        if not self.exist:
            return None
        try:
            return self._earlier(key)
        except sqlite3.Error as error:
            raise StorageError(
                f"cannot write a temporary file: {error}; free space, or name another folder in TMPDIR"
            ) from error

    def close(self) -> None:
        """Delete the folder and the keys."""
        if self._db is not None:
            self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _earlier(self, key: str) -> str | None:
        if self._db is None:
            self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            for statement in (
                "PRAGMA synchronous = OFF",
                "PRAGMA journal_mode = OFF",
                "CREATE TABLE keys (folded TEXT, key TEXT, PRIMARY KEY (folded, key)) WITHOUT ROWID",
                "BEGIN",
            ):
                self._db.execute(statement)
        folded = "/".join(map(_folded, key.split("/")))
        for (other,) in self._db.execute("SELECT key FROM keys WHERE folded = ?", (folded,)).fetchall():
            if other == key:
                return None
            if self._same_file(other, key):
                return str(other)
        self._db.execute("INSERT INTO keys VALUES (?, ?)", (folded, key))
        return None

    def _same_file(self, one: str, other: str) -> bool:
        """Return whether two keys lead to one file, comparing them name by name."""
        mine, theirs = f"{one}{self._suffix}".split("/"), f"{other}{self._suffix}".split("/")
        return len(mine) == len(theirs) and all(
            name == like or self._are_one(name, like) for name, like in zip(mine, theirs, strict=True)
        )

    def _are_one(self, name: str, other: str) -> bool:
        """Return whether the file system finds a file of one name under the other."""
        path = self._folder / name
        try:
            path.touch()
        except (OSError, ValueError):
            return False
        try:
            return os.path.lexists(self._folder / other)
        finally:
            path.unlink()


@contextmanager
def name_twins(folder: Path, suffix: str, keys: Iterable[str] | None) -> Iterator[NameTwins | None]:
    """Yield what finds keys that would share a file; None if every key has its own.

    Args:
        folder: a new one in the folder of what is unfinished.
        suffix: put behind a key to make its file's name.
        keys: keys that have their files already; None if keys have no files of their own.

    Raises:
        StorageError: the folder cannot be made.
    """
    if keys is None:
        yield None
        return
    try:
        twins = NameTwins(folder, suffix)
    except OSError as error:
        raise StorageError(
            f"cannot write into {folder.parent.parent}: {error.strerror or error};"
            " what was committed stays: free space or fix the cause, then run the same command again"
        ) from error
    with closing(twins):
        twins.remember(keys)
        yield twins if twins.exist else None


def _folded(name: str) -> str:
    """Return a form that is equal for all names that any file system could take for the same."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return unicodedata.normalize("NFKD", plain).rstrip(". ")
