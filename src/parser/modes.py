"""Pixels of a loaded image as an array: its own channels and depth, or the 8-bit ones asked for."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DecodeError
from .options import Mode
from .stored import Stored

__all__ = ["image_pixels", "to_mode"]

_TO_RGB: Final = frozenset({"CMYK", "HSV"})
"""Colours of 8 bits that Pillow turns into RGB."""


def image_pixels(image: Image.Image, depth: int = 8) -> NDArray[Any]:
    """The pixels of a loaded image.

    They have the dtype and shape of `numpy.asarray(image)`, except that
    - 1-bit becomes uint8, 0 or 255,
    - a palette becomes RGB, or RGBA where it has transparent colours,
    - a transparent colour (tRNS) becomes an alpha channel: grey (H, W, 2), RGB (H, W, 4),
    - 16-bit grey is uint16 in native byte order, whatever Pillow calls it,
    - YCbCr becomes RGB, premultiplied alpha plain alpha.

    Args:
        image: a loaded image, whose mode Pillow knows.
        depth: bits of a grey sample in the file, which scale a transparent grey.

    Returns:
        Array (H, W) or (H, W, C), contiguous, writable, in native byte order.
    """
    mode = image.mode
    transparent = image.info.get("transparency")
    if mode in {"P", "PA"}:
        return np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if mode in {"YCbCr", "RGBX"}:
        return np.array(image.convert("RGB"))
    if mode in {"La", "RGBa"}:
        return np.array(image.convert(mode.upper()))
    if mode == "1":
        array = np.array(image).astype(np.uint8) * np.uint8(255)
    elif mode == "I" and image.format == "PPM":
        array = np.array(image).astype(np.uint16)  # a PGM of more than 8 bits
    else:
        array = np.array(image)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if mode in {"1", "L"} or mode.startswith("I;16"):
        if isinstance(transparent, int):
            if mode == "L" and depth < 8:
                transparent = transparent * 255 // ((1 << depth) - 1)
            array = _with_alpha(array[..., None], array == transparent)
    elif mode == "RGB" and isinstance(transparent, tuple) and len(transparent) == 3:
        array = _with_alpha(array, (array == np.array(transparent)).all(axis=-1))
    return array


def to_mode(stored: Stored, mode: Mode) -> NDArray[np.uint8]:
    """Convert grey (H, W), grey and alpha (H, W, 2), RGB or RGBA to 8 bits of "rgb", "rgba" or "gray".

    16 bits are scaled to 8 by their high byte (`>> 8`); alpha is dropped for rgb and gray (nothing is
    blended) and is 255 for rgba where there is none; gray of a colour is Pillow's `convert("L")`, luma by
    ITU-R 601-2. CMYK and HSV are turned into RGB by Pillow.

    Raises:
        DecodeError: signed numbers, integers of 32 bits, floats, which have no agreed range; colours that
            have no RGB form without a profile.
    """
    array = stored.array
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise DecodeError(f"pixels of type {array.dtype} have no 8-bit form: convert it with mode native")
    if stored.colours in _TO_RGB:
        array = np.array(_as_image(array, stored.colours).convert("RGB"))
    elif stored.colours is not None:
        raise DecodeError(f"{stored.colours} colours have no RGB form here: convert it with mode native")
    channels = array.shape[2] if array.ndim == 3 else 1
    alpha = array[..., -1] if channels in {2, 4} else None
    if channels == 1:
        colour = array.reshape(array.shape[:2])
    elif channels == 2:
        colour = array[..., 0]
    else:
        colour = array[..., :3]
    if mode == "gray":
        if colour.ndim == 3:
            colour = np.array(_as_image(colour, "RGB").convert("L"))
        return np.ascontiguousarray(colour)
    out = np.empty((*array.shape[:2], 4 if mode == "rgba" else 3), np.uint8)
    out[..., :3] = colour if colour.ndim == 3 else colour[..., None]
    if mode == "rgba":
        out[..., 3] = 255 if alpha is None else alpha
    return out


def _as_image(array: NDArray[np.uint8], colours: str) -> Image.Image:
    height, width = array.shape[:2]
    return Image.frombuffer(colours, (width, height), np.ascontiguousarray(array), "raw", colours, 0, 1)


def _with_alpha(array: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[Any]:
    out = np.empty((*array.shape[:2], array.shape[2] + 1), array.dtype)
    out[..., :-1] = array
    out[..., -1] = np.where(hidden, 0, np.iinfo(array.dtype).max)
    return out
