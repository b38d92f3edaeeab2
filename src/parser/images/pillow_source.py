"""Images through one of Pillow's readers."""

from typing import Any, Final

from PIL import Image

from ..options import DecodeOptions
from .exif import tiff_orientation, xmp_orientation
from .fidelity import as_stored, check_fidelity, for_pillow, sample_bits
from .modes import image_pixels
from .pillow import ANIMATED, load, open_image
from .rare import check_later_frames
from .stored import Count, Stored

__all__ = ["PillowSource", "orientation"]

_PSD_EXIF: Final = 1058


class PillowSource:
    """The frames of an image that Pillow opens.

    Args:
        data: the encoded image.
        kind: its format, by its signature.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: too many pixels, or pixels that Pillow would not give as they are.
        Exception: whatever Pillow raises for a damaged header.
    """

    def __init__(self, data: bytes, kind: str, options: DecodeOptions) -> None:
        self._data, self._kind, self._options = data, kind, options
        check_fidelity(data, kind, options.mode)
        self._image = open_image(for_pillow(data, kind), kind, options.max_pixels)
        self._depth = sample_bits(kind, data)

    def count(self) -> Count:
        """Return how many frames the image has."""
        if self._kind not in ANIMATED:
            return Count(1)
        try:
            return Count(int(getattr(self._image, "n_frames", 1)))
        except Exception as error:  # noqa: BLE001 - Pillow raises anything
            reached = self._image.tell() + 1
            self._image.seek(0)
            return Count(reached, error)

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to a frame; return its width and height."""
        check_later_frames(self._data, self._kind)
        image: Any = self._image
        try:
            image.seek(frame)
        except EOFError:
            raise
        except Exception:  # noqa: BLE001 - Pillow raises anything
            image.tile = []  # the frame before this one, which Pillow would decode once more, is damaged
            image.seek(frame)
        return self._image.size

    def alone(self) -> bool:
        """Return whether the frame covers the whole canvas, or is a page."""
        image: Any = self._image
        if self._kind == "GIF":
            return _covers(image) and getattr(image, "_frame_transparency", 0) is None
        if self._kind == "PNG":
            return _covers(image) and image.info.get("blend") == 0
        return self._kind not in {"FLI", "WEBP"}

    def read(self) -> Stored:
        """Decode the frame, which is the first one until `seek` names another."""
        image = self._image
        salvaged = load(image, salvage=self._options.salvages(*image.size, len(self._data)))
        array, colours = as_stored(self._kind, image_pixels(image, self._depth), image.mode)
        return Stored(array, None, colours, orientation(image), salvaged)


def _covers(image: Any) -> bool:
    """Return whether the frame that is still to be decoded has the size of the canvas."""
    return bool(image.tile) and image.tile[0][1] == (0, 0, *image.size)


def orientation(image: Image.Image) -> int:
    """Return what EXIF or XMP of an opened image say, 1 to 8; 1 where they say nothing."""
    info = image.info
    for number, _, block in getattr(image, "resources", ()):  # of a PSD
        if number == _PSD_EXIF:
            return tiff_orientation(block) or 1
    exif = info.get("exif") or _hexadecimal(info.get("Raw profile type exif", ""))
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    return tiff_orientation(exif.removeprefix(b"Exif\0\0")) or xmp_orientation(packet) or 1


def _hexadecimal(text: str) -> bytes:
    """Return what ImageMagick writes of a profile: a name, a length, and lines of digits."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""
