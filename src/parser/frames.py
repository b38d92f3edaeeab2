"""Images through Pillow: all formats but the JPEGs that libjpeg-turbo takes itself."""

from collections.abc import Iterator
from typing import Any, Final

from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from ..errors import DecodeError
from .exif import oriented
from .fidelity import check_fidelity, refused_tiff, sample_bits
from .modes import image_pixels
from .options import DecodeOptions
from .pillow import ANIMATED, open_image
from .pixels import Decoded, check_pixels

__all__ = ["decode_frames"]

_ALL_FRAMES: Final = 4  # times `max_pixels`: what the frames of one image may hold together
_NAMED_COLOURS: Final = frozenset({"CMYK", "LAB", "HSV"})


def decode_frames(data: bytes, kind: str, options: DecodeOptions) -> Iterator[Decoded]:
    """Decode by the one Pillow reader of the signature's format; raises whatever Pillow does."""
    try:
        image = open_image(data, kind, options.max_pixels)
    except SyntaxError as error:
        reason = refused_tiff(data) if kind == "TIFF" else ""
        raise (DecodeError(reason) if reason else error) from error
    check_fidelity(image, kind, data, options.mode)
    depth = sample_bits(kind, data)
    salvaged = _load(image, options)
    first = _pixels(image, depth, options, salvaged=salvaged)
    orientation = _orientation(image)
    frames = 1
    if kind in ANIMATED and not salvaged:
        frames = int(getattr(image, "n_frames", 1))
    wanted = frames if options.frames == "all" else 1
    if wanted > options.max_frames:
        raise DecodeError(f"{frames:,} frames; the budget is {options.max_frames:,}")
    colours = _colours(image, options)
    yield _decoded(first, 0, frames, orientation, options, salvaged=salvaged, colours=colours)
    budget = _ALL_FRAMES * options.max_pixels - first.shape[0] * first.shape[1]
    for frame in range(1, wanted):
        image.seek(frame)
        check_pixels(*image.size, options.max_pixels)
        budget -= image.size[0] * image.size[1]
        if budget < 0:
            raise DecodeError(
                f"{frames:,} frames of more than {_ALL_FRAMES * options.max_pixels:,} pixels in all"
            )
        check_fidelity(image, kind, data, options.mode)
        salvaged = _load(image, options)
        array = _pixels(image, depth, options, salvaged=salvaged)
        orientation, colours = _orientation(image), _colours(image, options)
        yield _decoded(array, frame, frames, orientation, options, salvaged=salvaged, colours=colours)


def _load(image: ImageFile.ImageFile, options: DecodeOptions) -> bool:
    """Decode the pixels; whether they are only those that a damaged image still gives."""
    try:
        image.load()
    except Exception:
        if not options.salvage:
            raise
        # What was decoded before the damage stays in the image: without tiles, nothing is left to load.
        image.tile = []
        return True
    return False


def _pixels(image: Image.Image, depth: int, options: DecodeOptions, *, salvaged: bool) -> NDArray[Any]:
    array = image_pixels(image, options.mode, depth)
    if salvaged and not array.any():
        raise DecodeError("damaged so early that nothing of it can be decoded")
    return array


def _decoded(
    array: NDArray[Any],
    frame: int,
    frames: int,
    orientation: int,
    options: DecodeOptions,
    *,
    salvaged: bool,
    colours: str | None,
) -> Decoded:
    if options.orient:
        array = oriented(array, orientation)
    if not (array.flags.c_contiguous and array.flags.writeable):
        array = array.copy(order="C")
    return Decoded(array, frame, frames, orientation, salvaged, colours)


def _colours(image: Image.Image, options: DecodeOptions) -> str | None:
    return image.mode if options.mode == "native" and image.mode in _NAMED_COLOURS else None


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001  # broken EXIF is no reason to lose the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
