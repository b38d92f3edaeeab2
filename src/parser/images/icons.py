"""Icons and cursors: the largest image of the several that a file holds.

Sources: the ICO and CUR directories as Microsoft documents them (ICONDIR, ICONDIRENTRY), and Apple's icns.
"""

import struct
from typing import Final, NamedTuple

from PIL import IcnsImagePlugin

from ...errors import DecodeError

__all__ = ["ICONS", "Picture", "largest"]

ICONS: Final = frozenset({"CUR", "ICNS", "ICO"})

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_2000: Final = (b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  \r\n\x87\n")
_BITMAP_HEADER: Final = 40
_MOST: Final = 256  # entries: real files hold a dozen
_ENTRY: Final = struct.Struct("<4B2H2I")


class Picture(NamedTuple):
    """The largest image of an icon.

    Attributes:
        data: a file of its own that holds it: a PNG, a JPEG 2000, or an icon of one bitmap.
        kind: the format of that.
    """

    data: bytes
    kind: str


def largest(data: bytes, kind: str) -> Picture:
    """Find the image that Pillow takes: the largest, of those the one of the fewest colours.

    Raises:
        DecodeError: there is none, or it lies outside of the file.
    """
    if kind == "ICNS":
        return _largest_of_icns(data)
    count = int.from_bytes(data[4:6], "little")
    if count > _MOST:
        raise DecodeError(f"{count:,} images in one icon; the budget is {_MOST}")
    if len(data) < 6 + _ENTRY.size * count:
        raise DecodeError("damaged icon: its directory is cut off")
    entries = [_ENTRY.unpack_from(data, 6 + _ENTRY.size * number) for number in range(count)]
    *_, size, offset = max(entries, key=lambda entry: (_area(entry), -_depth(entry, kind)))
    image = data[offset:]
    if image.startswith(_PNG):
        return Picture(image, "PNG")
    if len(image) < _BITMAP_HEADER:
        raise DecodeError("damaged icon: its largest image lies outside of the file")
    # A directory of this one alone, which says of size and depth what the bitmap does.
    width, height = _size(image)
    bits = int.from_bytes(image[14:16], "little")
    entry = _ENTRY.pack(width % 256, height % 256, 0, 0, 1, bits, size, 6 + _ENTRY.size)
    return Picture(b"\0\0\1\0\1\0" + entry + image, "ICO")


def _area(entry: tuple[int, ...]) -> int:
    return (entry[0] or 256) * (entry[1] or 256)


def _depth(entry: tuple[int, ...], kind: str) -> int:
    """Return bits of a pixel as the directory says; cursors have the place of the hot spot there."""
    colours, bits = entry[2], entry[5]
    if kind == "CUR":
        return 0
    return bits or (colours and max(1, (colours - 1).bit_length())) or 256


def _size(bitmap: bytes) -> tuple[int, int]:
    """Return width and height of a bitmap without a file header, without the mask below it."""
    width = int.from_bytes(bitmap[4:8], "little", signed=True)
    height = int.from_bytes(bitmap[8:12], "little", signed=True)
    return abs(width), abs(height) // 2


def _largest_of_icns(data: bytes) -> Picture:
    blocks = _icns_blocks(data)
    sizes = [
        size for size, codes in IcnsImagePlugin.IcnsFile.SIZES.items() if any(c in blocks for c, _ in codes)
    ]
    if not sizes:
        raise DecodeError("ICNS icon without an image of the kinds that are read: PNG, JPEG 2000, 24-bit")
    for code, _ in IcnsImagePlugin.IcnsFile.SIZES[max(sizes)]:
        image = blocks.get(code, b"")
        if image.startswith(_PNG):
            return Picture(image, "PNG")
        if image.startswith(_JPEG_2000):
            return Picture(image, "JPEG2000")
    return Picture(data, "ICNS")


def _icns_blocks(data: bytes) -> dict[bytes, bytes]:
    blocks: dict[bytes, bytes] = {}
    at, end = 8, min(len(data), int.from_bytes(data[4:8], "big"))
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        if length < 8 or len(blocks) == _MOST:
            raise DecodeError("damaged icon: blocks that make no sense")
        blocks[data[at : at + 4]] = data[at + 8 : at + length]
        at += length
    return blocks
