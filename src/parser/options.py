"""How images become arrays."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

__all__ = ["FRAMES", "MAX_MEMBERS", "MODES", "RATIO_FROM", "DecodeOptions", "Frames", "Mode", "ReadBudget"]

Mode: TypeAlias = Literal["native", "rgb", "gray", "rgba"]
Frames: TypeAlias = Literal["first", "all"]

MODES: tuple[str, ...] = get_args(Mode)
FRAMES: tuple[str, ...] = get_args(Frames)

_PIXELS_A_BYTE: Final = 1000
"""Photographs have two to ten, scans of pages some hundreds."""

MAX_MEMBERS: Final = 100_000_000
"""Entries that the sources of one run may hold together."""

RATIO_FROM: Final = 1 << 20
"""Unpacked bytes from which the ratio counts: less is no bomb."""


@dataclass(frozen=True, slots=True)
class ReadBudget:
    """What a member's bytes may amount to, held against what the archive says before anything is unpacked.

    Attributes:
        max_bytes: of one member, unpacked.
        max_ratio: unpacked bytes to packed ones, of a zip's member and of a compressed tar on the whole.
    """

    max_bytes: int = 1 << 30
    max_ratio: float = 1100.0  # deflate gives 1,032 at most: a blank page passes


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What the decoder does with each image.

    Attributes:
        mode: "native" keeps the image's own channels and depth; the others convert.
        orient: turn the pixels as the EXIF orientation says.
        frames: decode the first frame only, or all of an animation's or document's.
        salvage: keep what could be decoded of a damaged image, flagged, instead of failing it.
        max_pixels: the budget of one frame, checked against the header before anything is allocated.
        max_frames: the budget of one image's frames.
    """

    mode: Mode = "native"
    orient: bool = False
    frames: Frames = "first"
    salvage: bool = False
    max_pixels: int = 178_956_970  # Pillow's own limit: 1 GiB of 24-bit pixels, halved
    max_frames: int = 10_000

    def salvages(self, width: int, height: int, nbytes: int) -> bool:
        """Return whether an image of that size is kept where it is damaged.

        Not where its bytes could hold next to nothing of it: what is kept would be empty, and large.
        """
        return self.salvage and width * height <= _PIXELS_A_BYTE * nbytes
