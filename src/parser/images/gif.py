"""GIF: its blocks are gone through before its pixels are decoded (GIF89a, sections 15 to 27)."""

from typing import Final, NamedTuple

from ...errors import DecodeError
from ..options import DecodeOptions
from .pillow_source import PillowSource
from .pixels import check_pixels
from .stored import Count

__all__ = ["GifSource"]

_EXTENSION: Final = 0x21
_IMAGE: Final = 0x2C
_TRAILER: Final = 0x3B


class GifLayout(NamedTuple):
    """What a GIF is made of.

    Attributes:
        canvases: width and height of the canvas at each frame, which frames may enlarge.
        cut: the file ends between frames, without its trailer.
    """

    canvases: list[tuple[int, int]]
    cut: bool


def read_layout(data: bytes) -> GifLayout:
    """Go through the blocks up to the end or to the first that is none; never raises."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    canvases: list[tuple[int, int]] = []
    at = 13 + _colours(data[10:11])
    while at < len(data):
        code = data[at]
        if code == _TRAILER:
            return GifLayout(canvases, cut=False)
        if code == _EXTENSION:
            at = _behind_blocks(data, at + 2)
        elif code == _IMAGE and at + 10 <= len(data):
            left, top, across, down = (
                int.from_bytes(data[at + n : at + n + 2], "little") for n in (1, 3, 5, 7)
            )
            width, height = max(width, left + across), max(height, top + down)
            canvases.append((width, height))
            at = _behind_blocks(data, at + 11 + _colours(data[at + 9 : at + 10]))
        else:
            at += 1  # as Pillow does
    return GifLayout(canvases, cut=at == len(data))


def _colours(flags: bytes) -> int:
    """Return bytes of the colour table that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    """Return where a chain of sub-blocks ends, its terminator included."""
    end = len(data)
    while at < end and (size := data[at]):
        at += size + 1
    return at + 1


class GifSource(PillowSource):
    """The frames of a GIF, each as its canvas looks then.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: no frame, or more pixels than the budget, before any is allocated.
        Exception: whatever Pillow raises for a damaged header.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._layout = read_layout(data)
        if not self._layout.canvases:
            raise DecodeError("damaged GIF: it holds no frame")
        check_pixels(*self._layout.canvases[0], options.max_pixels)
        super().__init__(data, "GIF", options)

    def count(self) -> Count:
        """Return how many frames there are, by their headers."""
        cut = DecodeError("the end is missing, and frames may be") if self._layout.cut else None
        return Count(len(self._layout.canvases), cut)

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to the next frame; return the size of the canvas.

        Raises:
            DecodeError: the frame enlarges it beyond the budget.
            Exception: whatever Pillow raises for damage.
        """
        check_pixels(*self._layout.canvases[frame], self._options.max_pixels)
        return super().seek(frame)
