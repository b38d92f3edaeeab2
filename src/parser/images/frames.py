"""Frames of all formats but the JPEGs that libjpeg-turbo takes itself: budgets, modes and orientation."""

from collections.abc import Callable, Iterator
from typing import Final

from ...errors import DecodeError
from ..options import DecodeOptions
from .bmp import BmpSource
from .exif import oriented
from .gif import GifSource
from .icon_bitmap import IconSource
from .icons import ICONS, largest
from .intact import CheckedSource, Faults
from .jpeg2000 import Jpeg2000Source
from .modes import to_mode
from .pillow_source import PillowSource
from .pixels import Decoded, LostFrames, check_pixels
from .png import PngSource
from .png_chunks import read_chunks
from .pnm import PnmSource
from .sgi import SgiFaults
from .stored import Source, Stored
from .sun import SunSource
from .tiff_source import TiffSource
from .webp import WebpSource

__all__ = ["decode_frames"]

_READERS: Final[dict[str, Callable[[bytes, DecodeOptions], Source]]] = {
    "BMP": BmpSource,
    "GIF": GifSource,
    "ICO": IconSource,
    "JPEG2000": Jpeg2000Source,
    "PNG": PngSource,
    "PPM": PnmSource,
    "SUN": SunSource,
    "TIFF": TiffSource,
    "WEBP": WebpSource,
}
_ALL_FRAMES: Final = 4  # times `max_pixels`: what the frames of one image may hold together


def decode_frames(data: bytes, kind: str, options: DecodeOptions) -> Iterator[Decoded | LostFrames]:
    """Decode by the one reader of the signature's format; a damaged frame costs itself and what builds on it.

    Raises:
        DecodeError: before any frame: none can be decoded, or there are too many.
        Exception: before any frame: whatever the reader raises.
    """
    source = open_source(data, kind, options)
    if options.frames == "first":
        stored = _read(source)
        yield _decoded(stored, 0, source.count().frames, options)
        return
    lost: list[LostFrames] = []
    sound = False
    for one in _every_frame(source, options):
        if isinstance(one, LostFrames):
            lost.append(one)
            continue
        yield from lost
        lost.clear()
        yield one
        sound = True
    if not sound:
        raise lost[0].error
    yield from lost


def _every_frame(source: Source, options: DecodeOptions) -> Iterator[Decoded | LostFrames]:
    """Yield the frames one after the other; those that are lost together come as one."""
    stored: Stored | Exception
    room = _ALL_FRAMES * options.max_pixels
    try:
        stored = _read(source)
        room -= stored.array.shape[0] * stored.array.shape[1]
    except Exception as error:  # noqa: BLE001 - readers raise anything
        stored = error
    frames, cut = source.count()
    if frames > options.max_frames:
        raise DecodeError(f"{frames:,} frames; the budget is {options.max_frames:,}")
    lost: LostFrames | None = None
    damaged = False  # what the next frame may build on
    reached = 0
    for reached in range(frames):
        try:
            if reached:
                width, height = source.seek(reached)
                room -= width * height
        except Exception as error:  # noqa: BLE001 - as above
            cut = error
            break
        if room < 0:
            cut = DecodeError(f"more than {_ALL_FRAMES * options.max_pixels:,} pixels in all frames together")
            break
        damaged = damaged and not source.alone()
        if damaged and lost is not None:
            lost = lost._replace(last=reached)
            continue
        try:
            if reached:
                check_pixels(width, height, options.max_pixels)
                stored = _read(source)
            decoded = _decoded(_known(stored), reached, frames, options)
        except Exception as error:  # noqa: BLE001 - as above
            if lost is not None:
                yield lost
            lost, damaged = LostFrames(reached, reached, error), True
            continue
        if lost is not None:
            yield lost
            lost = None
        damaged = damaged or decoded.salvaged
        yield decoded._replace(salvaged=damaged)
    else:
        reached = frames
    if lost is not None:
        yield lost
    if cut is not None:
        yield LostFrames(reached, max(reached, frames - 1), cut)


def _known(stored: Stored | Exception) -> Stored:
    """Return the first frame, where it was read."""
    if isinstance(stored, Exception):
        raise stored
    return stored


def open_source(data: bytes, kind: str, options: DecodeOptions) -> Source:
    """Open an image by the reader of its format; its pixels are not decoded yet."""
    if kind in ICONS:
        data, kind = largest(data, kind)
    faults: Faults | None = None
    if kind == "PNG" and data[12:16] == b"IHDR":
        data, faults = read_chunks(data)
    elif kind == "SGI":
        faults = SgiFaults(data)
    if faults is not None and not options.salvage and (fault := faults.before(0)):
        raise DecodeError(f"damaged {kind}: {fault}")
    reader = _READERS.get(kind)
    source = reader(data, options) if reader is not None else PillowSource(data, kind, options)
    return source if faults is None else CheckedSource(source, faults, kind, salvage=options.salvage)


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
