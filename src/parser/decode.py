"""Encoded images to arrays, faithfully or not at all."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from ..errors import DecodeError
from .exif import oriented
from .fidelity import check_fidelity, refused_tiff, sample_bits
from .jpeg import JpegHeader, read_header
from .modes import image_pixels, to_mode
from .options import DecodeOptions
from .pillow import ANIMATED, check_pixels, open_image
from .scratch import Scratch
from .signature import HEAD, KNOWN_WITHOUT_DECODER, describe, sniff

__all__ = ["Decoded", "decode"]

_COMPONENTS: Final = {"Gray": 1, "RGB": 3, "YCbCr": 3}
_ALL_FRAMES: Final = 4  # times `max_pixels`: what the frames of one image may hold together
_NAMED_COLOURS: Final = frozenset({"CMYK", "LAB", "HSV"})


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame.

    Attributes:
        array: (H, W) or (H, W, C); C-contiguous, in native byte order, writable.
        frame: its number, from 0.
        frames: how many the image has.
        orientation: what EXIF says, 1 to 8; 1 where it says nothing or Pillow has applied it (TIFF).
        salvaged: the image is damaged, and this is what could be decoded of it.
        colours: what the channels are where their number does not say it: "CMYK", "LAB" or "HSV".
    """

    array: NDArray[Any]
    frame: int = 0
    frames: int = 1
    orientation: int = 1
    salvaged: bool = False
    colours: str | None = None


def decode(data: bytes, options: DecodeOptions, scratch: Scratch | None = None) -> Iterator[Decoded]:
    """Decode an image: its first frame, or all of them one after the other.

    JPEG goes through libjpeg-turbo and gives exactly Pillow's pixels at twice its speed; everything else,
    and what libjpeg-turbo refuses, goes through the one Pillow reader that fits the signature. Safe in
    threads at the same time: no state of Pillow's is changed.

    Args:
        data: the encoded image.
        options: what to do with it.
        scratch: where the pixels may lie; they are valid until the next image is decoded with it.

    Yields:
        One Decoded, or one for each frame; when a later frame is damaged, those before it came already.

    Raises:
        DecodeError: and nothing else, with one line that says why.
    """
    kind = sniff(data[:HEAD])
    if kind is None:
        raise DecodeError(f"no image: {describe(data[:HEAD])}")
    if kind in KNOWN_WITHOUT_DECODER:
        raise DecodeError(f"{kind} images have no decoder here: convert them to PNG or JPEG first")
    try:
        if kind == "JPEG":
            yield _jpeg(data, options, scratch)
        else:
            yield from _frames(data, kind, options)
    except DecodeError:
        raise
    except Exception as error:  # Pillow raises at least nine classes
        raise DecodeError(_one_line(error)) from error


def _jpeg(data: bytes, options: DecodeOptions, scratch: Scratch | None) -> Decoded:
    header = read_header(data)
    array = _turbo(data, header, options, scratch)
    salvaged = False
    if array is None:
        try:
            decoded = next(_frames(data, "JPEG", options))
        except DecodeError:
            raise
        except Exception:
            array = _turbo(data, header, options, strict=False) if options.salvage else None
            if array is None:
                raise
            salvaged = True
        else:
            return decoded
    if options.mode != "native":
        array = to_mode(array, options.mode)
    if options.orient:
        array = oriented(array, header.orientation)
    return Decoded(array, orientation=header.orientation, salvaged=salvaged)


def _turbo(
    data: bytes,
    header: JpegHeader,
    options: DecodeOptions,
    scratch: Scratch | None = None,
    *,
    strict: bool = True,
) -> NDArray[np.uint8] | None:
    """Grey (H, W) or RGB (H, W, 3) by libjpeg-turbo; None for what is Pillow's: CMYK, damage, oddities."""
    _, width, height, components = header
    try:
        if not (width and height):
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
            components = _COMPONENTS.get(colours, 0)
        check_pixels(width, height, options.max_pixels)
        buffer = None if scratch is None else scratch.room(width * height * components)
        if components == 3:
            rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", buffer=buffer, strict=strict)
            return rgb
        if components == 1:
            grey: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "GRAY", buffer=buffer, strict=strict)
            return grey.reshape(grey.shape[:2])
    except ValueError:
        pass
    return None


def _frames(data: bytes, kind: str, options: DecodeOptions) -> Iterator[Decoded]:
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


def _one_line(error: Exception) -> str:
    """What an exception of Pillow's says, without line ends and addresses, which differ from run to run."""
    if isinstance(error, MemoryError) and not error.args:
        return "MemoryError: it does not fit into the memory that there is"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))[:300]
    name = type(error).__name__
    return f"{name}: {text}" if text else name
