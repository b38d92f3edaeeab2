"""Pillow's readers, one chosen by the signature, behind a budget of our own."""

import io
import multiprocessing
from functools import cache
from importlib import import_module
from typing import Any, Final, cast

from PIL import Image

from .pixels import check_pixels
from .rare import check_rare

__all__ = ["ANIMATED", "load", "open_image"]

_READERS: Final = {
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "DCX": ("DcxImagePlugin", "DcxImageFile"),
    "DDS": ("DdsImagePlugin", "DdsImageFile"),
    "FLI": ("FliImagePlugin", "FliImageFile"),
    "FTEX": ("FtexImagePlugin", "FtexImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
    "ICNS": ("IcnsImagePlugin", "IcnsImageFile"),
    "JPEG": ("JpegImagePlugin", "JpegImageFile"),
    "MSP": ("MspImagePlugin", "MspImageFile"),
    "PCX": ("PcxImagePlugin", "PcxImageFile"),
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "PSD": ("PsdImagePlugin", "PsdImageFile"),
    "QOI": ("QoiImagePlugin", "QoiImageFile"),
    "SGI": ("SgiImagePlugin", "SgiImageFile"),
    "SPIDER": ("SpiderImagePlugin", "SpiderImageFile"),
    "TGA": ("TgaImagePlugin", "TgaImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "XBM": ("XbmImagePlugin", "XbmImageFile"),
    "XPM": ("XpmImagePlugin", "XpmImageFile"),
}

ANIMATED: Final = frozenset({"AVIF", "DCX", "FLI", "GIF", "PNG", "SPIDER", "WEBP"})
"""Formats whose frames or pages are counted. An MPO counts as its first JPEG, a PSD as its composite."""


def open_image(data: bytes, kind: str, max_pixels: int) -> Image.Image:
    """Open an image with the one reader of its format; its pixels are not decoded.

    The reader is called itself, not through `Image.open`: so Pillow's own limit, a process global that
    warns, is neither met nor changed.

    Raises:
        DecodeError: more pixels than the budget.
        Exception: whatever Pillow raises for a damaged header.
    """
    check_rare(data, kind)
    if kind == "WEBP":  # it allocates before Pillow says how large it is
        check_pixels(*_webp_size(data), max_pixels)
    image = cast("Image.Image", _reader(kind)(io.BytesIO(data)))
    check_pixels(*image.size, max_pixels)
    return image


def load(image: Image.Image, *, salvage: bool) -> bool:
    """Decode an opened image; whether it is damaged, and holds what it still gives."""
    try:
        image.load()
    except Exception:
        if not salvage:
            raise
        # What was decoded before the damage stays in the image: without tiles, nothing is left to load.
        image.tile = []  # type: ignore[attr-defined]
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
