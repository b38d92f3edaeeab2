"""What decoding gives, and how much of it there may be."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from ...errors import DecodeError

__all__ = [
    "Decoded",
    "LostFrames",
    "check_pixels",
    "check_samples",
    "check_working_memory",
    "declare_pixels_to",
]

_BYTES: Final = 8
"""Bytes that a pixel may take on average where an image uses the whole budget: RGBA of 16 bits."""

_LITTLE: Final = 1 << 28
"""Bytes that any decoder may hold, however few pixels are allowed."""


class Decoded(NamedTuple):
    """One decoded frame; a tuple, since there is one for every image.

    Attributes:
        array: (H, W) or (H, W, C); C-contiguous, in native byte order, writable.
        frame: its number, from 0.
        frames: how many the image has.
        orientation: what the file says, 1 to 8; 1 where it says nothing.
        salvaged: the image is damaged, and this is what could be decoded of it.
        colours: what the channels are where their number does not say it: "CMYK", "LAB", "RGBX" ...
    """

    array: NDArray[Any]
    frame: int = 0
    frames: int = 1
    orientation: int = 1
    salvaged: bool = False
    colours: str | None = None


class LostFrames(NamedTuple):
    """Frames of an image that cannot be decoded while others can.

    Attributes:
        first: the number of the first of them.
        last: that of the last, which follow one another; they build on the first, or cannot be reached.
        error: what is wrong with the first.
    """

    first: int
    last: int
    error: Exception


_declare: Callable[[int], None] | None = None


def declare_pixels_to(listener: Callable[[int], None] | None) -> None:
    """Have this process's sizes of frames told to a listener, before they are decoded; None ends it."""
    global _declare  # noqa: PLW0603 - a worker process decodes one image at a time
    _declare = listener


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse an image of more pixels than the budget, before anything is allocated for them.

    Raises:
        DecodeError: with the sizes.
    """
    if width * height > max_pixels:
        raise DecodeError(f"{width} x {height} are {width * height:,} pixels; the budget is {max_pixels:,}")
    if _declare is not None:
        _declare(width * height)


def check_samples(width: int, height: int, channels: int, itemsize: int, max_pixels: int) -> None:
    """Refuse an image whose channels and depth make more bytes than the budget's pixels do.

    Raises:
        DecodeError: with the sizes.
    """
    size = width * height * channels * itemsize
    if size > _BYTES * max_pixels:
        raise DecodeError(
            f"{width} x {height} pixels of {channels} x {8 * itemsize} bits are {size:,} bytes; "
            f"the budget is {_BYTES * max_pixels:,}"
        )


def check_working_memory(nbytes: int, max_pixels: int) -> None:
    """Refuse an image whose decoder holds more than twice the bytes that the budget's pixels make.

    Args:
        nbytes: what it holds at its peak.
        max_pixels: the budget.

    Raises:
        DecodeError: with the sizes.
    """
    budget = max(2 * _BYTES * max_pixels, _LITTLE)
    if nbytes > budget:
        raise DecodeError(
            f"decoding it takes {nbytes:,} bytes of memory;"
            f" the budget is {budget:,} for {max_pixels:,} pixels"
        )
