"""Member names, which are bytes in archives and file systems, as keys, which are text."""

import codecs
import os
import string
from typing import Final

from ...errors import UsageError

__all__ = [
    "checked_encoding",
    "key_of_bytes",
    "key_of_name",
    "key_of_text",
    "own_key",
    "place",
    "shown_path",
    "text_of_bytes",
]

_NOT_FOR_NAMES: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_IN_EVERY_ENCODING: Final = f"{string.ascii_letters}{string.digits}/._-"


def key_of_bytes(name: bytes, prefix: str = "", encoding: str | None = None) -> str:
    r"""Return the key of a name stored as bytes, meant to be UTF-8; "" for an empty name.

    Undecodable bytes and NUL stand escaped (`\\xff`, `\\x00`), so that a key is always valid Unicode
    and a valid C string. Leading `./` and `/` are dropped, everything else is kept as it is.

    Args:
        name: as the archive has it.
        prefix: put before it.
        encoding: tried before UTF-8.
    """
    return key_of_text(text_of_bytes(name, encoding), prefix)


def text_of_bytes(name: bytes, encoding: str | None = None) -> str:
    """Return a name stored as bytes, whole, as `key_of_bytes` reads it."""
    if encoding is not None:
        try:
            return name.decode(encoding)
        except UnicodeError:
            pass
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace")


def key_of_name(name: str, prefix: str = "") -> str:
    """Return the key of a name as Python gives it for files: surrogates stand for undecodable bytes."""
    if name.isascii():
        return key_of_text(name, prefix)
    return key_of_bytes(os.fsencode(name), prefix)


def key_of_text(text: str, prefix: str = "") -> str:
    """Return the key of a name that is valid Unicode."""
    if text[:1] in {".", "/"}:
        while text.startswith(("./", "/")):
            text = text[2:] if text[0] == "." else text[1:]
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return prefix + text if text else ""


def checked_encoding(name: str) -> str:
    """Python's own name of an encoding, such as "cp932" for "MS_Kanji".

    Raises:
        UsageError: it is unknown, or no encoding of names: ASCII stands for itself in those.
    """
    try:
        info = codecs.lookup(name)
        usable = info.name not in _NOT_FOR_NAMES and info._is_text_encoding  # noqa: SLF001 - as open() does
        usable = usable and _IN_EVERY_ENCODING.encode().decode(info.name) == _IN_EVERY_ENCODING
    except (LookupError, ValueError):
        usable = False
    if not usable:
        raise UsageError(
            f"{name!r} is no encoding of names: give one that Python knows, such as cp932 (Japanese),"
            " gbk or big5 (Chinese), cp949 (Korean), cp866 or cp1251 (Cyrillic), cp850 or latin_1"
        )
    return info.name


def own_key(archive: str, prefix: str = "") -> str:
    """Return the key that stands for an archive itself: its file's name behind its prefix."""
    return f"{prefix}{key_of_name(archive.rpartition('/')[2])}"


def place(archive: str, offset: int) -> str:
    """Return the key under which damage at a byte offset of an archive is reported: `photos.tar@1024`."""
    return f"{archive}@{offset}"


def shown_path(path: str) -> str:
    """Return a path as it stands in messages: undecodable bytes are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
