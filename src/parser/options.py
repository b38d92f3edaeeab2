"""How images become arrays."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

__all__ = ["FRAMES", "MODES", "DecodeOptions", "Frames", "Mode"]

Mode: TypeAlias = Literal["native", "rgb", "gray", "rgba"]
Frames: TypeAlias = Literal["first", "all"]

MODES: tuple[str, ...] = get_args(Mode)
FRAMES: tuple[str, ...] = get_args(Frames)


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What the decoder does with each image.

    Attributes:
        mode: "native" keeps the image's own channels and depth; the others convert.
        orient: turn the pixels as the EXIF orientation says.
        frames: decode the first frame only, or all of an animation's or document's.
        salvage: keep what could be decoded of a truncated image, flagged, instead of failing it.
        max_pixels: the budget of one frame, checked against the header before anything is allocated.
        max_frames: the budget of one image's frames.
    """

    mode: Mode = "native"
    orient: bool = False
    frames: Frames = "first"
    salvage: bool = False
    max_pixels: int = 178_956_970  # Pillow's own limit: 1 GiB of 24-bit pixels, halved
    max_frames: int = 10_000
