"""Archives whose entries stand for each other: links, and names that occur twice, where the last one counts.

What an entry is only the whole listing tells, so the archive is listed twice: first its names are gathered,
then its entries are yielded, each member followed by the links to it.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final, TypeAlias

from ..images.signature import claims_image
from .blocks import Passing
from .members import Entry, Link, Member, NotImage, Unreadable
from .names import key_of_text
from .spilled import no_room, spilled_database

__all__ = ["REPLACED", "linked"]

REPLACED: Final = "replaced by a later entry of the same name"

_LINK_ERROR: Final = "LinkError"
_LIES_IN: Final = "link to a folder that it lies in: its images are read under their own names"
_LONGEST_MESSAGE: Final = 500
_FILE, _SYMBOLIC, _OTHER = range(3)
_IS_REPLACED, _HAS_LINKS = 1, 2
_MOST_HOPS: Final = 40  # links on one way, as Linux has it
_LONGEST_WAY: Final = 1 << 14  # characters
_STEPS: Final = 32  # from folder to folder a link, on the whole
_SPARE_STEPS: Final = 1 << 16  # beyond those
_VISITS: Final = 8  # of links an entry, on the whole
_SPARE_VISITS: Final = 1 << 13  # beyond those
_TABLES: Final = (
    # What a name stands for at last: a member, `root` being its place; a symbolic link; neither.
    """CREATE TABLE names (name TEXT PRIMARY KEY, place INTEGER, key TEXT, kind INTEGER, root INTEGER,
       size INTEGER, target TEXT, within TEXT) WITHOUT ROWID""",
    "CREATE TABLE links (place INTEGER PRIMARY KEY, name TEXT, key TEXT, target TEXT, within TEXT)",
    "CREATE TABLE given (root INTEGER, place INTEGER, key TEXT, PRIMARY KEY (root, place, key))",
    "CREATE TABLE said (place INTEGER PRIMARY KEY, message TEXT, fails INTEGER)",
)
_PUT_NAME: Final = "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_LINK: Final = "INSERT INTO links VALUES (?, ?, ?, ?, ?)"

_Found: TypeAlias = tuple[int, int, int, str, str]
"""A name's kind, root, size, target and the beginning of its archive's keys."""


def linked(ahead: Iterator[Entry], entries: Iterator[Entry], budget: float) -> Iterator[Entry]:
    """List an archive as it is once all of it is unpacked.

    Of two entries of one name the last one counts; the first is NotImage then. A link is a member with the
    bytes of the one that it leads to, yielded behind that; a link into a folder is one for each member that
    the folder holds. Links that lead to nothing, or out of the archive, are Unreadable where they are named
    like images, else NotImage.

    Args:
        ahead: lists the archive, for its names.
        entries: lists it again, for what it holds.
        budget: bytes that all links together may stand for.

    Raises:
        StorageError: there is no room for a temporary file.
    """
    names = _Names(budget)
    try:
        try:
            for place, entry in enumerate(ahead):
                names.add(place, entry)
            names.resolve()
        except sqlite3.Error as error:
            raise no_room(error) from error
        for place, entry in enumerate(entries):
            yield from names.entry(place, entry)
    finally:
        names.close()


class _LostError(Exception):
    """A way leads to no name; the text says where it leads."""


class _Names:
    """What the names of an archive stand for: it is told of every entry, then asked for each.

    Args:
        budget: bytes that all links together may stand for.
    """

    def __init__(self, budget: float) -> None:
        self._db = spilled_database(*_TABLES)
        self._flags = bytearray()  # by place
        self._left = budget
        self._steps, self._visits = _SPARE_STEPS, _SPARE_VISITS

    def close(self) -> None:
        self._db.close()

    def add(self, place: int, entry: Entry) -> None:
        """Take in the next entry."""
        if place == len(self._flags):
            self._flags.extend(bytes(max(4096, place // 4)))
        self._visits += _VISITS
        name = _plain(entry.key)
        found: _Found = (_OTHER, 0, 0, "", "")
        if isinstance(entry, Member):
            found = (_FILE, place, entry.size, "", "")
        elif isinstance(entry, Link) and not entry.hard:
            found = (_SYMBOLIC, 0, 0, entry.target, entry.within)
        elif isinstance(entry, Link):
            earlier = self._find(_plain(key_of_text(entry.target, entry.within)))
            if earlier is None:
                missing = f"a hard link to {entry.target}, which the archive does not hold before it"
                self._say(place, missing, claims_image(entry.key) or claims_image(entry.target))
                return  # nothing was made of it, so that it replaces nothing
            found = earlier
            if found[0] == _FILE:
                self._give(found, place, entry.key)
            elif found[0] == _OTHER:
                self._say(place, f"a hard link to {entry.target}, which is no file")
        kind, _, _, target, within = found
        if kind == _SYMBOLIC:
            self._db.execute(_PUT_LINK, (place, name, entry.key, target, within))
        before = self._db.execute("SELECT place, key FROM names WHERE name = ?", (name,)).fetchone()
        if before is not None and before[1] == entry.key:
            self._flags[before[0]] |= _IS_REPLACED
        self._db.execute(_PUT_NAME, (name, place, entry.key, *found))

    def resolve(self) -> None:
        """Find what the symbolic links lead to, now that all names are known."""
        links = self._db.execute("SELECT place, name, key, target, within FROM links ORDER BY place")
        for place, name, key, target, within in links:
            if self._flags[place] & _IS_REPLACED:
                continue
            leads_to = f"a symbolic link to {target}"
            try:
                way = self._follow(name, target, within)
            except _LostError as error:
                self._say(place, f"{leads_to}, {error}", claims_image(key) or claims_image(target))
                continue
            found = self._find(way)
            if found is not None and found[0] == _FILE:
                self._give(found, place, key)
            elif found is not None:
                self._say(place, f"{leads_to}, which is no file")
            elif way != within and not self._holds(way):
                missing = f"{leads_to}, which is not in the archive"
                self._say(place, missing, claims_image(key) or claims_image(target))
            elif _lies_in(name, way):
                self._say(
                    place, "link to a folder that it lies in: its images are read under their own names"
                )
            else:
                self._enter(place, key, way, (name, way))

    def entry(self, place: int, entry: Entry) -> Iterator[Entry]:
        """Yield what an entry is, and the links to it."""
        flags = self._flags[place] if place < len(self._flags) else 0
        if flags & _IS_REPLACED:
            yield NotImage(entry.key, REPLACED)
        elif isinstance(entry, Link):
            said = self._db.execute("SELECT message, fails FROM said WHERE place = ?", (place,)).fetchone()
            if said is not None:
                message, fails = said
                yield Unreadable(entry.key, _LINK_ERROR, message) if fails else NotImage(entry.key, message)
        else:
            yield entry
        if flags & _HAS_LINKS and isinstance(entry, Member):
            statement = "SELECT key, place FROM given WHERE root = ? ORDER BY place, key"
            for key, link in self._db.execute(statement, (place,)):
                if not self._flags[link] & _IS_REPLACED:
                    yield entry._replace(key=key)
                    if isinstance(entry.data, Passing) and entry.data.damage is not None:
                        yield Unreadable(key, _LINK_ERROR, f"a link to {entry.key}, which cannot be read")

    def _find(self, name: str) -> _Found | None:
        statement = "SELECT kind, root, size, target, within FROM names WHERE name = ?"
        found: _Found | None = self._db.execute(statement, (name,)).fetchone()
        return found

    def _holds(self, folder: str) -> bool:
        statement = "SELECT 1 FROM names WHERE name >= ? AND name < ? LIMIT 1"
        return self._db.execute(statement, _inside(folder)).fetchone() is not None

    def _say(self, place: int, message: str, claim: str | None = None) -> None:
        """Remember why nothing, or not all, came of a link: a failure where an image is claimed."""
        row = (place, message[:_LONGEST_MESSAGE], claim is not None)
        self._db.execute("INSERT OR IGNORE INTO said VALUES (?, ?, ?)", row)

    def _give(self, found: _Found, place: int, key: str) -> None:
        """Have a member yielded under the key of a link too."""
        _, root, size, *_ = found
        self._left -= size
        if self._left < 0:
            self._say(place, "links stand for more bytes than the budget of the archive allows", "image")
            return
        self._db.execute("INSERT OR IGNORE INTO given VALUES (?, ?, ?)", (root, place, key))
        self._flags[root] |= _HAS_LINKS

    def _enter(self, place: int, key: str, folder: str, chain: tuple[str, ...]) -> None:
        """Give the members of a folder to a link into it, and those that links in it lead to."""
        statement = "SELECT name, kind, root, size, target, within FROM names WHERE name >= ? AND name < ?"
        for name, *row in self._db.execute(statement, _inside(folder)):
            self._visits -= 1
            if self._visits < 0 or len(chain) > _MOST_HOPS:
                self._say(place, "links lead into folders in too many ways: not all of it is read", "image")
                return
            own = f"{key}/{name[len(folder) + 1 :]}"
            found: _Found | None = (*row,)
            kind, _, _, target, within = row
            if kind == _SYMBOLIC:
                try:
                    way = self._follow(name, target, within)
                except _LostError:
                    continue  # it is said of the link itself
                found = self._find(way)
                if found is None and not any(_lies_in(one, way) for one in (*chain, name)):
                    self._enter(place, own, way, (*chain, way))
            if found is not None and found[0] == _FILE and self._find(_plain(own)) is None:
                self._give(found, place, own)

    def _follow(self, name: str, target: str, within: str) -> str:
        """Return the name that a symbolic link leads to, free of links.

        Raises:
            _LostError: there is none.
        """
        ahead = [*name[len(within) :].split("/")[:-1], *target.split("/")][::-1]
        outside = target.startswith("/")
        way: list[str] = []
        hops = length = 0
        self._steps += _STEPS
        while ahead and not outside:
            part = ahead.pop()
            self._steps -= 1
            if self._steps < 0 or length > _LONGEST_WAY:
                raise _LostError("which leads through too many folders")
            if part == "..":
                outside = not way
                length -= len(way.pop()) if way else 0
            elif part not in {"", "."}:
                way.append(part)
                length += len(part)
                found = self._find(within + "/".join(way))
                if found is not None and found[0] == _SYMBOLIC:
                    way.pop()
                    length -= len(part)
                    ahead += found[3].split("/")[::-1]
                    outside = found[3].startswith("/")
                    hops += 1
                    if hops > _MOST_HOPS:
                        raise _LostError("which leads round in circles")
        if outside:
            raise _LostError("which lies outside of the archive")
        return within + "/".join(way) if way else within[:-1]


def _lies_in(name: str, folder: str) -> bool:
    """Return whether a name is a folder's own, or that of something in it."""
    return f"{name}/".startswith(f"{folder}/") or not folder


def _plain(key: str) -> str:
    """Return a key without empty names and dots: `a//b/./c` is the file `a/b/c`."""
    if "//" in key or "/./" in key or key.endswith("/."):
        return "/".join(part for part in key.split("/") if part not in {"", "."})
    return key


def _inside(folder: str) -> tuple[str, str]:
    """Between which names those in a folder are: the character behind `/` is `0`."""
    return f"{folder}/", f"{folder}0"
