"""The samples of a TIFF page as stored, whatever their depth, order, layout and byte compression.

Pillow's libtiff only unpacks the bytes: it is shown each page as grey of 8 bits, as wide as its rows have
bytes. What they mean is decided here.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DecodeError
from . import tiff
from .modes import in_bands
from .pillow import load, reader
from .pixels import check_samples
from .tiff import Page

__all__ = ["CODEC_NAMES", "Layout", "read_layout", "read_samples"]

CODEC_NAMES: Final = {
    1: "uncompressed",
    5: "LZW",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    34925: "LZMA",
    50000: "Zstandard",
}
"""Compressions that know nothing of pixels."""

_MOST_OF_A_BYTE: Final = {5: 4096, 8: 1100, 32773: 64, 32946: 1100}
"""What a byte can unpack to at most, roughly; other compressions have no such bound."""

_PREDICTED: Final = frozenset(CODEC_NAMES) - {1, 32773}
_KINDS: Final = {1: "u", 2: "i", 3: "f", 4: "u", 6: "c"}
_WIDTHS: Final = {"u": {8, 16, 32, 64}, "i": {8, 16, 32, 64}, "f": {16, 32, 64}, "c": {64, 128}}
_PADDING: Final = 4  # times its pixels: what an image may take with the padding of its tiles
_LARGE: Final = 1 << 24  # pixels that any image may take so: a tile of 4096 x 4096
_CHUNK: Final = 1 << 22  # samples of fewer bits that are unpacked together
_REVERSED: Final = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1])


@dataclass(frozen=True, slots=True)
class Layout:
    """How a page's samples lie in the file.

    Attributes:
        width: in pixels.
        height: in pixels.
        samples: of a pixel.
        bits: of a sample.
        kind: "u" unsigned, "i" signed, "f" float, "c" complex.
        planar: each channel lies apart.
        tile: width and height of a tile; None where the page lies in strips.
        rows: of a strip.
    """

    width: int
    height: int
    samples: int
    bits: int
    kind: str
    planar: bool
    tile: tuple[int, int] | None
    rows: int

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The numpy type of a sample, in native order; None where a sample fills no whole type."""
        return np.dtype(f"{self.kind}{self.bits // 8}") if self.bits in _WIDTHS[self.kind] else None

    @property
    def across(self) -> int:
        """Pixels of a row, with the padding of its last tile."""
        return self.blocks[0] * self.block[0]

    @property
    def down(self) -> int:
        """Rows, with the padding of the last tiles."""
        return self.height if self.tile is None else self.blocks[1] * self.tile[1]

    @property
    def interleaved(self) -> int:
        """Samples that lie together."""
        return 1 if self.planar else self.samples

    @property
    def block(self) -> tuple[int, int]:
        """Width and height of a strip or tile."""
        return self.tile or (self.width, self.rows)

    @property
    def blocks(self) -> tuple[int, int]:
        """Strips or tiles of a plane, across and down."""
        return -(-self.width // self.block[0]), -(-self.height // self.block[1])

    @property
    def stride(self) -> int:
        """Bytes of a row in one strip or tile."""
        return (self.block[0] * self.interleaved * self.bits + 7) // 8


def read_layout(page: Page, max_pixels: int) -> Layout:
    """Read how a page's samples lie, and hold their size against the budget.

    Raises:
        DecodeError: samples of kinds that are not read, or more bytes than the budget.
    """
    width, height = page.size
    samples = page.number(tiff.SAMPLES, 1)
    depths = set((page.numbers(tiff.BITS) or (1,))[:samples])
    formats = set((page.numbers(tiff.FORMAT) or (1,))[:samples])
    if not (width and height and samples):
        raise DecodeError("damaged: a page without width, height or samples")
    if len(depths) > 1 or len(formats) > 1:
        raise DecodeError(f"TIFF whose channels have different depths: {page.described()}")
    bits, kind = depths.pop(), _KINDS.get(formats.pop(), "")
    good = kind and (bits in _WIDTHS[kind] or (kind == "u" and 0 < bits < 32) or (kind == "f" and bits == 24))
    if not good:
        raise DecodeError(f"TIFF of {page.described()}, which are not read")
    tile = None
    if tiff.TILE_OFFSETS in page.tags:
        tile = page.number(tiff.TILE_WIDTH, 0), page.number(tiff.TILE_HEIGHT, 0)
        if not (tile[0] and tile[1]):
            raise DecodeError("damaged: tiles without a size")
    rows = min(page.number(tiff.ROWS_PER_STRIP, height) or height, height)
    planar = page.number(tiff.PLANAR, 1) == 2 and samples > 1
    layout = Layout(width, height, samples, bits, kind, planar, tile, rows)
    padded = layout.across * layout.down
    if padded > _PADDING * width * height and padded > _LARGE:
        raise DecodeError(f"TIFF whose tiles hold {padded:,} pixels for an image of {width} x {height}")
    check_samples(layout.across, layout.down, samples, max(1, bits // 8), max_pixels)
    return layout


def read_samples(page: Page, layout: Layout, *, salvage: bool) -> tuple[NDArray[Any], bool]:
    """Read the samples of a page.

    Returns:
        Array (H, W, C) of the stored numbers in native order: unsigned numbers of other depths than numpy's
        in the next larger type, 24-bit floats as float32. And whether some are missing.

    Raises:
        DecodeError: truncated, and not to be salvaged.
        Exception: whatever Pillow raises for damaged data.
    """
    planes, salvaged = [], False
    for plane in range(layout.samples if layout.planar else 1):
        rows, damaged = _plane_bytes(page, layout, plane, salvage=salvage)
        salvaged |= damaged
        planes.append(_numbers(page, layout, rows))
    array = np.concatenate(planes, axis=2) if layout.planar else planes[0]
    return array[: layout.height, : layout.width], salvaged


def _plane_bytes(page: Page, layout: Layout, plane: int, *, salvage: bool) -> tuple[NDArray[np.uint8], bool]:
    """Return the unpacked bytes of one plane (rows, bytes of a row), and whether some are missing."""
    tiled = layout.tile is not None
    wanted = layout.blocks[0] * layout.blocks[1]
    end = (plane + 1) * wanted
    offsets = page.values(tiff.TILE_OFFSETS if tiled else tiff.STRIP_OFFSETS, end)[plane * wanted :]
    counts = page.values(tiff.TILE_COUNTS if tiled else tiff.STRIP_COUNTS, end)[plane * wanted :]
    if len(offsets) < wanted and not salvage:
        raise DecodeError(
            f"damaged: {len(offsets):,} of {wanted:,} {'tiles' if tiled else 'strips'} are named"
        )
    if page.number(tiff.COMPRESSION, 1) == 1:
        rows, missing = _stored_bytes(page, layout, offsets)
        if missing and not salvage:
            raise DecodeError(f"truncated: {missing:,} bytes of pixels are missing")
        return rows, bool(missing)
    _check_ratio(page, layout, counts)
    return _unpacked_bytes(page, layout, offsets, counts, salvage=salvage)


def _check_ratio(page: Page, layout: Layout, counts: NDArray[Any]) -> None:
    """Refuse packed bytes that cannot hold their pixels, before memory is taken for those.

    Raises:
        DecodeError: with the sizes.
    """
    most = _MOST_OF_A_BYTE.get(page.number(tiff.COMPRESSION, 1))
    size = layout.down * layout.blocks[0] * layout.stride
    if most is None or counts.size < layout.blocks[0] * layout.blocks[1]:
        return
    packed = int(np.minimum(counts, len(page.file.data)).sum(dtype=np.float64))
    if most * packed < size:
        raise DecodeError(f"truncated: {packed:,} packed bytes cannot hold {size:,} bytes of pixels")


def _stored_bytes(page: Page, layout: Layout, offsets: NDArray[Any]) -> tuple[NDArray[np.uint8], int]:
    """Return uncompressed strips or tiles, side by side as rows, and how many bytes are missing."""
    data, stride, high = np.frombuffer(page.file.data, np.uint8), layout.stride, layout.block[1]
    out = np.zeros((layout.down, layout.blocks[0] * stride), np.uint8)
    missing = out.size
    for index, offset in enumerate(map(int, offsets)):
        top, left = index // layout.blocks[0] * high, index % layout.blocks[0] * stride
        have = data[offset : offset + min(high, layout.down - top) * stride]
        missing -= have.size
        whole, rest = divmod(have.size, stride)
        out[top : top + whole, left : left + stride] = have[: whole * stride].reshape(whole, stride)
        if rest:
            out[top + whole, left : left + rest] = have[whole * stride :]
    return (_REVERSED[out] if page.number(tiff.FILL_ORDER, 1) == 2 else out), missing


def _unpacked_bytes(
    page: Page, layout: Layout, offsets: NDArray[Any], counts: NDArray[Any], *, salvage: bool
) -> tuple[NDArray[np.uint8], bool]:
    """Let libtiff unpack strips or tiles, as grey of 8 bits."""
    width, height = layout.blocks[0] * layout.stride, layout.down
    numbers: list[tuple[int, Sequence[int]]] = [
        (tiff.WIDTH, (width,)),
        (tiff.HEIGHT, (height,)),
        (tiff.BITS, (8,)),
        (tiff.COMPRESSION, (page.number(tiff.COMPRESSION, 1),)),
        (tiff.PHOTOMETRIC, (1,)),
        (tiff.FILL_ORDER, (page.number(tiff.FILL_ORDER, 1),)),
        (tiff.SAMPLES, (1,)),
    ]
    if layout.tile is None:
        numbers += [(tiff.STRIP_OFFSETS, offsets.tolist()), (tiff.ROWS_PER_STRIP, (layout.rows,))]
        numbers += [(tiff.STRIP_COUNTS, counts.tolist())]
    else:
        numbers += [(tiff.TILE_WIDTH, (layout.stride,)), (tiff.TILE_HEIGHT, (layout.tile[1],))]
        numbers += [(tiff.TILE_OFFSETS, offsets.tolist()), (tiff.TILE_COUNTS, counts.tolist())]
    image = reader("TIFF")(io.BytesIO(_with_directory(page, numbers)))
    image.im = Image.new("L", (width, height)).im  # Pillow's own limit would count bytes as pixels
    try:
        salvaged = load(image, salvage=salvage)
    except OSError as error:
        name = CODEC_NAMES[page.number(tiff.COMPRESSION, 1)]
        raise DecodeError(f"damaged: its {name} data cannot be unpacked ({error})") from error
    return in_bands(image), salvaged


def _with_directory(page: Page, numbers: list[tuple[int, Sequence[int]]]) -> bytes:
    """Return the file with one directory more, in little-endian order, which is its only one from now on."""
    big = page.file.big
    word, inline = ("Q", 8) if big else ("L", 4)
    out = bytearray(page.file.data)
    out += b"\0" * (-len(out) % 8)
    out[: 16 if big else 8] = struct.pack(
        "<2s3HQ" if big else "<2sHL", b"II", *((43, 8, 0) if big else (42,)), len(out)
    )
    count = struct.pack("<" + ("Q" if big else "H"), len(numbers))
    tail_at = len(out) + len(count) + (4 + 2 * inline) * len(numbers) + inline
    entries, tail = b"", b""
    for number, values in sorted(numbers, key=itemgetter(0)):
        packed = struct.pack(f"<{len(values)}{word}", *values)
        if len(packed) > inline:
            packed, tail = struct.pack("<" + word, tail_at + len(tail)), tail + packed
        entries += struct.pack("<HH" + word, number, 16 if big else 4, len(values)) + packed.ljust(
            inline, b"\0"
        )
    return bytes(out + count + entries + b"\0" * inline + tail)


def _numbers(page: Page, layout: Layout, rows: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the numbers (rows, pixels, channels) that bytes stand for, with the predictor undone."""
    compression, dtype = page.number(tiff.COMPRESSION, 1), layout.dtype
    predictor = page.number(tiff.PREDICTOR, 1) if compression in _PREDICTED else 1
    shape = (layout.down, layout.across, layout.interleaved)
    if predictor not in {1, 2, 3}:
        raise DecodeError(f"TIFF with predictor {predictor}, which is not known")
    if predictor == 3 and layout.kind == "f":
        return _undo_float_predictor(rows, layout).reshape(shape)
    if dtype is None:
        if predictor != 1:
            raise DecodeError(f"TIFF with a predictor over {layout.bits}-bit samples, which is not read")
        if layout.bits == 24:
            triples = rows.reshape(*shape, 3)[..., :: 1 if page.file.order == ">" else -1]
            return _float24(triples) if layout.kind == "f" else _join(triples)
        return _unpack_bits(rows, layout, shape)
    values = rows.view(np.dtype(page.file.order + dtype.str[1:])).astype(dtype).reshape(shape)
    if predictor == 2 and layout.kind in "ui":
        for left in range(0, layout.across, layout.block[0]):
            part = values[:, left : left + layout.block[0]]
            np.cumsum(part, axis=1, dtype=dtype, out=part)
    elif predictor != 1:
        raise DecodeError(f"TIFF with predictor {predictor} over {page.described()}, which is not read")
    return values


def _undo_float_predictor(rows: NDArray[np.uint8], layout: Layout) -> NDArray[Any]:
    """Return floats whose bytes were sorted by weight and stored as differences (Adobe, TIFF TN 3)."""
    across, step, size = layout.block[0], layout.interleaved, layout.bits // 8
    parts = []
    for packed in np.split(rows, layout.blocks[0], axis=1):
        part = np.cumsum(packed.reshape(layout.down, across * size, step), axis=1, dtype=np.uint8)
        weights = part.reshape(layout.down, size, across * step).transpose(0, 2, 1)
        if size == 3:
            parts.append(_float24(weights))
        else:
            parts.append(np.ascontiguousarray(weights).view(f">f{size}")[..., 0].astype(f"f{size}"))
    return np.concatenate([part.reshape(layout.down, across, step) for part in parts], axis=1)


def _join(triples: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return numbers of 24 bits (..., 3), the greatest byte first."""
    value: NDArray[np.uint32] = triples.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return value


def _float24(triples: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return floats of 24 bits (..., 3), greatest byte first: sign, 7 bits of exponent, 16 of mantissa."""
    value = _join(triples)
    sign, exponent, mantissa = value >> 23, (value >> 16 & 0x7F).astype(np.int32), value & 0xFFFF
    scaled = np.where(exponent == 0, mantissa, mantissa | 0x10000).astype(np.float32)
    out = np.ldexp(scaled, np.maximum(exponent, 1) - 63 - 16)
    out = np.where(exponent == 0x7F, np.where(mantissa == 0, np.float32(np.inf), np.float32(np.nan)), out)
    signed: NDArray[np.float32] = np.where(sign == 1, -out, out).astype(np.float32)
    return signed


def _unpack_bits(rows: NDArray[np.uint8], layout: Layout, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return unsigned numbers of any depth below 32 bits, packed without gaps, the greatest bit first."""
    bits, step = layout.bits, layout.interleaved
    dtype = np.dtype(np.uint8 if bits < 8 else np.uint16 if bits <= 16 else np.uint32)
    out = np.zeros(shape, dtype)
    across = layout.block[0]
    height = max(1, _CHUNK // (across * step))
    for index, part in enumerate(np.split(rows, layout.blocks[0], axis=1)):
        for top in range(0, layout.down, height):
            digits = np.unpackbits(part[top : top + height], axis=1, count=across * step * bits)
            digits = digits.reshape(-1, across, step, bits)
            here = out[top : top + height, index * across : (index + 1) * across]
            for place in range(bits):
                here |= digits[..., place].astype(dtype) << dtype.type(bits - 1 - place)
    return out
