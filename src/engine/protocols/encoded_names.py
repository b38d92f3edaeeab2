"""Names of tar members that hold encoded images: the key as it is, as far as tools for WebDataset keep it.

They cut a file's name at its first dot: what stands before it is the sample's key, what follows the column.
So an image's own suffix stays, and each dot of the name before it is written `%2E`. A name without such a
suffix gets one, with `%` before its dot: `scan.v2` becomes `scan%2Ev2%.png`. `%`, control characters, and
what would lead out of a folder (`..`, a slash at either end or two together) are written by two hexadecimal
digits, too.
"""

import re
from typing import Final

from ...parser.images.signature import HEAD, claims_image, sniff

__all__ = ["key_of", "member_name"]

_PLAIN: Final = re.compile(
    r"(?:(?!\.\.?/)[^%/\0-\x1f\x7f]+/)*[^%./\0-\x1f\x7f]+\.(?:jpe?g|png|webp|tiff?|gif|bmp)", re.IGNORECASE
).fullmatch
_SPECIAL: Final = re.compile(r"[%\0-\x1f\x7f]|^/|/(?=/)|/$")
_UPWARD: Final = re.compile(r"(?:(?<=/)|^)\.\.?(?=/)")
_ESCAPED: Final = re.compile("%([0-9A-F]{2})")
_ADDED: Final = re.compile(r"%\.[^%./]*$")
_SUFFIXES: Final = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


def member_name(key: str, data: bytes | memoryview) -> str:
    """Return the name of the member for a key and the image's bytes."""
    return key if _PLAIN(key) else _escaped(key, bytes(data[:HEAD]))


def key_of(name: str) -> str:
    """Return the key of a member's name."""
    if "%" not in name:
        return name
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), _ADDED.sub("", name))


def _escaped(key: str, head: bytes) -> str:
    folders, slash, own = _SPECIAL.sub(_digits, key).rpartition("/")
    suffix = claims_image(own) or ""
    stem = own[: len(own) - len(suffix)]
    if not stem.strip("."):
        stem, suffix = own, ""
    if suffix:
        suffix = own[len(stem) :]
    else:
        kind = sniff(head) or "img"
        suffix = f"%.{_SUFFIXES.get(kind, kind.lower())}"
    folders = _UPWARD.sub(lambda found: found[0].replace(".", "%2E"), f"{folders}{slash}")
    return folders + stem.replace(".", "%2E") + suffix


def _digits(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
