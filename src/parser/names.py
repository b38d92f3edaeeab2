"""Member names, which are bytes in archives and file systems, as keys, which are text."""

import os

__all__ = ["key_of_bytes", "key_of_name", "place", "shown_path"]


def key_of_bytes(name: bytes, prefix: str = "") -> str:
    r"""The key of a name stored as bytes, meant to be UTF-8; "" where the name is empty.

    Undecodable bytes and NUL stand escaped (`\\xff`, `\\x00`), so that a key is always valid Unicode
    and a valid C string. Leading `./` and `/` are dropped, everything else is kept as it is.
    """
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = name.decode("utf-8", "backslashreplace")
    return _key(text, prefix)


def key_of_name(name: str, prefix: str = "") -> str:
    """The key of a name as Python gives it for files: surrogates stand for undecodable bytes."""
    if name.isascii():
        return _key(name, prefix)
    return key_of_bytes(os.fsencode(name), prefix)


def place(archive: str, offset: int, prefix: str = "") -> str:
    """The key under which damage at a byte offset of an archive is reported: `photos.tar@1024`."""
    return f"{prefix}{key_of_name(archive.rpartition('/')[2])}@{offset}"


def shown_path(path: str) -> str:
    """A path as it stands in messages: undecodable bytes are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _key(text: str, prefix: str) -> str:
    if text[:1] in {".", "/"}:
        while text.startswith(("./", "/")):
            text = text[2:] if text[0] == "." else text[1:]
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return prefix + text if text else ""
