"""Pillow's readers, one chosen by the signature, behind a budget of our own."""

import io
import multiprocessing
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
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

    The reader is called itself, not through `Image.open`, and is without Pillow's own limit, a process
    global that warns: it is neither met nor changed. What a reader finds later its caller checks.

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
    return _without_limit(getattr(module, reader), module)


def _allow(size: tuple[int, int], *, error_only: bool = False) -> None:
    """Allow every size, in the place of Pillow's check: the budget was held against it."""


class _Image:
    """PIL.Image as readers are to see it."""

    _decompression_bomb_check = staticmethod(_allow)

    def __getattr__(self, name: str) -> Any:
        return getattr(Image, name)


def _without_limit(reader: Any, module: ModuleType) -> Any:
    """A reader whose methods have a namespace of their own, in which Pillow's limit is met nowhere."""
    namespace = vars(module) | {"Image": _Image()}
    methods = {
        name: _moved(method, namespace)
        for name, method in vars(reader).items()
        if isinstance(method, FunctionType)
    }
    crop: Any = Image.Image._crop  # noqa: SLF001 - what readers cut frames with
    methods["_crop"] = _moved(crop, vars(Image) | {"_decompression_bomb_check": _allow})
    return type(reader.__name__, (reader,), methods)


def _moved(method: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    """A method that looks its global names up in another namespace."""
    code = method.__code__, namespace, method.__name__, method.__defaults__, method.__closure__
    moved = FunctionType(*code)
    moved.__kwdefaults__ = method.__kwdefaults__
    return moved


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas (RFC 9649); 0 where the header is none."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
