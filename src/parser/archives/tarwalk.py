"""The entries of a tar, header by header, over whatever gives its bytes."""

from collections.abc import Iterator
from typing import Final

from .blocks import CHUNK, Archive, Blocks
from .members import Entry, Link, Member, NotImage, Unreadable, storable_time
from .names import key_of_bytes, place, text_of_bytes
from .sparse import SparseFile, checked_pieces, gnu_pieces, pax_pieces
from .tarheader import BLOCK, ZEROS, is_header, nanoseconds, number, pax_records, stored_name

__all__ = ["TAR_ERROR", "TarWalk"]

TAR_ERROR: Final = "TarError"

_MAX_EXTENDED: Final = 1 << 20  # bytes of a pax header
_MAX_NAME: Final = 1 << 16  # bytes; Linux opens no path of more than 4,095
_MAX_RECORDS: Final = 4096  # of one pax header
_RECORDS_AN_ENTRY: Final = 64  # pax records, on the whole: reading one takes half a microsecond
_SPARE_RECORDS: Final = 1 << 16  # beyond those
_NAMES: Final = frozenset({b"path", b"linkpath", b"GNU.sparse.name"})
_SPARSE: Final = frozenset(
    {b"GNU.sparse.size", b"GNU.sparse.realsize", b"GNU.sparse.map", b"GNU.sparse.major"}
)
_MAX_SIZE: Final = 1 << 62
_SECOND: Final = 1_000_000_000

_REGULAR: Final = frozenset({b"0", b"\0", b"7"})
_EXTENDED: Final = frozenset({b"L", b"K", b"x", b"X", b"g"})
_SILENT: Final = frozenset(
    {b"5", b"D", b"V", b"N", b"A", b"E", b"I"}
)  # folders, labels, lists, Solaris's ACLs
_LINKS: Final = frozenset({b"1", b"2"})
_SPECIAL: Final = {b"3": "character device", b"4": "block device", b"6": "named pipe"}
_WITHOUT_DATA: Final = frozenset({*_LINKS, *_SPECIAL, b"5"})  # whatever their size field says
_CONTINUED: Final = b"M"


class TarWalk:
    """Iterates over the entries of a tar; its members say where their bytes are.

    Args:
        blocks: the tar's bytes; read forwards only.
        archive: what the tar is, and how its names become keys.
        end: length of the tar in bytes, where it is known beforehand.
    """

    def __init__(self, blocks: Blocks, archive: Archive, end: int | None) -> None:
        self._blocks = blocks
        self._path, self._key, self._origin = archive.path, archive.key, archive.origin
        self._prefix, self._encoding = archive.prefix, archive.encoding
        self._end = end
        self._position = 0
        self._ended = False
        self._defaults: dict[bytes, bytes] = {}  # of global pax headers
        self._records = _SPARE_RECORDS  # that may still be read
        self._forget()

    def __iter__(self) -> Iterator[Entry | SparseFile]:
        read = self._blocks.read
        while not self._ended:
            block = read(self._position, BLOCK)
            if len(block) < BLOCK:
                yield self._damage(self._position, "cut off: the archive ends without its end marker")
                return
            if not is_header(block):
                damage = self._recover(block)
                if damage is not None:
                    yield damage
                continue
            kind = block[156:157]
            if kind in _EXTENDED:
                self._extend(block, kind)
                continue
            entry = self._entry(block, kind)
            if self._pax is not self._defaults:
                self._records = min(self._records + _RECORDS_AN_ENTRY, _SPARE_RECORDS)
            self._forget()
            if entry is not None:
                yield entry

    def _forget(self) -> None:
        """Drop what extended headers said of the entry that followed them."""
        self._name: bytes | None = None
        self._target: bytes | None = None
        self._pax = self._defaults
        self._spoiled = ""

    def _damage(self, position: int, message: str) -> Unreadable:
        return Unreadable(place(self._key, position), TAR_ERROR, message)

    def _extend(self, block: bytes, kind: bytes) -> None:
        """Take in an extended header; a damaged one spoils the entry that it belongs to."""
        start = self._position
        self._position += BLOCK
        try:
            size = number(block[124:136])
            if 0 <= size <= (_MAX_SIZE if self._end is None else self._end - self._position):
                self._position += _padded(size)
            if not 0 <= size <= _MAX_EXTENDED:
                raise ValueError(f"an extended header of {size:,} bytes")  # noqa: TRY301  # one way out
            data = self._blocks.read(start + BLOCK, size)
            if kind == b"L":
                self._name = _name(data.partition(b"\0")[0])
            elif kind == b"K":
                self._target = _name(data.partition(b"\0")[0])
            else:
                records = self._read_records(data)
                if kind == b"g":
                    self._defaults = {**self._defaults, **records}
                    self._pax = {**self._defaults, **self._pax}
                elif records:
                    self._pax = {**self._pax, **records}
        except ValueError as error:
            self._spoiled = str(error)

    def _read_records(self, data: bytes) -> dict[bytes, bytes]:
        """Return those of a pax header that a listing needs: there are ten, however many it has."""
        if self._records <= 0:
            most = f"{_RECORDS_AN_ENTRY} an entry and {_SPARE_RECORDS:,} more"
            raise ValueError(f"too many pax records: the budget is {most}")
        self._records -= _MAX_RECORDS  # where it is damaged
        records, count = pax_records(data, _MAX_RECORDS)
        self._records += _MAX_RECORDS - count
        if len(data) > _MAX_NAME:
            for keyword in _NAMES & records.keys():
                _name(records[keyword])
        return records

    def _entry(self, block: bytes, kind: bytes) -> Entry | SparseFile | None:
        start = self._position
        name = stored_name(block) if self._name is None else self._name
        pax = self._pax
        try:
            # Eleven octal digits are the rule; base 256, blanks and NULs are for `number`.
            digits = block[124:135]
            size = int(digits, 8) if digits.isdigit() else number(block[124:136])
            if pax:
                size = int(pax.get(b"size", size))
                name = pax.get(b"GNU.sparse.name") or pax.get(b"path", name)
            if not 0 <= size < _MAX_SIZE:
                raise ValueError(f"a size of {size}")  # noqa: TRY301  # one way out
        except ValueError as error:
            self._resynchronise(start + BLOCK)
            return self._damage(start, f"damaged header: {error}")

        try:
            digits = block[136:147]
            mtime_ns = _SECOND * (int(digits, 8) if digits.isdigit() else number(block[136:148]))
            if b"mtime" in pax:
                mtime_ns = nanoseconds(pax[b"mtime"])
        except ValueError:
            mtime_ns = 0  # no reason to lose an image
        key = key_of_bytes(name, self._prefix, None if b"path" in pax else self._encoding)
        offset = start + BLOCK
        self._position = offset if kind in _WITHOUT_DATA else offset + _padded(size)
        if self._spoiled:  # the name is not to be trusted either
            message = f"its extended header is damaged: {self._spoiled}"
            return Unreadable(key, TAR_ERROR, message) if key else self._damage(start, message)
        if kind in _SILENT or (kind in _REGULAR and name.endswith(b"/")):
            return None
        if not key:
            return self._damage(start, "an entry without a name")
        if kind not in _REGULAR:
            if kind in _SPECIAL:
                return NotImage(key, _SPECIAL[kind])
            if kind == _CONTINUED:
                return Unreadable(key, TAR_ERROR, "continued from another volume: join the volumes first")
            if kind == b"1" and size and self._has_data(offset):
                self._position = offset + _padded(size)
            elif kind in _LINKS:
                return self._link(block, key, hard=kind == b"1")
            # Others are unknown: tar takes them for regular files, as POSIX asks.
        if kind == b"S" or (pax and not _SPARSE.isdisjoint(pax)):
            return self._sparse(block, kind, key, offset, size, storable_time(mtime_ns))
        if self._end is not None and offset + size > self._end:
            # Cut off, or a size that lies: then others follow. Those of a tar inside are not ours.
            first = self._blocks.read(offset, BLOCK)
            if len(first) == BLOCK and not is_header(first):
                self._resynchronise(offset)
            else:
                self._ended = True
            message = f"truncated: {max(self._end - offset, 0):,} of {size:,} bytes are there"
            return Unreadable(key, TAR_ERROR, message)
        return Member(key, self._path, offset + self._origin, size, size, storable_time(mtime_ns))

    def _link(self, block: bytes, key: str, *, hard: bool) -> Link:
        target = block[157:257].partition(b"\0")[0] if self._target is None else self._target
        encoding = None if b"linkpath" in self._pax else self._encoding
        text = text_of_bytes(self._pax.get(b"linkpath", target), encoding)
        return Link(key, text, hard, self._prefix)

    def _has_data(self, offset: int) -> bool:
        """Return whether a hard link has its own bytes, as pax and cpio may write it: no header follows."""
        block = self._blocks.read(offset, BLOCK)
        return len(block) == BLOCK and block != ZEROS and not is_header(block)

    def _sparse(
        self, block: bytes, kind: bytes, key: str, offset: int, stored: int, mtime_ns: int
    ) -> SparseFile | Unreadable:
        """Return a sparse file, with the map of its pieces: more blocks, records, or bytes before them."""
        begin = offset
        try:
            if kind == b"S":
                pieces, size, offset = gnu_pieces(self._blocks, block, offset)
                self._position = offset + _padded(stored)
            else:
                pieces, size, offset = pax_pieces(self._blocks, self._pax, offset, stored)
                stored -= offset - begin
            checked = checked_pieces(pieces, size, stored)
        except ValueError as error:
            return Unreadable(key, TAR_ERROR, f"a sparse file with a damaged map: {error}")
        if self._end is not None and offset + stored > self._end:
            return Unreadable(key, TAR_ERROR, "truncated: a sparse file whose end is missing")
        return SparseFile(Member(key, self._path, offset, stored, size, mtime_ns), checked)

    def _recover(self, block: bytes) -> Unreadable | None:
        """Go on after a block that is no header: the end marker (nothing to report), or damage."""
        start = self._position
        dangling = self._pax is not self._defaults or self._name is not None
        self._forget()
        if block != ZEROS:
            message = "damaged header: the member here is lost"
        elif self._blocks.read(start + BLOCK, BLOCK) not in {ZEROS, b""}:
            message = "a lone block of zeros where a header should be"
        else:
            message = "an extended header without its entry" if dangling else ""
        self._resynchronise(start + BLOCK)
        if not self._ended and not message:
            message = "members after the end marker: damage, or joined archives; they were read too"
        return self._damage(start, message) if message else None

    def _resynchronise(self, position: int) -> None:
        """Go to the next block with a tar's magic and a good checksum, or end."""
        while True:
            chunk = self._blocks.read(position, CHUNK)
            for start in range(0, len(chunk) - BLOCK + 1, BLOCK) if b"ustar" in chunk else ():
                if chunk[start + 257 : start + 262] == b"ustar" and is_header(chunk[start : start + BLOCK]):
                    self._position = position + start
                    return
            if len(chunk) < CHUNK:
                self._ended = True
                return
            position += CHUNK


def _name(name: bytes) -> bytes:
    if len(name) > _MAX_NAME:
        raise ValueError(f"a name of {len(name):,} bytes")
    return name


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK
