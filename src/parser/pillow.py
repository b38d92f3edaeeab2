"""Pillow's readers, one chosen by the signature, behind a budget of our own."""

import io
import multiprocessing
from functools import cache
from importlib import import_module
from typing import Any, Final, cast

from PIL import ImageFile

from .pixels import check_pixels

__all__ = ["ANIMATED", "load", "open_image"]

_READERS: Final = {
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "DDS": ("DdsImagePlugin", "DdsImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "ICO": ("IcoImagePlugin", "IcoImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "JPEG2000": ("Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "PCX": ("PcxImagePlugin", "PcxImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "PSD": ("PsdImagePlugin", "PsdImageFile"),
    "QOI": ("QoiImagePlugin", "QoiImageFile"),
    "SGI": ("SgiImagePlugin", "SgiImageFile"),
    "SUN": ("SunImagePlugin", "SunImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
}

ANIMATED: Final = frozenset({"AVIF", "GIF", "PNG", "WEBP"})
"""Formats whose frames are counted. An MPO counts as its first JPEG, a PSD as its composite."""


def open_image(data: bytes, kind: str, max_pixels: int) -> ImageFile.ImageFile:
    """Open an image with the one reader of its format; its pixels are not decoded.

    The reader is called itself, not through `Image.open`: so Pillow's own limit, a process global that
    warns, is neither met nor changed.

    Raises:
        DecodeError: more pixels than the budget.
        Exception: whatever Pillow raises for a damaged header.
    """
    # These two allocate before Pillow says how large they are.
    if kind == "WEBP":
        check_pixels(*_webp_size(data), max_pixels)
    elif kind == "ICO":
        for at in range(6, min(6 + 16 * int.from_bytes(data[4:6], "little"), len(data) - 15), 16):
            check_pixels(*_icon_size(data, int.from_bytes(data[at + 12 : at + 16], "little")), max_pixels)
    image = cast("ImageFile.ImageFile", _reader(kind)(io.BytesIO(data)))
    check_pixels(*image.size, max_pixels)
    return image


def load(image: ImageFile.ImageFile, *, salvage: bool) -> bool:
    """Decode an opened image; whether it is damaged, and holds what it still gives."""
    try:
        image.load()
    except Exception:
        if not salvage:
            raise
        # What was decoded before the damage stays in the image: without tiles, nothing is left to load.
        image.tile = []
        return True
    return False


@cache
def _reader(kind: str) -> Any:
    name, reader = _READERS[kind]
    module: Any = import_module(f"PIL.{name}")
    if kind == "AVIF" and multiprocessing.parent_process() is not None:
        module.DEFAULT_MAX_THREADS = 1  # in a worker, which is one of many
    return getattr(module, reader)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas (RFC 9649); 0 where the header is none."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _icon_size(data: bytes, at: int) -> tuple[int, int]:
    """Width and height of the image at an offset of an icon file, a PNG or a BMP without its first header."""
    if data[at : at + 8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(data[at + 16 : at + 20], "big"), int.from_bytes(data[at + 20 : at + 24], "big")
    width = int.from_bytes(data[at + 4 : at + 8], "little", signed=True)
    height = int.from_bytes(data[at + 8 : at + 12], "little", signed=True)
    return abs(width), abs(height) // 2  # its mask stands below it
