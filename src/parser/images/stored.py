"""One frame as its file stores it, and where frames come from."""

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from ...errors import DecodeError

__all__ = ["Count", "OneImage", "Source", "Stored"]


class Stored(NamedTuple):
    """A frame's samples as stored, and what is needed to make 8 bits of them.

    Attributes:
        array: (H, W) or (H, W, C), in native byte order.
        peak: the greatest value that a sample can have; None: the greatest of the dtype.
        colours: what the channels are where their number does not say it, such as "CMYK".
        orientation: what the file says, 1 to 8; it is not applied.
        salvaged: the image is damaged, and this is what could be decoded of it.
    """

    array: NDArray[Any]
    peak: int | None = None
    colours: str | None = None
    orientation: int = 1
    salvaged: bool = False


class Count(NamedTuple):
    """How many frames an image has.

    Attributes:
        frames: those that can be reached.
        cut: what keeps others from being reached; None where there are no others.
    """

    frames: int
    cut: Exception | None = None


class Source(Protocol):
    """An opened image of one or more frames, at the first; what its methods raise is a failure."""

    def count(self) -> Count:
        """Return how many frames there are, once the first one is read or has failed; raise nothing."""

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to a later frame; return its width and height, before its pixels are decoded."""

    def alone(self) -> bool:
        """Return whether the frame at hand builds on none before it."""

    def read(self) -> Stored:
        """Decode the frame."""


class OneImage:
    """What the sources of files with one image have in common."""

    def count(self) -> Count:
        """Return 1."""
        return Count(1)

    def seek(self, frame: int) -> tuple[int, int]:
        """Raise DecodeError: there is one frame only."""
        raise DecodeError(f"there is no frame {frame}")

    def alone(self) -> bool:
        """Return True: it is the only one."""
        return True
