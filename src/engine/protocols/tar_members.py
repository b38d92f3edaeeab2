"""Members of a tar as brinery writes them: their names, and the headers before their bytes.

Format: POSIX.1-2001 ustar; a pax header before a member whose name is not ASCII or longer than 100 bytes.
Time, owner and rights are fixed, so that the same samples give the same bytes; they are those that Python's
tarfile writes of a new TarInfo.

What reads WebDataset takes everything behind the first dot of a file's own name for its kind, and what
stands before it for the sample's key. So a key's dots are escaped there, by a percent sign and two
hexadecimal digits as in addresses, and so is what would lead out of a folder, or be skipped.
"""

import re
from typing import Final
from urllib.parse import unquote

from ...errors import CorruptError, MemberError

__all__ = [
    "BLOCK",
    "END",
    "LONGEST_HEAD",
    "head_of",
    "header",
    "key_of",
    "member_head",
    "member_name",
    "padding",
]

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""What ends a tar."""

_LONGEST_SHORT: Final = 100
_LONGEST_NAME: Final = 1 << 16
LONGEST_HEAD: Final = 3 * BLOCK + 2 * _LONGEST_NAME
"""More bytes than stand before a member's own."""

_MOST_BYTES: Final = 1 << 33  # eleven octal digits
_RIGHTS: Final = b"0000644\0"
_OWNER: Final = 2 * b"0000000\0"  # user and group
_TIME: Final = b"00000000000\0"
_MAGIC: Final = b"ustar\00000"
_KIND_AT: Final = 156
_EXTENDED: Final = b"x"
_EXTENDED_NAME: Final = b"././@PaxHeader"

_SPECIAL: Final = re.compile(r"[%\0-\x1f\x7f]|^/|//|/$|(?:^|/)\.\.?/|^__[^/]*__/")
_BYTES: Final = re.compile(r"[%\0-\x1f\x7f]|^/|(?<=/)/|/$|^_(?=_[^/]*__/)")
_UPWARD: Final = re.compile(r"(?:^|(?<=/))\.\.?(?=/)")


def member_name(key: str) -> str:
    """Return a key as the name of a member, without what tells its kind.

    Raises:
        MemberError: the key is empty.
    """
    if not key:
        raise MemberError("a tar member needs a name, and its key is empty")
    if _SPECIAL.search(key):
        key = _BYTES.sub(lambda found: f"%{ord(found[0]):02X}", key)
        key = _UPWARD.sub(lambda found: found[0].replace(".", "%2E"), key)
    folders, slash, own = key.rpartition("/")
    return f"{folders}{slash}{own.replace('.', '%2E')}"


def key_of(name: str) -> str:
    """Return the key of a member's whole name."""
    folders, slash, own = name.rpartition("/")
    return unquote(f"{folders}{slash}{own.partition('.')[0]}")


def member_head(name: str, size: int) -> bytes:
    """Return what stands before a member's bytes, some blocks.

    Args:
        name: the member's whole name.
        size: how many bytes it has.

    Raises:
        MemberError: tar holds no such name or size.
    """
    raw = name.encode("utf-8")
    if size >= _MOST_BYTES:
        raise MemberError("a tar member takes less than 8 GiB")
    if len(raw) <= _LONGEST_SHORT and raw.isascii():
        return header(raw, size, b"0")
    if len(raw) > _LONGEST_NAME:
        raise MemberError(f"its name takes {len(raw):,} bytes in a tar, and {_LONGEST_NAME:,} is the most")
    text = b" path=%b\n" % raw
    length = len(text) + len(str(len(text)))
    length = len(text) + len(str(length))  # the digits count, too
    record = b"%d%b" % (length, text)
    short = name.encode("ascii", "replace")[:_LONGEST_SHORT]
    extended = header(_EXTENDED_NAME, len(record), _EXTENDED, b"0000000\0") + record + padding(len(record))
    return extended + header(short, size, b"0")


def head_of(record: bytes) -> tuple[str, int]:
    """Return a member's name, and where its bytes begin in a record that ends with them.

    Raises:
        CorruptError: not what `member_head` writes of that name and size.
    """
    try:
        if record[_KIND_AT : _KIND_AT + 1] == _EXTENDED:
            length = int(record[124:135], 8)
            raw = record[BLOCK : BLOCK + min(length, 2 * _LONGEST_NAME)].partition(b" path=")[2][:-1]
            begin = 2 * BLOCK + length + -length % BLOCK
        else:
            raw, begin = record[:_LONGEST_SHORT].rstrip(b"\0"), BLOCK
        name = raw.decode("utf-8")
        if 0 <= begin <= len(record) and record[:begin] == member_head(name, len(record) - begin):
            return name, begin
    except (ValueError, MemberError) as error:
        raise CorruptError(f"the tar member's header is damaged: {error}") from error
    raise CorruptError("no tar member as brinery writes it")


def padding(size: int) -> bytes:
    """Return the zeros that fill up the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def header(name: bytes, size: int, kind: bytes, rights: bytes = _RIGHTS) -> bytes:
    """Return one header block."""
    front = b"%b%b%b%011o\0%b" % (name.ljust(_LONGEST_SHORT, b"\0"), rights, _OWNER, size, _TIME)
    back = b"%b%b%b" % (kind, bytes(100), _MAGIC)
    checksum = sum(front) + sum(back) + 8 * 0x20  # its own field counts as spaces
    return (b"%b%06o\0 %b" % (front, checksum, back)).ljust(BLOCK, b"\0")
