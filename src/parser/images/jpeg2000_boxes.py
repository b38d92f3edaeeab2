"""What a JPEG 2000 file says of its components and colours, before its pixels.

Sources: ITU-T T.800 (codestream, annex A; JP2 boxes, annex I) and T.801 (colour spaces, annex M).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ...errors import DecodeError
from .exif import tiff_orientation, xmp_orientation

__all__ = ["Component", "Jpeg2000", "Palette", "read_boxes"]

_SOC_SIZ: Final = b"\xff\x4f\xff\x51"
_EXIF: Final = b"JpgTiffExif->JP2"
_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_MAX_BOXES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Component:
    """A component: bits of a sample, whether it is signed, and every how many pixels it has one."""

    bits: int
    signed: bool
    across: int
    down: int


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours that a component points at.

    Attributes:
        entries: a tuple of values for each.
        bits: of each column; negative where its values are signed.
    """

    entries: tuple[tuple[int, ...], ...]
    bits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Jpeg2000:
    """An image before its pixels.

    Attributes:
        start: where its codestream begins.
        end: and ends.
        width: in pixels.
        height: in pixels.
        components: of the codestream.
        space: the colour space, as enumerated; None where a profile or nobody says.
        profile: the colours of an ICC profile, such as b"CMYK"; b"" without one.
        palette: None where colours are stored.
        mapping: for each channel a component, and a column of the palette or None.
        channels: for each channel its kind (0 colour, 1 alpha, 2 alpha that is multiplied in) and its colour.
        orientation: by EXIF or XMP, 1 to 8; 1 where neither says.
    """

    start: int
    end: int
    width: int
    height: int
    components: tuple[Component, ...]
    space: int | None = None
    profile: bytes = b""
    palette: Palette | None = None
    mapping: tuple[tuple[int, int | None], ...] = ()
    channels: tuple[tuple[int, int, int], ...] = ()
    orientation: int = 1


@dataclass(slots=True)
class _Found:
    """What the boxes said so far."""

    stream: tuple[int, int] | None = None
    space: int | None = None
    profile: bytes = b""
    coloured: bool = False
    palette: Palette | None = None
    mapping: tuple[tuple[int, int | None], ...] = ()
    channels: tuple[tuple[int, int, int], ...] = ()
    orientations: list[int] = field(default_factory=list)


def read_boxes(data: bytes) -> Jpeg2000:
    """Read a JP2, JPX or JPH file, or a bare codestream, up to its pixels.

    Raises:
        DecodeError: it is damaged.
    """
    found = _Found()
    if data.startswith(_SOC_SIZ):
        found.stream = 0, len(data)
    else:
        _read_into(found, data, 0, len(data))
    if found.stream is None:
        raise DecodeError("damaged: there is no codestream")
    start, end = found.stream
    if data[start : start + 4] != _SOC_SIZ:
        raise DecodeError("damaged: the codestream does not begin with its sizes")
    try:
        _, _, x1, y1, x0, y0, _, _, _, _, count = struct.unpack_from(">2H8IH", data, start + 4)
        raw = struct.unpack_from(f">{3 * count}B", data, start + 42)
    except struct.error as error:
        raise DecodeError("truncated: the codestream ends in its header") from error
    components = tuple(
        Component((raw[at] & 0x7F) + 1, raw[at] > 0x7F, raw[at + 1], raw[at + 2])
        for at in range(0, 3 * count, 3)
    )
    orientation = next((value for value in found.orientations if value), 1)
    about = found.space, found.profile, found.palette, found.mapping, found.channels, orientation
    return Jpeg2000(start, end, max(0, x1 - x0), max(0, y1 - y0), components, *about)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of a stretch: type, and where the content begins and ends."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else min(at + size, end)
        if stop < at + head:
            raise DecodeError(f"damaged: a box of {size:,} bytes")
        yield kind, at + head, stop
        at = stop


def _read_into(found: _Found, data: bytes, at: int, end: int) -> None:
    try:
        for kind, start, stop in _boxes(data, at, end):
            if kind == b"jp2h":
                _read_into(found, data, start, stop)
            elif kind == b"jp2c" and found.stream is None:
                found.stream = start, stop
            elif kind == b"colr" and not found.coloured:
                found.coloured = True
                if data[start] == 1:
                    found.space = int.from_bytes(data[start + 3 : start + 7], "big")
                elif data[start] in {2, 3}:
                    found.profile = data[start + 19 : start + 23]
            elif kind == b"pclr":
                found.palette = _read_palette(data[start:stop])
            elif kind == b"cmap":
                mapped = struct.iter_unpack(">HBB", data[start : start + (stop - start) // 4 * 4])
                found.mapping = tuple(
                    (component, column if use else None) for component, use, column in mapped
                )
            elif kind == b"cdef":
                count = int.from_bytes(data[start : start + 2], "big")
                found.channels = tuple(struct.iter_unpack(">3H", data[start + 2 : start + 2 + 6 * count]))
            elif kind == b"uuid":
                content = data[start + 16 : stop]
                if data[start : start + 16] == _EXIF:
                    found.orientations.insert(0, tiff_orientation(content.removeprefix(b"Exif\0\0")))
                elif data[start : start + 16] == _XMP:
                    found.orientations.append(xmp_orientation(content))
    except (struct.error, IndexError) as error:
        raise DecodeError("damaged: a box of the header is cut short") from error


def _read_palette(box: bytes) -> Palette:
    count, columns = struct.unpack_from(">HB", box)
    raw = struct.unpack_from(f">{columns}B", box, 3)
    bits = tuple(-((one & 0x7F) + 1) if one & 0x80 else (one & 0x7F) + 1 for one in raw)
    sizes = [(abs(one) + 7) // 8 for one in bits]
    at, entries = 3 + columns, []
    for _ in range(count):
        values = []
        for size in sizes:
            if at + size > len(box):
                raise DecodeError("damaged: the palette is cut short")
            values.append(int.from_bytes(box[at : at + size], "big"))
            at += size
        entries.append(tuple(values))
    return Palette(tuple(entries), bits)
