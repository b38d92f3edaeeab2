"""What a file is, by its first bytes; names are believed only where they claim to be an image."""

import re
import struct
from collections.abc import Callable
from typing import Final

from ...errors import DecodeError
from ..foreign import foreign_archive
from .formats import CAMERA_RAWS, CLAIMS, SIGNATURES

__all__ = [
    "HEAD",
    "JPEG",
    "READ_ARCHIVE",
    "TAIL",
    "UNREAD_ARCHIVES",
    "NotAnImage",
    "claims_image",
    "describe",
    "require_image",
    "sniff",
    "sniff_whole",
]

HEAD: Final = 512
"""Bytes that `sniff` and `describe` want to see: a tar's magic stands at 257."""

JPEG: Final = b"\xff\xd8\xff"
"""How a JPEG begins."""

TAIL: Final = 26
"""Bytes at a file's end that `require_image` wants to see: the footer of a TGA."""

_NESTABLE: Final = ("tar archive", "zip archive", "gzip data", "bzip2 data", "xz data", "zstd data")
_NESTED_HINT: Final = ": --nested reads it"

UNREAD_ARCHIVES: Final = tuple(name + _NESTED_HINT for name in _NESTABLE)
"""What is said of archives that are members of another one, or files of a folder."""

READ_ARCHIVE: Final = "archive, whose members stand in its place"
"""What a listing says of such an archive that it reads; nothing of it is recorded."""

_PAM: Final = re.compile(
    rb"P7[ \t]*\n(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*(?:WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE)\b"
).match
_XBM: Final = re.compile(
    rb"\s*(/\*.*?\*/\s*)?#define\s+\w*_?width\s+\d+\s+#define\s+\w*_?height\s+\d+\s", re.DOTALL
)
_TGA_FOOTER: Final = b"TRUEVISION-XFILE.\0"
_TGA_NAMES: Final = re.compile(r"\.(icb|tga|vda|vst)$", re.IGNORECASE)
_TGA_DEPTHS: Final = {1: {8}, 2: {15, 16, 24, 32}, 3: {8, 16}}


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
    """Return the image format of a file that begins with these bytes, or None.

    Formats that are read bear Pillow's names and are an allow-list; the others are those of `ADVICE`. TGA has
    no signature: `sniff_whole` and `require_image` know it.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    for test in _TESTS:
        found = test(head)
        if found:
            return found
    for offset, magic, kind in SIGNATURES:
        if head.startswith(magic, offset):
            return kind
    return None


def sniff_whole(data: bytes) -> str | None:
    """Return the image format of a whole file, by its beginning or, a TGA, by its header and its end."""
    kind = sniff(data[:HEAD])
    return kind or ("TGA" if _tga_header(data[:HEAD]) else None)


def describe(head: bytes) -> str:
    """Return words for what a file is that `sniff` does not know."""
    if not head:
        return "empty file"
    for magic, kind in _OTHER:
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar archive"
    foreign = foreign_archive(head)
    if foreign is not None:
        return foreign.name
    return "text or unknown data"


def require_image(head: bytes, key: str, tail: bytes | None = None) -> str:
    """Return the image format, for a member of that key.

    Args:
        head: its first bytes.
        key: its key, whose end may claim a format.
        tail: its last bytes; None where they were not read yet, so that what may be a TGA passes for one.

    Raises:
        NotAnImage: it is none.
        DecodeError: it is none although its name ends like an image's (`a.jpg` that is empty or text):
            that is damage, and must not pass for a file that was never meant to be an image. Or it is a
            camera raw by its name, and a TIFF by its signature: the pixels in that are a thumbnail's.
    """
    kind = sniff(head)
    if kind is not None:
        if kind == "TIFF" and (raw := CAMERA_RAWS.search(key)):
            raise DecodeError(
                f"camera raw ({raw[1].upper()}): it has no decoder here, develop it to TIFF first"
            )
        return kind
    if _tga_header(head) and (tail is None or tail.endswith(_TGA_FOOTER) or _TGA_NAMES.search(key)):
        return "TGA"
    reason = describe(head)
    claim = claims_image(key)
    if claim is not None:
        raise DecodeError(f"named {claim}, but holds no image: {reason}")
    raise NotAnImage(reason + _NESTED_HINT if reason in _NESTABLE else reason)


def claims_image(key: str) -> str | None:
    """Return the image's suffix that a name ends with, such as ".jpg"; None for other names."""
    claim = CLAIMS.search(key)
    # macOS leaves ._photo.jpg beside photo.jpg: its own data under the image's name.
    if claim is None or key.rpartition("/")[2].startswith("._"):
        return None
    return claim[0].lower()


_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (JPEG, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0\x10\0\0\0CR", "Canon CR2"),
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
    (b"icns", "ICNS"),
    (b"/* XPM */", "XPM"),
    (b"DanM", "MSP"),
    (b"LinS", "MSP"),
    (b"\xb1\x68\xde\x3a", "DCX"),
    (b"FTEX", "FTEX"),
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
    kind = {b"\x00\x00\x01\x00": "ICO", b"\x00\x00\x02\x00": "CUR"}.get(head[:4])
    if kind is None or len(head) < 22:
        return None
    count = int.from_bytes(head[4:6], "little")
    offset = int.from_bytes(head[18:22], "little")
    return kind if count and head[9] in {0, 255} and offset >= 6 + 16 * count else None


def _sgi(head: bytes) -> str | None:
    return "SGI" if head[:2] == b"\x01\xda" and head[2:3] in b"\0\1" and head[3:4] in b"\1\2" else None


def _pcx(head: bytes) -> str | None:
    if head[:1] != b"\n" or len(head) < 128:
        return None
    version, packed, bits = head[1:4]
    return "PCX" if version in {0, 2, 3, 5} and packed <= 1 and bits in {1, 2, 4, 8} else None


def _fli(head: bytes) -> str | None:
    good = head[4:6] in {b"\x11\xaf", b"\x12\xaf"} and head[14:16] in {b"\0\0", b"\3\0"}
    return "FLI" if good and head[12:14] == b"\x08\0" else None


def _spider(head: bytes) -> str | None:
    """SPIDER by the numbers of its header, which has no signature: rows, type, columns, records, lengths."""
    if len(head) < 92:
        return None
    for order in "<>":
        header = struct.unpack_from(f"{order}23f", head)
        if header[4] != 1 or not all(0 < header[at] < 1 << 24 for at in (1, 11, 12, 21, 22)):
            continue
        if header[12] * header[22] == header[21] and header[22] == 4 * header[11]:
            return "SPIDER"
    return None


def _xbm(head: bytes) -> str | None:
    return "XBM" if _XBM.match(head) else None


def _drawing(head: bytes) -> str | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return (
        "SVG" if text.startswith((b"<?xml", b"<svg", b"<!doctype svg", b"<!--")) and b"<svg" in text else None
    )


def _layers(head: bytes) -> str | None:
    """Return which painting format a zip is, by its first member, which is not packed."""
    if head[:4] != b"PK\x03\x04" or head[30:38] != b"mimetype":
        return None
    if head.startswith(b"application/x-krita", 38):
        return "Krita"
    return "OpenRaster" if head.startswith(b"image/openraster", 38) else None


def _iff(head: bytes) -> str | None:
    return "ILBM" if head[:4] == b"FORM" and head[8:12] in {b"ILBM", b"PBM "} else None


def _tga_header(head: bytes) -> bool:
    """Return whether a header makes sense as a TGA's (Truevision, version 2.0, fields 2 to 5)."""
    if len(head) < 18:
        return False
    _, mapped, code, _, entries, bits, _, _, width, height, depth, flags = struct.unpack_from(
        "<3B2HB4H2B", head
    )
    if mapped > 1 or code & ~8 not in _TGA_DEPTHS or not (width and height) or flags & 0xC0:
        return False
    if depth not in _TGA_DEPTHS[code & ~8]:
        return False
    return (entries > 0 and bits in {15, 16, 24, 32}) if mapped else code & ~8 != 1 and not entries


_TESTS: Final[tuple[Callable[[bytes], str | None], ...]] = (
    _riff,
    _isobmff,
    _bmp,
    _pnm,
    _ico,
    _sgi,
    _pcx,
    _fli,
    _spider,
    _xbm,
    _drawing,
    _layers,
    _iff,
)
