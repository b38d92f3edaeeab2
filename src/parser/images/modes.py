"""Pixels of a loaded image as an array: its own channels and depth, or the 8-bit ones asked for."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import DecodeError
from ..options import Mode
from .stored import Stored

__all__ = ["as_image", "bands", "image_pixels", "in_bands", "to_mode", "with_alpha"]

_LETTERS: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_EIGHT_BIT_FORM: Final = frozenset({np.dtype(np.uint8), np.dtype(np.uint16)})
_KNOWN: Final = re.compile(r"(L)([AaX]?)|(RGB|CMYK|HSV)([AaX]*)")
"""A letter a channel: colours, then alpha (A), alpha that is multiplied in (a), others (X)."""
_BAND: Final = 1 << 20  # bytes that Pillow keeps of the rows that are copied at a time


def image_pixels(image: Image.Image, depth: int = 8) -> NDArray[Any]:
    """Return the pixels of a loaded image, converted some rows at a time: it is held once beside its array.

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
    return in_bands(image, lambda band: _band_pixels(band, depth))


def in_bands(image: Image.Image, pixels: Callable[[Image.Image], NDArray[Any]] = np.array) -> NDArray[Any]:
    """Return what a function gives of all rows of a loaded image, asked for some of them at a time.

    `numpy.array(image)` takes three times the memory: the rows as pieces, joined, and copied.
    """
    out: NDArray[Any] | None = None
    for top, band in bands(image):
        array = pixels(band)
        if len(array) == image.height:
            return array
        if out is None:
            out = np.empty((image.height, *array.shape[1:]), array.dtype)
        out[top : top + len(array)] = array
    return pixels(image) if out is None else out


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield a loaded image in pieces of some rows, each with the number of its first row."""
    width, height = image.size
    rows = max(1, _BAND // (4 * max(1, width)))
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _band_pixels(image: Image.Image, depth: int) -> NDArray[Any]:
    mode = image.mode
    transparent = image.info.get("transparency")
    if mode in {"P", "PA"}:
        return np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if mode in {"YCbCr", "RGBX"}:
        return np.array(image.convert("RGB"))
    if mode in {"La", "RGBa"}:
        return np.array(image.convert(mode.upper()))
    array: NDArray[Any] = np.array(image)
    if mode == "1":
        array = array.astype(np.uint8) * np.uint8(255)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if mode in {"1", "L"} or mode.startswith("I;16"):
        if isinstance(transparent, int):
            if mode == "L":  # as many low bits count as a sample has
                transparent = (transparent & ((1 << depth) - 1)) * 255 // ((1 << depth) - 1)
            array = with_alpha(array[..., None], array == transparent)
    elif mode == "RGB" and isinstance(transparent, tuple) and len(transparent) == 3:
        array = with_alpha(array, (array == np.array(transparent) % 256).all(axis=-1))
    return array


def to_mode(stored: Stored, mode: Mode) -> NDArray[np.uint8]:
    """Convert samples as stored to 8 bits of "rgb", "rgba" or "gray".

    More than 8 bits are scaled by their high byte: the greatest value that the file can hold becomes 255, of
    16 bits `>> 8`, of 12 bits `>> 4`. Fewer than 8 bits are spread over 0 to 255. Alpha is dropped for rgb
    and gray (nothing is blended) and is 255 for rgba of an image without; where the colours are multiplied
    with it, they are divided first. Gray of a colour is Pillow's `convert("L")`, luma by ITU-R 601-2. CMYK
    and HSV are turned into RGB by Pillow. Channels of no stated meaning are left out of rgb and gray.

    Raises:
        DecodeError: signed numbers, integers of 32 bits, floats, which have no agreed range; colours that
            have no RGB form without a profile; rgba of a channel that may be alpha or not.
    """
    array, peak = stored.array, stored.peak
    channels = array.shape[2] if array.ndim == 3 else 1
    letters = stored.colours or _LETTERS.get(channels, f"{channels} channels")
    match = _KNOWN.fullmatch(letters)
    if match is None:
        raise DecodeError(f"pixels of {letters} have no RGB form here: convert it with mode native")
    base, marks = match[1] or match[3], match[2] or match[4] or ""
    at = next((place for place, mark in enumerate(marks, len(base)) if mark in "Aa"), None)
    if mode == "rgba" and marks and at is None:
        raise DecodeError("a channel is not said to be alpha: mode rgb leaves it out, mode native keeps it")
    planes = array.reshape(*array.shape[:2], channels)
    colour, alpha = planes[..., : len(base)], None if at is None else planes[..., at]
    if alpha is not None and "a" in marks and array.dtype in _EIGHT_BIT_FORM:
        colour = _divided(colour, alpha, peak or np.iinfo(array.dtype).max)
    colour = _high_byte(colour, peak)
    if base in {"CMYK", "HSV"}:
        colour = np.asarray(as_image(colour, base).convert("RGB"))
    if mode == "gray":
        luma = np.array(as_image(colour, "RGB").convert("L")) if colour.shape[2] == 3 else colour[..., 0]
        return np.ascontiguousarray(luma)
    out = np.empty((*array.shape[:2], 4 if mode == "rgba" else 3), np.uint8)
    out[..., :3] = colour
    if mode == "rgba":
        out[..., 3] = 255 if alpha is None else _high_byte(alpha, peak)
    return out


def _divided(colour: NDArray[Any], alpha: NDArray[Any], peak: int) -> NDArray[Any]:
    """Return colours that were multiplied with alpha as they were before; where alpha is 0 they stay."""
    by = np.where(alpha == 0, peak, alpha)[..., None].astype(np.uint64)
    divided: NDArray[Any] = np.minimum(colour.astype(np.uint64) * np.uint64(peak) // by, peak).astype(
        colour.dtype
    )
    return divided


def _high_byte(array: NDArray[Any], peak: int | None) -> NDArray[np.uint8]:
    if array.dtype not in _EIGHT_BIT_FORM:
        raise DecodeError(f"pixels of type {array.dtype} have no 8-bit form: convert it with mode native")
    if peak is not None and peak != np.iinfo(array.dtype).max:
        wide = np.minimum(array, peak).astype(np.uint32)
        wide = (
            wide * 256 // np.uint32(peak + 1) if peak > 255 else (wide * 510 + peak) // (2 * peak)
        )  # rounded
        array = wide.astype(np.uint8)
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    return array


def as_image(array: NDArray[np.uint8], colours: str) -> Image.Image:
    """Return a Pillow image of that mode of 8-bit samples (H, W, C)."""
    height, width = array.shape[:2]
    return Image.frombuffer(colours, (width, height), np.ascontiguousarray(array), "raw", colours, 0, 1)


def with_alpha(array: NDArray[Any], hidden: NDArray[np.bool_]) -> NDArray[Any]:
    """Return pixels (H, W, C) with alpha behind them: 0 where they are hidden, else the greatest."""
    out = np.empty((*array.shape[:2], array.shape[2] + 1), array.dtype)
    out[..., :-1] = array
    out[..., -1] = np.iinfo(array.dtype).max
    out[hidden, -1] = 0
    return out
