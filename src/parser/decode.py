"""Encoded images to arrays, faithfully or not at all."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from ..errors import DecodeError
from .images.exif import oriented
from .images.formats import ADVICE
from .images.jpeg_header import JpegHeader, read_header
from .images.pixels import Decoded, LostFrames, check_pixels
from .images.reasons import decode_error
from .images.scratch import Scratch
from .images.signature import HEAD, JPEG, describe, sniff_whole
from .images.stored import Stored
from .options import DecodeOptions

__all__ = ["decode", "decode_first", "recognise"]

_NATIVE: Final = DecodeOptions()
_UNKNOWN: Final = (Decoded(np.empty(0, np.uint8), 0, 0, 0),)


def decode(
    data: bytes, options: DecodeOptions, scratch: Scratch | None = None
) -> Iterable[Decoded | LostFrames]:
    """Decode an image: its first frame, or all of them one after the other.

    JPEG goes through libjpeg-turbo and gives exactly Pillow's pixels at twice its speed; everything else,
    and what libjpeg-turbo refuses, goes through the one Pillow reader that fits the signature. Safe in
    threads at the same time: no state of Pillow's is changed.

    Args:
        data: the encoded image.
        options: what to do with it.
        scratch: where the pixels may lie; they are valid until the next image is decoded with it.

    Returns:
        One Decoded, or one for each frame; with LostFrames between them for those that are damaged.

    Raises:
        DecodeError: and nothing else, with one line that says why. The iterator raises nothing.
    """
    if data.startswith(JPEG):
        try:
            return (_jpeg(data, options, scratch),)
        except Exception as error:
            raise decode_error(error, "JPEG") from error
    frames = _checked_frames(data, _kind_of(data), options)
    return chain((next(frames),), frames)


def decode_first(data: bytes, options: DecodeOptions = _NATIVE) -> Decoded:
    """Decode an image's first frame, by default as it is stored; as `decode`."""
    first = next(iter(decode(data, options)))
    assert isinstance(first, Decoded)
    return first


def recognise(data: bytes, _options: DecodeOptions, _scratch: Scratch | None = None) -> tuple[Decoded]:
    """Look at an image's signature alone, in place of `decode`.

    Returns:
        One Decoded that tells nothing: its array is empty, its frames and its orientation are 0.

    Raises:
        DecodeError: it is no image, or of a format that has no decoder.
    """
    if not data.startswith(JPEG):
        _kind_of(data)
    return _UNKNOWN


def _kind_of(data: bytes) -> str:
    """Return the format of an image that has a decoder."""
    kind = sniff_whole(data)
    if kind is None:
        raise DecodeError(f"no image: {describe(data[:HEAD])}")
    if kind in ADVICE:
        raise DecodeError(ADVICE[kind])
    return kind


def _checked_frames(data: bytes, kind: str, options: DecodeOptions) -> Iterator[Decoded | LostFrames]:
    """Yield the frames; an error before the first one is raised, a later one is a frame that is lost."""
    from .images.frames import decode_frames  # noqa: PLC0415 - Pillow costs as much to import as 100 images to decode

    frames = 0
    try:
        for one in decode_frames(data, kind, options):
            yield one._replace(error=decode_error(one.error, kind)) if isinstance(one, LostFrames) else one
            frames += 1
    except Exception as error:
        if not frames:
            raise decode_error(error, kind) from error
        yield LostFrames(frames, frames, decode_error(error, kind))


def _jpeg(data: bytes, options: DecodeOptions, scratch: Scratch | None) -> Decoded:
    header = read_header(data)
    array = _plain(data, header, options, scratch)
    salvaged = False
    if array is None:
        from .images.jpeg_damage import decode_doubtful  # noqa: PLC0415 - rare

        room = scratch.room if scratch is not None else lambda _: None
        array, salvaged = decode_doubtful(data, options, room)
    colours = None
    if array.ndim == 3 and array.shape[2] == 4:
        colours = "CMYK"
    if options.mode != "native":
        from .images.modes import to_mode  # noqa: PLC0415 - as `_frames` does

        array, colours = to_mode(Stored(array, None, colours), options.mode), None
    if options.orient and header.orientation != 1:
        array = oriented(array, header.orientation)
    return Decoded(array, 0, 1, header.orientation, salvaged, colours)


def _plain(
    data: bytes, header: JpegHeader, options: DecodeOptions, scratch: Scratch | None
) -> NDArray[np.uint8] | None:
    """Return grey (H, W) or RGB (H, W, 3) of a plain JPEG; None for any other, and if libjpeg-turbo warns."""
    _, width, height, components, plain = header
    if not plain or components not in {1, 3}:
        return None
    check_pixels(width, height, options.max_pixels)
    buffer = None if scratch is None else scratch.room(width * height * components)
    try:
        if components == 3:
            rgb: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", buffer=buffer)
            return rgb
        grey: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "GRAY", buffer=buffer)
        return grey.reshape(grey.shape[:2])
    except ValueError:
        return None
