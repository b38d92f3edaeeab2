"""BMP: Windows and OS/2 bitmaps of 1 to 32 bits, packed or not.

Sources: Microsoft, Bitmap Storage (BITMAPINFOHEADER, BITMAPV4HEADER, BITMAPV5HEADER, BI_RLE4, BI_RLE8) and
the OS/2 Presentation Manager reference (BITMAPCOREHEADER2).
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import DecodeOptions
from .pixels import check_pixels
from .stored import OneImage, Stored

__all__ = ["Bitmap", "BmpSource", "read_bitmap", "read_pixels"]

_RGB, _RLE8, _RLE4, _FIELDS, _ALPHA_FIELDS = 0, 1, 2, 3, 6
_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_NAMES: Final = {
    _RGB: "no packing",
    _RLE8: "RLE8",
    _RLE4: "RLE4",
    _FIELDS: "bit fields",
    4: "JPEG or RLE24",
    5: "PNG",
    11: "CMYK",
    12: "CMYK RLE8",
    13: "CMYK RLE4",
}
_PACKINGS: Final = {
    **{bits: {_RGB, _FIELDS, _ALPHA_FIELDS} for bits in (16, 24, 32)},
    1: {_RGB},
    2: {_RGB},
    4: {_RGB, _RLE4},
    8: {_RGB, _RLE8},
}
_DEFAULT_FIELDS: Final = {
    16: (0x7C00, 0x3E0, 0x1F, 0),
    24: (0xFF0000, 0xFF00, 0xFF, 0),
    32: (0xFF0000, 0xFF00, 0xFF, 0),
}
_ALPHA: Final = 0xFF000000
_LONGEST_SIDE: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A bitmap before its pixels.

    Attributes:
        width: in pixels.
        height: in pixels.
        down: the top row comes first.
        bits: of a pixel.
        packing: none, RLE or the bits of each colour, by Microsoft's numbers.
        fields: the bits of red, green, blue and alpha; 0 for no alpha.
        palette: (colours, 3), red first.
        start: where the pixels begin.
    """

    width: int
    height: int
    down: bool
    bits: int
    packing: int
    fields: tuple[int, int, int, int]
    palette: NDArray[np.uint8]
    start: int


class BmpSource(OneImage):
    """The one image of a BMP.

    A palette becomes RGB; one of greys alone, each at its own number, and black and white become grey.
    Colours of fewer than 8 bits are spread over 0 to 255. Alpha comes where the header names its bits.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: a damaged header, too many pixels, or bitmaps that are not read.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._data = data
        self._bitmap = bitmap = read_bitmap(data, 14, int.from_bytes(data[10:14], "little"))
        check_pixels(bitmap.width, bitmap.height, options.max_pixels)
        self._salvage = options.salvages(bitmap.width, bitmap.height, len(data))

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: truncated, or a colour beyond the palette; not with salvage.
        """
        array, salvaged = read_pixels(self._data, self._bitmap, salvage=self._salvage)
        return Stored(array, salvaged=salvaged)


def read_bitmap(data: bytes, at: int, start: int) -> Bitmap:
    """Read the header of a bitmap, and its palette.

    Args:
        data: the file.
        at: where the header begins.
        start: where the pixels begin; 0 where they follow the header and the palette.

    Raises:
        DecodeError: it is damaged, or of a kind that is not read.
    """
    try:
        (size,) = struct.unpack_from("<I", data, at)
        if size not in _HEADERS:
            raise DecodeError(f"damaged: a header of {size:,} bytes")
        if size == 12:
            width, height, _, bits = struct.unpack_from("<4H", data, at + 4)
            packing, used, entry = _RGB, 0, 3
        else:
            head = data[at : at + size].ljust(20, b"\0")
            width, height, _, bits, packing = struct.unpack_from("<iiHHI", head, 4)
            used = struct.unpack_from("<I", data, at + 32)[0] if size >= 40 else 0
            entry = 4
        if packing not in _PACKINGS.get(bits, ()):
            what = _NAMES.get(packing, f"packing {packing}")
            raise DecodeError(f"BMP of {bits} bits a pixel with {what}, which is not read")
        fields, after = _fields(data, at, size, bits, packing)
    except struct.error as error:
        raise DecodeError("truncated: the file ends in its header") from error
    if not (0 < width < _LONGEST_SIDE and 0 < abs(height) < _LONGEST_SIDE):
        raise DecodeError(f"damaged: {width} x {height} pixels")
    palette = np.zeros((0, 3), np.uint8)
    if bits <= 8:
        count = min(used or 1 << bits, 1 << bits)
        if start > after:
            count = min(count, (start - after) // entry)
        raw = np.frombuffer(data[after : after + count * entry], np.uint8)
        palette = raw[: raw.size // entry * entry].reshape(-1, entry)[:, 2::-1]
        after += (used or 1 << bits) * entry
    return Bitmap(width, abs(height), height < 0, bits, packing, fields, palette, start or after)


def read_pixels(data: bytes, bitmap: Bitmap, *, salvage: bool) -> tuple[NDArray[Any], bool]:
    """Decode a bitmap; return (H, W), (H, W, 3) or (H, W, 4), and whether it is damaged.

    Raises:
        DecodeError: truncated, or a colour beyond the palette; not with salvage.
    """
    if bitmap.packing in {_RLE8, _RLE4}:
        rows, missing = _unpacked(data, bitmap)
    else:
        rows, missing = _rows(data, bitmap)
    if missing and not salvage:
        raise DecodeError(f"truncated: {missing:,} of {bitmap.height:,} rows are missing")
    if not bitmap.down:
        rows = rows[::-1]
    if bitmap.bits > 8:
        return _coloured(rows, bitmap), bool(missing)
    numbers = rows if bitmap.packing != _RGB else _numbers(rows, bitmap)
    greatest, palette = int(numbers.max()), bitmap.palette
    beyond = greatest >= len(palette)
    if beyond and not salvage:
        raise DecodeError(f"damaged: a colour of number {greatest} in a palette of {len(palette)}")
    palette = np.concatenate((palette, np.zeros((max(0, greatest + 1 - len(palette)), 3), np.uint8)))
    return _painted(numbers, palette), bool(missing) or beyond


def _fields(
    data: bytes, at: int, size: int, bits: int, packing: int
) -> tuple[tuple[int, int, int, int], int]:
    """Return the bits of red, green, blue and alpha; and where the palette begins."""
    fields, after = _DEFAULT_FIELDS.get(bits, (0, 0, 0, 0)), at + size
    if packing in {_FIELDS, _ALPHA_FIELDS} and bits in {16, 24, 32}:
        alpha = packing == _ALPHA_FIELDS or size >= 56
        count = 4 if alpha else 3
        stated = struct.unpack_from(f"<{count}I", data, at + 40)
        if size == 40:
            after += 4 * count
        if any(stated):
            red, green, blue = stated[:3]
            fields = red, green, blue, stated[3] if alpha else 0
        elif bits == 32:
            fields = (*fields[:3], _ALPHA)
    sound = all(mask == 0 or mask >> _lowest(mask) & (mask >> _lowest(mask)) + 1 == 0 for mask in fields)
    if bits > 8 and not (sound and all(fields[:3]) and max(map(_depth, fields)) <= 8):
        depths = "-".join(str(_depth(mask)) for mask in fields)
        raise DecodeError(f"BMP whose colours take {depths} bits of a pixel, which is not read")
    return fields, after


def _rows(data: bytes, bitmap: Bitmap) -> tuple[NDArray[np.uint8], int]:
    """Return the bytes of the rows, as they lie in the file, and how many rows are missing."""
    stride = (bitmap.width * bitmap.bits + 31) // 32 * 4
    used = (bitmap.width * bitmap.bits + 7) // 8
    raw = np.frombuffer(data[bitmap.start : bitmap.start + bitmap.height * stride], np.uint8)
    # The padding behind the last row may be missing.
    missing = 0 if raw.size >= (bitmap.height - 1) * stride + used else bitmap.height - raw.size // stride
    if raw.size < bitmap.height * stride:
        rows = np.zeros(bitmap.height * stride, np.uint8)  # what is not written takes no memory
        rows[: raw.size] = raw
        raw = rows
    return raw.reshape(bitmap.height, stride), missing


def _numbers(rows: NDArray[np.uint8], bitmap: Bitmap) -> NDArray[np.uint8]:
    """Return the numbers (H, W) in rows of up to 8 bits a pixel, the first pixel in the highest bits."""
    if bitmap.bits == 8:
        return rows[:, : bitmap.width]
    digits = np.unpackbits(rows, axis=1, count=bitmap.width * bitmap.bits)
    weights = 1 << np.arange(bitmap.bits, dtype=np.uint8)[::-1]
    numbers: NDArray[np.uint8] = digits.reshape(bitmap.height, bitmap.width, bitmap.bits) @ weights
    return numbers


def _unpacked(data: bytes, bitmap: Bitmap) -> tuple[NDArray[np.uint8], int]:
    """Return numbers of pixels that are packed as runs; those that runs leave out are 0."""
    width, height, half = bitmap.width, bitmap.height, bitmap.packing == _RLE4
    out = np.zeros((height, width), np.uint8)
    at, left, row, end = bitmap.start, 0, 0, len(data)
    while row < height:
        if at + 2 > end:
            return out, height - row
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            pair = (value >> 4, value & 15) if half else (value, value)
            pixels = np.resize(np.array(pair, np.uint8), count)
        elif value == 0:
            left, row = 0, row + 1
            continue
        elif value == 1:
            break
        elif value == 2:
            if at + 2 > end:
                return out, height - row
            left, row, at = left + data[at], row + data[at + 1], at + 2
            continue
        else:
            size = (value + 1) // 2 if half else value
            literal = np.frombuffer(data[at : at + size], np.uint8)
            if literal.size < size:
                return out, height - row
            pixels = np.stack((literal >> 4, literal & 15), axis=1).ravel()[:value] if half else literal
            at += size + size % 2
        room = out[row, left : left + pixels.size]
        room[:] = pixels[: room.size]
        left += pixels.size
    return out, 0


def _coloured(rows: NDArray[np.uint8], bitmap: Bitmap) -> NDArray[np.uint8]:
    """Return pixels (H, W, 3) or (H, W, 4) of rows whose bits are colours."""
    size, fields = bitmap.bits // 8, bitmap.fields[: 4 if bitmap.fields[3] else 3]
    pixels = rows[:, : bitmap.width * size].reshape(bitmap.height, bitmap.width, size)
    if all(_depth(mask) == 8 and _lowest(mask) % 8 == 0 for mask in fields):
        places = [_lowest(mask) // 8 for mask in fields]
        return pixels[..., 2::-1] if places == [2, 1, 0] else pixels[..., places]
    if size == 3:
        raise DecodeError("BMP of 24 bits whose colours are no bytes, which is not read")
    numbers = np.ascontiguousarray(pixels).view(f"<u{size}")[..., 0].astype(np.uint32)
    parts = [(numbers & mask) >> _lowest(mask) for mask in fields]
    return np.stack(
        [
            (part * 255 // (mask >> _lowest(mask))).astype(np.uint8)
            for part, mask in zip(parts, fields, strict=True)
        ],
        axis=2,
    )


def _painted(numbers: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return numbers as the colours of a palette; as grey where the palette says that they are."""
    grey = np.arange(len(palette), dtype=np.uint8) * np.uint8(255 if len(palette) == 2 else 1)
    if (palette == grey[:, None]).all():
        return grey[numbers]
    return palette[numbers]


def _lowest(mask: int) -> int:
    """Return the number of the lowest bit that is set; 0 for none."""
    return max(0, (mask & -mask).bit_length() - 1)


def _depth(mask: int) -> int:
    return (mask >> _lowest(mask)).bit_length()
