"""TIFF: what the stored samples mean, page by page."""

import io
import re
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DecodeError
from ..options import DecodeOptions
from . import tiff
from .exif import xmp_orientation
from .libtiff import damage_in, read_strips
from .modes import as_image, image_pixels
from .pillow import load, reader
from .pixels import check_pixels
from .stored import Count, Stored
from .tiff import Page, TiffFile
from .tiff_samples import CODEC_NAMES, Layout, read_layout, read_samples

__all__ = ["TiffSource"]

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_STACK: Final = re.compile(rb"ImageJ=[^\0]*?\nimages=(\d{1,9})\n")
_LETTERS: Final = {0: "L", 1: "L", 2: "RGB", 3: "P", 5: "CMYK", 8: "LAB", 9: "ICCLAB", 10: "ITULAB"}
_COLOURS: Final = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3, 10: 3}
_EXTRA: Final = {0: "X", 1: "a", 2: "A"}
_PILLOWS: Final = {
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    6: "JPEG",
    7: "JPEG",
    32809: "ThunderScan",
}
_NEEDED: Final = frozenset(
    {
        *range(254, 260),
        262,
        266,
        273,
        274,
        *range(277, 280),
        284,
        292,
        293,
        317,
        *range(320, 326),
        338,
        339,
        347,
    }
    | {*range(512, 522), *range(529, 533)}
)
"""Tags that pixels need (TIFF 6.0); others, such as EXIF, are not looked at."""
_UNKNOWN: Final = 65000
_DEPTHS: Final = {2: 1, 3: 1, 4: 1, 32809: 4}
_CODECS: Final = {
    22610: "JPEG XR",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "JPEG",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


class TiffSource:
    """The pages of a TIFF, samples as stored: depth, sign and channels, in native byte order.

    White is the greatest value: where the file says that white is zero, whole numbers come inverted, at
    every depth and in every byte order, as Pillow gives those of 8 bits. Samples of 1, 2 and 4 bits are
    spread over 0 to 255. A palette becomes RGB, of 16 bits where its colours need them.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: too many pixels, no sound first page, or a first page that is not the image.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._options = options
        self._file = TiffFile(data)
        self._file.check_first(every=options.frames == "all")
        self._page = self._file.first
        self._links = self._file.links()
        next(self._links)
        check_pixels(*self._page.size, options.max_pixels)

    def count(self) -> Count:
        """Return how many pages there are."""
        pages = sum(1 for _ in self._file.links())
        stack = _STACK.match(_bytes(self._file.first, tiff.DESCRIPTION)[:4096])
        if pages == 1 and stack and int(stack[1]) > 1:
            return Count(
                1, DecodeError(f"ImageJ stack of {int(stack[1]):,} images behind one page, which is not read")
            )
        return Count(pages)

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to the page behind this one; return its width and height."""
        del frame
        self._page = self._file.directory(next(self._links))
        return self._page.size

    def alone(self) -> bool:
        """Return True: pages stand alone."""
        return True

    def read(self) -> Stored:
        """Decode the page.

        Raises:
            DecodeError: damage, or samples that are not read.
            Exception: whatever Pillow raises for damage.
        """
        page, options = self._page, self._options
        compression = page.number(tiff.COMPRESSION, 1)
        photometric = page.number(tiff.PHOTOMETRIC, _BLACK_IS_ZERO)
        orientation = page.orientation or xmp_orientation(_bytes(page, tiff.XMP)) or 1
        subsampled = photometric == _YCBCR and not _plain_ycbcr(page)
        if compression in CODEC_NAMES and not (subsampled and compression != 1):
            layout = read_layout(page, options.max_pixels)
            _check_kind(page, layout, photometric)
            salvage = options.salvages(*page.size, len(page.file.data))
            array, salvaged = read_samples(page, layout, salvage=salvage)
            stored = _meant(page, layout, photometric, array)
        elif compression in _PILLOWS or compression in CODEC_NAMES:
            stored, salvaged = _by_pillow(page, options)
        else:
            name = _CODECS.get(compression, "unknown")
            raise DecodeError(f"TIFF compressed as {name} ({compression}), which is not read")
        return stored._replace(orientation=orientation, salvaged=salvaged)


def _check_kind(page: Page, layout: Layout, photometric: int) -> None:
    """Refuse samples of which it is not known what they mean, before they are decoded.

    Raises:
        DecodeError: with what they are.
    """
    if tiff.PHOTOMETRIC not in page.tags and layout.samples > 1:
        raise DecodeError(f"TIFF of {page.described()} that does not say what its colours are")
    if page.number(tiff.DEPTH, 1) > 1:
        raise DecodeError(f"TIFF of a volume of {page.number(tiff.DEPTH, 1):,} slices, which is not read")
    if photometric not in _COLOURS:
        raise DecodeError(f"TIFF of photometric interpretation {photometric}, which is not read")
    if layout.samples < _COLOURS[photometric]:
        raise DecodeError(f"damaged: {layout.samples} samples where the colours take {_COLOURS[photometric]}")
    if photometric == _WHITE_IS_ZERO and layout.kind != "u":
        raise DecodeError(f"TIFF of {page.described()} whose white is zero: they have no greatest value")
    if photometric == _PALETTE and (layout.kind != "u" or layout.bits > 16):
        raise DecodeError(f"TIFF of {page.described()} that point into a palette, which is not read")
    if photometric == _YCBCR and not _plain_ycbcr(page):
        raise DecodeError("TIFF of YCbCr with subsampled or limited colours, uncompressed, which is not read")


def _meant(page: Page, layout: Layout, photometric: int, array: NDArray[Any]) -> Stored:
    """Return samples (H, W, C) with the values that they stand for."""
    bits = layout.bits
    letters = _letters(page, layout, photometric)
    if photometric == _PALETTE:
        return _painted(page, array, letters)
    peak = None
    if layout.kind == "u":
        peak = (1 << bits) - 1
        if photometric == _WHITE_IS_ZERO:
            array[..., 0] = array.dtype.type(peak) - array[..., 0]
        if bits in {1, 2, 4}:
            array *= np.uint8(255 // peak)
            peak = 255
    elif layout.kind == "i" and bits == 16:
        array = array.astype(np.int32)  # as Pillow gives them
    if photometric == _YCBCR:
        return Stored(np.array(as_image(array, "YCbCr").convert("RGB")))
    plain = {"L", "LA", "RGB", "RGBA"}
    if layout.samples == 1:
        array = array[..., 0]
    return Stored(array, peak, None if letters in plain else letters)


def _letters(page: Page, layout: Layout, photometric: int) -> str:
    """Return one letter per channel: colours, then alpha (A), premultiplied alpha (a), others (X)."""
    more = layout.samples - _COLOURS[photometric]
    extra = page.numbers(tiff.EXTRA)[:more]
    if not extra and more == 1 and photometric == _RGB:
        extra = (2,)  # written without saying so, and alpha to all readers
    marks = [_EXTRA.get(number, "A" if number == 999 else "X") for number in extra]
    return _LETTERS.get(photometric, "") + "".join(marks) + "X" * (more - len(marks))


def _painted(page: Page, array: NDArray[Any], letters: str) -> Stored:
    """Return the colours that indices point at, followed by the other channels."""
    table = page.values(tiff.COLOUR_MAP, 3 << 16).astype(np.uint16)
    bits = (page.numbers(tiff.BITS) or (1,))[0]
    if table.size != 3 << bits:
        raise DecodeError(f"damaged: a palette of {table.size:,} numbers, where {3 << bits:,} belong")
    if not (table % 257).any() or not (table & 0xFF).any():
        table = (table >> 8).astype(np.uint8)
    elif table.max() < 256:
        table = table.astype(np.uint8)  # written as 8 bits by mistake, and read so by libtiff
    colours = table.reshape(3, -1).T[array[..., 0]]
    rest = letters[1:]
    if rest and bits != 8 * colours.dtype.itemsize:
        raise DecodeError("TIFF of a palette with alpha of another depth, which is not read")
    if rest:
        colours = np.concatenate((colours, array[..., 1:].astype(colours.dtype)), axis=2)
    return Stored(colours, None, None if rest in {"", "A"} else "RGB" + rest)


def _by_pillow(page: Page, options: DecodeOptions) -> tuple[Stored, bool]:
    """Return a page of a compression that knows what pixels are: JPEG, fax; and subsampled YCbCr of any.

    Raises:
        DecodeError: other depths and layouts.
    """
    compression, depths = page.number(tiff.COMPRESSION, 1), set(page.numbers(tiff.BITS) or (1,))
    name = _PILLOWS.get(compression) or CODEC_NAMES[compression]
    refused = f"TIFF of {page.described()} compressed as {name} ({compression}), which is not read"
    ycbcr, planar = page.number(tiff.PHOTOMETRIC, 0) == _YCBCR, page.number(tiff.PLANAR, 1) == 2
    if depths != {_DEPTHS.get(compression, 8)} or (ycbcr and planar):
        raise DecodeError(refused)
    read_layout(page, options.max_pixels)  # whose budget holds for tiles too
    data = _alone(page)
    salvage = options.salvages(*page.size, len(data))
    damaged = _is_damaged(data, salvage=salvage)
    try:
        image = reader("TIFF")(io.BytesIO(data))
    except SyntaxError as error:
        raise DecodeError(refused) from error
    image.info.pop("xmp", None)  # Pillow would turn the pixels as it says
    image.im = Image.new(image.mode, page.size).im  # past Pillow's own limit
    salvaged = load(image, salvage=salvage) or damaged
    given, stored = len(image.getbands()), page.number(tiff.SAMPLES, 1)
    if stored > given:
        raise DecodeError(f"TIFF of {stored} channels compressed as {name}: Pillow would give {given}")
    colours = image.mode if image.mode in {"CMYK", "LAB"} else None
    return Stored(image_pixels(image), None, colours), salvaged


def _is_damaged(data: bytes, *, salvage: bool) -> bool:
    """Return whether libtiff warns of the pixels of a file's page; Pillow does not hear it.

    Raises:
        DecodeError: what it says, unless damaged pixels are to be salvaged.
    """
    what = damage_in(read_strips(data))
    if what and not salvage:
        raise DecodeError(f"damaged TIFF: {what}")
    return bool(what)


def _alone(page: Page) -> bytes:
    """Return the file with this page alone, unturned, with only the tags that its pixels need."""
    file = page.file
    out = bytearray(file.data)
    order, word = file.order, "Q" if file.big else "L"
    struct.pack_into(order + word, out, 8 if file.big else 4, page.at)
    out[page.link : page.link + struct.calcsize(order + word)] = bytes(struct.calcsize(order + word))
    for number, tag in page.tags.items():
        if number not in _NEEDED:  # it becomes one byte of a tag that nobody knows
            struct.pack_into(order + "HH" + word, out, tag.entry, _UNKNOWN, 1, 1)
    turned = page.tags.get(tiff.ORIENTATION)
    if turned is not None:
        # The tag says nothing from now on: 1, as a SHORT in the entry itself.
        struct.pack_into(order + "HH" + word, out, turned.entry, tiff.ORIENTATION, 3, 1)
        value_at = turned.entry + 4 + struct.calcsize(order + word)
        out[value_at : value_at + struct.calcsize(order + word)] = bytes(struct.calcsize(order + word))
        struct.pack_into(order + "H", out, value_at, 1)
    return bytes(out)


def _plain_ycbcr(page: Page) -> bool:
    """Return whether YCbCr has all its samples, of 8 bits, and black and white at 0 and 255."""
    kind = page.number(tiff.SAMPLES, 1), set(page.numbers(tiff.BITS)), page.number(tiff.FORMAT, 1)
    if kind != (3, {8}, 1) or page.numbers(tiff.SUBSAMPLING) != (1, 1):
        return False
    tag = page.tags.get(tiff.REFERENCE)
    if tag is None:
        return True
    numbers = [page.file.integer(tag.at + 4 * place, 4) for place in range(12)]
    pairs = zip(numbers[::2], numbers[1::2], (0, 255, 128, 255, 128, 255), strict=True)
    return all(number == value * unit for number, unit, value in pairs)


def _bytes(page: Page, number: int) -> bytes:
    tag = page.tags.get(number)
    return b"" if tag is None else page.file.data[tag.at : tag.at + tag.count]
