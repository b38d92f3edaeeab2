"""JPEGs of which libjpeg warns: damaged ones are told from those that are whole and only odd.

libjpeg names its first warning and no other. So what makes it warn and changes no pixel is taken out, and
the rest decoded again; what it says then is damage, except for bytes behind a scan's last pixel. Those are
padding, or the rest of an image in which the decoder lost its place: the scan's codes are counted for that.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import DecodeOptions
from .huffman import ScanFault, check_scans
from .jpeg_layout import Frame, Layout, lost_scans, read_layout, tidied
from .pixels import check_pixels

__all__ = ["decode_doubtful", "turbo"]

Pixels: TypeAlias = NDArray[np.uint8]

_COLOURS: Final = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_UNLIMITED: Final = 1 << 62  # the frame was checked
_SCANS: Final = 500  # the most that libjpeg's own authors look at
_SCANNED: Final = 20  # times `max_pixels`: what the scans of one image may hold together
_LEFT_OVER: Final = re.compile(r"(\d+) extraneous bytes before marker")
_UNKNOWN_SAMPLING: Final = "Could not determine subsampling"
_PROGRESSION: Final = "Inconsistent progression"
_PREFIX: Final = re.compile(r"^(Corrupt JPEG data|tj\w+\(\)|Warning): ")
_TAIL: Final = bytes(2) + bytes(range(1, 255)) * 2
_NOT_READ: Final = {
    0xF7: "JPEG-LS image",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "hierarchical JPEG",
    0xCB: "lossless arithmetic-coded JPEG",
}


def _no_room(_: int) -> None:
    """Leave the memory to the decoder."""


def turbo(data: bytes, components: int, buffer: Any = None, *, strict: bool = True) -> Pixels:
    """Decode by libjpeg-turbo: grey (H, W), RGB (H, W, 3), or CMYK (H, W, 4) with Adobe's inversion undone.

    Raises:
        ValueError: what libjpeg says, its first warning where `strict`.
    """
    colour = _COLOURS[components]
    array: Pixels = simplejpeg.decode_jpeg(data, colour, buffer=buffer, strict=strict)
    if components == 4:
        return np.invert(array, out=array)
    return array.reshape(array.shape[:2]) if components == 1 else array


def decode_doubtful(
    data: bytes, options: DecodeOptions, room: Callable[[int], Any] = _no_room
) -> tuple[Pixels, bool]:
    """Decode a JPEG that libjpeg warned of, refused, or cannot vouch for.

    Args:
        data: the JPEG.
        options: the budget of its frame, 20 times of which all its scans may hold; and whether to salvage.
        room: gives a buffer of that many bytes for the pixels, or None.

    Returns:
        The pixels, and whether they are only what a damaged image still gives.

    Raises:
        DecodeError: it is damaged and not to be salvaged, or nobody decodes its kind.
    """
    layout = read_layout(data)
    frame = _checked_frame(layout, options.max_pixels)
    sound = tidied(data, layout)
    fault = lost_scans(layout)
    if not fault:
        try:
            return _whole(sound, frame, room(frame.width * frame.height * len(frame.components))), False
        except ScanFault as found:
            fault = str(found)
    salvage = options.salvages(frame.width, frame.height, len(data))
    pixels = _salvaged(sound, frame) if salvage else None
    if pixels is None:
        raise DecodeError(f"damaged JPEG: {fault}")
    return pixels, True


def _checked_frame(layout: Layout, max_pixels: int) -> Frame:
    """Return the frame header of an image that can be decoded here and asks for a plausible effort."""
    frame, scans = layout.frame, len(layout.scans)
    other = [_NOT_READ[code] for code, _, _ in layout.segments if code in _NOT_READ]
    if other:
        raise DecodeError(f"{other[0]}s have no decoder here: convert them to PNG or TIFF first")
    if frame is None or not layout.scans:
        raise DecodeError(f"damaged JPEG: {lost_scans(layout)}")
    if frame.precision != 8:
        raise DecodeError(
            f"{frame.precision}-bit JPEGs have no decoder here: convert them to PNG or TIFF first"
        )
    if not frame.height:
        raise DecodeError("a JPEG that gives its height behind its pixels has no decoder here")
    if len(frame.components) not in _COLOURS:
        raise DecodeError(f"JPEGs of {len(frame.components)} components have no decoder here")
    check_pixels(frame.width, frame.height, max_pixels)
    if scans > _SCANS or scans * frame.width * frame.height > _SCANNED * max_pixels:
        raise DecodeError(
            f"{scans:,} scans of {frame.width} x {frame.height} pixels: more than an image needs"
        )
    return frame


def _whole(data: bytes, frame: Frame, buffer: Any) -> Pixels:
    """Decode what is whole.

    Raises:
        ScanFault: it is not.
    """
    components = len(frame.components)
    try:
        pixels = turbo(data, components, buffer)
    except ValueError as error:
        said = _PREFIX.sub("", str(error))
        if _UNKNOWN_SAMPLING in said:
            return _by_pillow(data, frame)
        if _PROGRESSION in said:  # and no bit is lost: they only come in another order
            return turbo(data, components, strict=False)
        if not _LEFT_OVER.search(said):
            raise ScanFault(said) from error
        _check_left_over(data, frame, said)
        return turbo(data, components, strict=False)
    if frame.arithmetic:
        _check_arithmetic(data, components, pixels)
    return pixels


def _check_left_over(data: bytes, frame: Frame, said: str) -> None:
    """Tell padding behind a scan from the rest of an image in which the decoder lost its place."""
    layout = read_layout(data)
    if frame.sequential:
        check_scans(data, layout)
        return
    for kept in (0, 1):  # of the bytes that are all alike at the end of a scan
        ends = {}
        for scan in layout.scans:
            coded = data[scan.data : scan.end]
            ends[scan.start] = min(scan.data + len(coded.rstrip(coded[-1:])) + kept, scan.end)
        try:
            turbo(tidied(data, layout, ends), len(frame.components))
        except ValueError:
            continue
        return
    raise ScanFault(said)


def _check_arithmetic(data: bytes, components: int, pixels: Pixels) -> None:
    """See whether an arithmetic-coded image needs more than it has: its decoder reads zeros behind the end.

    Encoders leave out zeros at the end of a scan (D.1.8), seldom more than two. What follows those must
    change nothing.
    """
    parts, at = [], 0
    for scan in read_layout(data).scans:
        parts += [data[at : scan.end], _TAIL]
        at = scan.end
    if not np.array_equal(turbo(b"".join([*parts, data[at:]]), components, strict=False), pixels):
        raise ScanFault("premature end of data segment")


def _by_pillow(data: bytes, frame: Frame) -> Pixels:
    """Decode an image of chroma sampling that TurboJPEG has no name for; its codes are counted here.

    Raises:
        ScanFault: it is not whole, or Pillow does not decode it either.
    """
    if frame.sequential:
        check_scans(data, read_layout(data))
    try:
        return _pillow(data)
    except (OSError, SyntaxError) as error:
        raise ScanFault(str(error)) from error


def _pillow(data: bytes) -> Pixels:
    from .pillow import open_image  # noqa: PLC0415 - Pillow costs as much to import as 100 images to decode

    return np.array(open_image(data, "JPEG", _UNLIMITED))


def _salvaged(data: bytes, frame: Frame) -> Pixels | None:
    """Return what can be decoded of a damaged image; None if that is nothing."""
    first = read_layout(data).scans[0]
    if first.data >= first.end:
        return None
    for part in (data, data[: first.end] + b"\xff\xd9"):
        for attempt in (lambda part: turbo(part, len(frame.components), strict=False), _pillow):
            try:
                return attempt(part)
            except (ValueError, OSError, SyntaxError):
                continue
    return None
