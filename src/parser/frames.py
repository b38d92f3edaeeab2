"""Frames of all formats but the JPEGs that libjpeg-turbo takes itself: budgets, modes and orientation."""

from collections.abc import Iterator
from typing import Final

from ..errors import DecodeError
from .exif import oriented
from .icons import ICONS, largest
from .modes import to_mode
from .options import DecodeOptions
from .pillow_source import PillowSource
from .pixels import Decoded, check_pixels
from .pnm import PnmSource
from .stored import Source, Stored
from .tiff_source import TiffSource

__all__ = ["decode_frames"]

_ALL_FRAMES: Final = 4  # times `max_pixels`: what the frames of one image may hold together


def decode_frames(data: bytes, kind: str, options: DecodeOptions) -> Iterator[Decoded]:
    """Decode by the one reader of the signature's format; raises whatever that reader does."""
    source = open_source(data, kind, options)
    first = _read(source)
    frames = 1 if first.salvaged else source.count()
    wanted = frames if options.frames == "all" else 1
    if wanted > options.max_frames:
        raise DecodeError(f"{frames:,} frames; the budget is {options.max_frames:,}")
    yield _decoded(first, 0, frames, options)
    budget = _ALL_FRAMES * options.max_pixels - first.array.shape[0] * first.array.shape[1]
    for frame in range(1, wanted):
        width, height = source.seek(frame)
        check_pixels(width, height, options.max_pixels)
        budget -= width * height
        if budget < 0:
            raise DecodeError(
                f"{frames:,} frames of more than {_ALL_FRAMES * options.max_pixels:,} pixels in all"
            )
        yield _decoded(_read(source), frame, frames, options)


def open_source(data: bytes, kind: str, options: DecodeOptions) -> Source:
    """Open an image by the reader of its format; its pixels are not decoded yet."""
    if kind == "PPM":
        return PnmSource(data, options)
    if kind == "TIFF":
        return TiffSource(data, options)
    if kind in ICONS:
        data, kind = largest(data, kind)
    return PillowSource(data, kind, options)


def _read(source: Source) -> Stored:
    stored = source.read()
    if stored.salvaged and not stored.array.any():
        raise DecodeError("damaged so early that nothing of it can be decoded")
    return stored


def _decoded(stored: Stored, frame: int, frames: int, options: DecodeOptions) -> Decoded:
    array, _, colours, orientation, salvaged = stored
    if options.mode != "native":
        array, colours = to_mode(stored, options.mode), None
    if options.orient:
        array = oriented(array, orientation)
    if not (array.flags.c_contiguous and array.flags.writeable):
        array = array.copy(order="C")
    return Decoded(array, frame, frames, orientation, salvaged, colours)
