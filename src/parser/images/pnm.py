"""The Netpbm formats: PBM, PGM and PPM (P1 to P6), PAM (P7) and PFM (Pf, PF), values as stored.

Sources: pbm(5), pgm(5), ppm(5), pam(5) and pfm(5) of Netpbm.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import DecodeOptions
from .pixels import check_pixels, check_samples
from .stored import Count, Stored

__all__ = ["PnmSource"]

_SPACE: Final = rb"[ \t\n\v\f\r]"
_COMMENT: Final = rb"#[^\n\r]*"
_GAP: Final = rb"(?:" + _SPACE + rb"|" + _COMMENT + rb"[\n\r])"
_NUMBER: Final = _GAP + rb"+([0-9]{1,10})(?![0-9])"
_BITMAP: Final = re.compile(rb"P[14]" + _NUMBER * 2 + _GAP)
_MAP: Final = re.compile(rb"P[2356]" + _NUMBER * 3 + _GAP)
_FLOATS: Final = re.compile(rb"P[fF]" + _NUMBER * 2 + _GAP + rb"+([-+.0-9eE]{1,32})" + _GAP)
_PAM_LINE: Final = re.compile(rb"[ \t]*(?:#[^\n]*|([A-Z]+)(?:[ \t]+([^\n]*?))?)[ \t\r]*\n|[ \t\r]*\n")
_NEXT: Final = re.compile(rb"[ \t\n\v\f\r]*P[1-7fF][ \t\n\r#]")
_MAX_IMAGES: Final = 1_000_000
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
        magic: the second letter of the file, which says how the raster is written.
        raster: where the raster begins.
        big: floats in big-endian order.
        kind: the PAM's tuple type.
    """

    width: int
    height: int
    channels: int
    peak: int
    magic: bytes
    raster: int
    big: bool = True
    kind: bytes = b""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a value in the raster, of a byte of bits in a packed one."""
        if not self.peak:
            return np.dtype(">f4" if self.big else "<f4")
        return np.dtype(np.uint8 if self.peak < 256 else ">u2")

    @property
    def values(self) -> int:
        """How many of those the raster has."""
        packed = self.magic == b"4"
        return self.height * ((self.width + 7) // 8 if packed else self.width * self.channels)


class PnmSource:
    """The images of a file: raw ones may follow one another.

    Values come as stored, however large the file says they can be (`maxval`): uint8 up to 255, uint16 above.
    Bits come as 0 and 255, PBM's 1 being black; floats as float32, the top row first, not scaled.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: no sound header, or too many pixels.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._data, self._options = data, options
        self._header = self._sound_header(0)
        self._second = self._following(self._header)

    def count(self) -> Count:
        """Return how many images there are; bytes behind the last that are none do not count."""
        frames, at = 1, self._second
        while at is not None:
            if frames == _MAX_IMAGES:
                return Count(frames, DecodeError(f"more than {_MAX_IMAGES:,} images"))
            try:
                at = self._following(_read_header(self._data, at))
            except DecodeError as error:
                return Count(frames, error)
            frames += 1
        return Count(frames)

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to the image behind this one; return its width and height."""
        at = self._following(self._header)
        if at is None:
            raise DecodeError(f"there is no frame {frame}")
        self._header = self._sound_header(at)
        return self._header.width, self._header.height

    def alone(self) -> bool:
        """Return True: images stand alone."""
        return True

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: truncated, or a value above the header's maxval; neither with salvage.
        """
        data, header = self._data, self._header
        shape: tuple[int, ...] = (header.height, header.width)
        if header.channels > 1:
            shape = (*shape, header.channels)
        flat, have = (_plain if header.magic in b"123" else _whole)(data, header)
        salvaged = self._checked(have, header.values)
        if not header.peak:
            return Stored(flat.reshape(shape)[::-1].astype(np.float32), salvaged=salvaged)
        if header.magic == b"4":
            bits = np.unpackbits(flat.reshape(header.height, -1), axis=1, count=header.width)
            return Stored((bits ^ 1) * np.uint8(255), salvaged=salvaged)
        greatest = int(flat.max())
        if greatest > header.peak:
            if not self._options.salvage:
                raise DecodeError(
                    f"a value of {greatest:,}; the header says that {header.peak:,} is the greatest"
                )
            salvaged = True
        array = flat.reshape(shape).astype(header.dtype.newbyteorder("="))
        if header.magic == b"1":
            return Stored((array ^ 1) * np.uint8(255), salvaged=salvaged)
        if header.kind.startswith(b"BLACKANDWHITE") and header.peak == 1:
            return Stored(array * np.uint8(255), salvaged=salvaged)
        colours = "CMYK" if header.kind == b"CMYK" and header.channels == 4 else None
        return Stored(array, header.peak, colours, salvaged=salvaged)

    def _sound_header(self, at: int) -> _Header:
        """Return the header at a byte, its sizes held against the budget."""
        header, budget = _read_header(self._data, at), self._options.max_pixels
        if not (header.width and header.height):
            raise DecodeError(f"{header.width} x {header.height} pixels: the header is damaged")
        check_pixels(header.width, header.height, budget)
        check_samples(header.width, header.height, header.channels, header.dtype.itemsize, budget)
        return header

    def _following(self, header: _Header) -> int | None:
        """Return where the next image begins; None if there is none, as after all plain ones."""
        if header.magic in b"123":
            return None
        match = _NEXT.match(self._data, header.raster + header.values * header.dtype.itemsize)
        return None if match is None else match.end() - 3

    def _checked(self, have: int, size: int) -> bool:
        """Return whether samples are missing, which is a failure unless damaged images are kept."""
        if have < size and not self._options.salvage:
            raise DecodeError(f"truncated: {have:,} of {size:,} values are there")
        return have < size


def _read_header(data: bytes, at: int) -> _Header:
    """Read what stands before the raster of the image that begins at a byte.

    Raises:
        DecodeError: it is damaged.
    """
    magic, end = data[at + 1 : at + 2], at + _HEADER
    if magic == b"7":
        return _read_pam(data, at)
    match = (_BITMAP if magic in b"14" else _FLOATS if magic in b"fF" else _MAP).match(data, at, end)
    if match is None:
        raise DecodeError("the header is damaged: width, height and the greatest value are not all there")
    width, height = int(match[1]), int(match[2])
    raster = match.end()  # one white space stands before it, or a comment
    if magic in b"14":
        return _Header(width, height, 1, 1, magic, raster)
    if magic in b"fF":
        return _Header(width, height, _CHANNELS[magic], 0, magic, raster, _scale(match[3]) > 0)
    peak = int(match[3])
    _check_peak(peak)
    return _Header(width, height, _CHANNELS[magic], peak, magic, raster)


def _read_pam(data: bytes, at: int) -> _Header:
    numbers = {b"WIDTH": 0, b"HEIGHT": 0, b"DEPTH": 0, b"MAXVAL": 0}
    kinds, end = [], at + _HEADER
    at = data.find(b"\n", at) + 1
    while (match := _PAM_LINE.match(data, at, end)) is not None and match[1] != b"ENDHDR":
        name, value = match[1], match[2] or b""
        at = match.end()
        if name == b"TUPLTYPE":
            kinds.append(value)
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
    return _Header(width, height, channels, peak, b"7", match.end(), kind=b" ".join(kinds))


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


def _whole(data: bytes, header: _Header) -> tuple[NDArray[Any], int]:
    """Return values of a raw raster, with zeros for those that are missing, and how many are there."""
    dtype, count = header.dtype, header.values
    have = min(count, max(0, len(data) - header.raster) // dtype.itemsize)
    values = np.frombuffer(data, dtype, have, header.raster) if have else np.empty(0, dtype)
    if have < count:
        whole = np.zeros(count, dtype)  # what is not written takes no memory
        whole[:have] = values
        values = whole
    return values, have


def _plain(data: bytes, header: _Header) -> tuple[NDArray[Any], int]:
    """Return values written in decimal, or bits with optional white space; and how many there are.

    Raises:
        DecodeError: something else stands there.
    """
    count, bits, at = header.values, header.magic == b"1", header.raster
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
