"""What a file is, by its first bytes; names are believed only where they claim to be an image."""

import re
from collections.abc import Callable
from typing import Final

from ..errors import DecodeError

__all__ = [
    "HEAD",
    "JPEG",
    "KNOWN_WITHOUT_DECODER",
    "NotAnImage",
    "claims_image",
    "describe",
    "require_image",
    "sniff",
]

HEAD: Final = 512
"""Bytes that `sniff` and `describe` want to see: a tar's magic stands at 257."""

JPEG: Final = b"\xff\xd8\xff"
"""How a JPEG begins."""

KNOWN_WITHOUT_DECODER: Final = frozenset({"HEIF", "JPEG XL", "JPEG XR"})
"""Image formats that are recognised so that they fail with their name, instead of passing for no image."""

_PAM: Final = re.compile(
    rb"P7[ \t]*\n(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)\b"
).match
_CLAIMS: Final = re.compile(
    r"\.(apng|avif|bmp|dds|gif|heic|heif|ico|j2k|jfif|jp2|jpe|jpeg|jpg|jxl|pam|pbm|pcx|pfm|pgm|png|pnm|ppm|psd|qoi|sgi"
    r"|tif|tiff|webp)$",
    re.IGNORECASE,
)


class NotAnImage(Exception):  # noqa: N818  # an outcome that is counted, not an error
    """A member is no image and does not claim to be one; not a BrineryError, because nothing is wrong.

    Attributes:
        reason: what it is instead: "PDF document", "tar archive", "text or unknown data".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __reduce__(self) -> tuple[type["NotAnImage"], tuple[str]]:
        return type(self), (self.reason,)


def sniff(head: bytes) -> str | None:
    """The image format of a file that begins with these bytes, in Pillow's spelling, or None.

    The allow-list of what brinery decodes, and `KNOWN_WITHOUT_DECODER`. PostScript and WMF are left out
    because their decoders run programs; formats without a reliable signature (TGA) are left out too.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    for test in _TESTS:
        found = test(head)
        if found:
            return found
    return None


def describe(head: bytes) -> str:
    """What a file is that `sniff` does not know, for people."""
    if not head:
        return "empty file"
    for magic, kind in _OTHER:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar archive"
    if head.lstrip()[:5].lower() in {b"<?xml", b"<svg ", b"<svg>"} and b"<svg" in head:
        return "SVG drawing"
    return "text or unknown data"


def require_image(head: bytes, key: str) -> str:
    """The image format, for a member of that key.

    Raises:
        NotAnImage: it is none.
        DecodeError: it is none although its name ends like an image's (`a.jpg` that is empty or text):
            that is damage, and must not pass for a file that was never meant to be an image.
    """
    kind = sniff(head)
    if kind is not None:
        return kind
    reason = describe(head)
    claim = claims_image(key)
    if claim is not None:
        raise DecodeError(f"named {claim}, but holds no image: {reason}")
    raise NotAnImage(reason)


def claims_image(key: str) -> str | None:
    """The image's suffix that a name ends with, such as ".jpg"; None for other names."""
    claim = _CLAIMS.search(key)
    # macOS leaves ._photo.jpg beside photo.jpg: its own data under the image's name.
    if claim is None or key.rpartition("/")[2].startswith("._"):
        return None
    return claim[0].lower()


_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (JPEG, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"8BPS\x00\x01", "PSD"),
    (b"DDS \x7c\0\0\0", "DDS"),
    (b"qoif", "QOI"),
    (b"\x59\xa6\x6a\x95", "SUN"),
    (b"II\xbc", "JPEG XR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
)

_OTHER: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"Rar!\x1a\x07", "rar archive"),
    (b"%PDF-", "PDF document"),
    (b"%!PS", "PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "PostScript document"),
    (b"\xd7\xcd\xc6\x9a", "WMF drawing"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
    (b"\x93NUMPY", "npy array"),
    (b"\x7fELF", "program"),
    (b"OggS", "audio or video"),
    (b"\x1a\x45\xdf\xa3", "audio or video"),
    (b"ID3", "audio or video"),
)


def _riff(head: bytes) -> str | None:
    return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def _isobmff(head: bytes) -> str | None:
    """AVIF and HEIF by the brands of their ftyp box (ISO/IEC 23008-12)."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    heif = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
    return "HEIF" if brands & heif else None


def _bmp(head: bytes) -> str | None:
    # "BM" alone begins many texts: the size of the second header must be a known one too.
    if head[:2] != b"BM" or len(head) < 18:
        return None
    return "BMP" if int.from_bytes(head[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124} else None


def _pnm(head: bytes) -> str | None:
    good = head[:1] == b"P" and head[1:2] in b"123456fF" and head[2:3] in b" \t\r\n#"
    return "PPM" if (good and len(head) > 2) or _PAM(head) else None


def _ico(head: bytes) -> str | None:
    if head[:4] != b"\x00\x00\x01\x00" or len(head) < 22:
        return None
    count = int.from_bytes(head[4:6], "little")
    offset = int.from_bytes(head[18:22], "little")
    return "ICO" if count and head[9] in {0, 255} and offset >= 6 + 16 * count else None


def _sgi(head: bytes) -> str | None:
    return "SGI" if head[:2] == b"\x01\xda" and head[2:3] in b"\0\1" and head[3:4] in b"\1\2" else None


def _pcx(head: bytes) -> str | None:
    if head[:1] != b"\n" or len(head) < 128:
        return None
    version, packed, bits = head[1:4]
    return "PCX" if version in {0, 2, 3, 5} and packed <= 1 and bits in {1, 2, 4, 8} else None


_TESTS: Final[tuple[Callable[[bytes], str | None], ...]] = (_riff, _isobmff, _bmp, _pnm, _ico, _sgi, _pcx)
