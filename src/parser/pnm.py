"""The Netpbm formats: PBM, PGM and PPM (P1 to P6), PAM (P7) and PFM (Pf, PF), values as stored.

Sources: pbm(5), pgm(5), ppm(5), pam(5) and pfm(5) of Netpbm.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import DecodeError
from .options import DecodeOptions
from .pixels import check_pixels, check_samples
from .stored import OneImage, Stored

__all__ = ["PnmSource"]

_SPACE: Final = rb"[ \t\n\v\f\r]"
_COMMENT: Final = rb"#[^\n\r]*"
_GAP: Final = rb"(?:" + _SPACE + rb"|" + _COMMENT + rb"[\n\r])"
_NUMBER: Final = _GAP + rb"+([0-9]{1,10})(?![0-9])"
_BITMAP: Final = re.compile(rb"P[14]" + _NUMBER * 2 + _GAP)
_MAP: Final = re.compile(rb"P[2356]" + _NUMBER * 3 + _GAP)
_FLOATS: Final = re.compile(rb"P[fF]" + _NUMBER * 2 + _GAP + rb"+([-+.0-9eE]{1,32})" + _GAP)
_PAM_LINE: Final = re.compile(rb"[ \t]*(?:#[^\n]*|([A-Z]+)(?:[ \t]+([^\n]*?))?)[ \t\r]*\n|[ \t\r]*\n")
_HEADER: Final = 1 << 16
"""Bytes that a header may take, comments included."""
_BLOCK: Final = 1 << 20
"""Bytes of a plain raster that are looked at together."""
_WORD_END: Final = re.compile(_SPACE)
_CHANNELS: Final = {b"2": 1, b"5": 1, b"3": 3, b"6": 3, b"f": 1, b"F": 3}


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands before the raster.

    Attributes:
        width: in pixels.
        height: in pixels.
        channels: samples of a pixel.
        peak: the greatest value; 1 for bits, 0 for floats.
        raster: where the raster begins.
        big: floats in big-endian order.
        kind: the PAM's tuple type.
    """

    width: int
    height: int
    channels: int
    peak: int
    raster: int
    big: bool = True
    kind: bytes = b""


class PnmSource(OneImage):
    """The one image of a file; further images behind the first are left out, as by Pillow.

    Values come as stored, however large the file says they can be (`maxval`): uint8 up to 255, uint16 above.
    Bits come as 0 and 255, PBM's 1 being black; floats as float32, the top row first, not scaled.

    Args:
        data: the encoded image.
        options: budgets, and whether damage is borne.

    Raises:
        DecodeError: no sound header, or too many pixels.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._data, self._salvage = data, options.salvage
        self._header = header = _read_header(data)
        if not (header.width and header.height):
            raise DecodeError(f"{header.width} x {header.height} pixels: the header is damaged")
        check_pixels(header.width, header.height, options.max_pixels)
        itemsize = 4 if not header.peak else 2 if header.peak > 255 else 1
        check_samples(header.width, header.height, header.channels, itemsize, options.max_pixels)

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: truncated, or a value above the header's maxval; neither with salvage.
        """
        data, header = self._data, self._header
        magic = data[1:2]
        shape: tuple[int, ...] = (header.height, header.width)
        if header.channels > 1:
            shape = (*shape, header.channels)
        size = header.height * header.width * header.channels
        if not header.peak:
            flat, have = _whole(data, header.raster, size, np.dtype(">f4" if header.big else "<f4"))
            floats = flat.reshape(shape)[::-1].astype(np.float32)
            return Stored(floats, salvaged=self._checked(have, size))
        if magic == b"4":
            stride = (header.width + 7) // 8
            packed, have = _whole(data, header.raster, stride * header.height, np.dtype(np.uint8))
            bits = np.unpackbits(packed.reshape(header.height, stride), axis=1, count=header.width)
            return Stored((bits ^ 1) * np.uint8(255), salvaged=self._checked(have, stride * header.height))
        dtype = np.dtype(np.uint8 if header.peak < 256 else np.uint16)
        if magic in b"123":
            flat, have = _plain(data, header.raster, size, bits=magic == b"1")
        else:
            flat, have = _whole(data, header.raster, size, dtype.newbyteorder(">"))
        salvaged = self._checked(have, size)
        greatest = int(flat.max())
        if greatest > header.peak:
            if not self._salvage:
                raise DecodeError(
                    f"a value of {greatest:,}; the header says that {header.peak:,} is the greatest"
                )
            salvaged = True
        array = flat.reshape(shape).astype(dtype)
        if magic == b"1":
            return Stored((array ^ 1) * np.uint8(255), salvaged=salvaged)
        if header.kind.startswith(b"BLACKANDWHITE") and header.peak == 1:
            return Stored(array * np.uint8(255), salvaged=salvaged)
        colours = "CMYK" if header.kind == b"CMYK" and header.channels == 4 else None
        return Stored(array, header.peak, colours, salvaged=salvaged)

    def _checked(self, have: int, size: int) -> bool:
        """Whether samples are missing, which is a failure unless damage is borne."""
        if have < size and not self._salvage:
            raise DecodeError(f"truncated: {have:,} of {size:,} values are there")
        return have < size


def _read_header(data: bytes) -> _Header:
    """Read what stands before the raster.

    Raises:
        DecodeError: it is damaged.
    """
    head, magic = data[:_HEADER], data[1:2]
    if magic == b"7":
        return _read_pam(head)
    match = (_BITMAP if magic in b"14" else _FLOATS if magic in b"fF" else _MAP).match(head)
    if match is None:
        raise DecodeError("the header is damaged: width, height and the greatest value are not all there")
    width, height = int(match[1]), int(match[2])
    raster = match.end()  # one white space stands before it, or a comment
    if magic in b"14":
        return _Header(width, height, 1, 1, raster)
    if magic in b"fF":
        return _Header(width, height, _CHANNELS[magic], 0, raster, _scale(match[3]) > 0)
    peak = int(match[3])
    _check_peak(peak)
    return _Header(width, height, _CHANNELS[magic], peak, raster)


def _read_pam(head: bytes) -> _Header:
    numbers = {b"WIDTH": 0, b"HEIGHT": 0, b"DEPTH": 0, b"MAXVAL": 0}
    kind, at = b"", 3
    while (match := _PAM_LINE.match(head, at)) is not None and match[1] != b"ENDHDR":
        name, value = match[1], match[2] or b""
        at = match.end()
        if name == b"TUPLTYPE":
            kind = f"{kind.decode('latin-1')} {value.decode('latin-1')}".strip().encode("latin-1")
        elif name in numbers and value.isdigit() and len(value) <= 10:
            numbers[name] = int(value)
        elif name is not None:
            raise DecodeError(f"the header is damaged: {name.decode()} {value[:20].decode('latin-1')!r}")
    if match is None:
        raise DecodeError("the header is damaged: it has no end")
    width, height, channels, peak = numbers.values()
    _check_peak(peak)
    if not channels:
        raise DecodeError("the header is damaged: it has no DEPTH")
    return _Header(width, height, channels, peak, match.end(), kind=kind)


def _check_peak(peak: int) -> None:
    if not 0 < peak < 1 << 16:
        raise DecodeError(f"the header is damaged: a greatest value of {peak:,}")


def _scale(text: bytes) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.0 < abs(scale) < float("inf"):
        raise DecodeError(f"the header is damaged: a scale of {text.decode('latin-1')!r}")
    return scale


def _whole(data: bytes, at: int, count: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], int]:
    """Values from a place on, with zeros for those that are missing, and how many are there."""
    have = min(count, max(0, len(data) - at) // dtype.itemsize)
    values = np.frombuffer(data, dtype, have, at) if have else np.empty(0, dtype)
    if have < count:
        values = np.concatenate((values, np.zeros(count - have, dtype)))
    return values, have


def _plain(data: bytes, at: int, count: int, *, bits: bool) -> tuple[NDArray[np.uint32], int]:
    """Values written in decimal, or bits with or without white space between them; and how many there are.

    Raises:
        DecodeError: something else stands there.
    """
    text = data[at:]
    if b"#" in text:
        text = re.sub(_COMMENT, b" ", text)
    out = np.zeros(count, np.uint32)
    if bits:
        digits = np.frombuffer(text.translate(None, b" \t\n\v\f\r")[:count], np.uint8)
        out[: digits.size] = digits - np.uint8(ord("0"))
        if digits.size and out.max() > 1:
            raise DecodeError("a bit that is neither 0 nor 1")
        return out, digits.size
    have = at = 0
    while have < count and at < len(text):
        end = min(at + _BLOCK, len(text))
        if end < len(text):
            gap = _WORD_END.search(text, end, end + 16)
            end = end if gap is None else gap.start()
        words = text[at:end].split()
        if not all(len(word) <= 10 and word.isdigit() for word in words):
            raise DecodeError("a value that is no whole number of up to 10 digits")
        values = np.array(words[: count - have], "S10").astype(np.uint64)
        out[have : have + values.size] = np.minimum(values, 0xFFFFFFFF)
        have += values.size
        at = end
    return out, have
