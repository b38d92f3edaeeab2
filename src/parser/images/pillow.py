"""Pillow's readers, one chosen by the signature, behind a budget of our own."""

import io
import logging
import multiprocessing
import struct
from enum import Enum
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, Final, cast

from PIL import ExifTags, Image

from ...errors import DecodeError
from .exif import tiff_orientation
from .libtiff import damage_in, listening
from .pixels import check_pixels
from .rare import check_rare

__all__ = ["ANIMATED", "load", "open_image", "reader"]

_EXIF: Final = b"Exif\0\0"
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
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
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
    image = cast("Image.Image", reader(kind)(io.BytesIO(data)))
    check_pixels(*image.size, max_pixels)
    return image


def load(image: Image.Image, *, salvage: bool) -> bool:
    """Decode an opened image; whether it is damaged, and holds what it still gives.

    Raises:
        DecodeError: what libtiff warns of in the pixels of a TIFF; not with salvage.
        Exception: whatever Pillow raises for damage; not with salvage.
    """
    try:
        if image.format == "TIFF":
            _load_tiff(image)
        else:
            image.load()
    except Exception:
        if not salvage:
            raise
        # What was decoded before the damage stays in the image: without tiles, nothing is left to load.
        image.tile = []  # type: ignore[attr-defined]
        return True
    return False


def _load_tiff(image: Image.Image) -> None:
    with listening() as said:
        try:
            image.load()
        except OSError as error:
            raise OSError(damage_in(said) or str(error)) from error
    what = damage_in(said)
    if what:
        raise DecodeError(f"damaged TIFF: {what}")


@cache
def reader(kind: str) -> Any:
    """Return the reader of a format: a class of Pillow's that is called with a file."""
    name, wanted = _READERS[kind]
    module: Any = import_module(f"PIL.{name}")
    if kind == "AVIF" and multiprocessing.parent_process() is not None:
        module.DEFAULT_MAX_THREADS = 1  # in a worker, which is one of many
    return _apart(module)[wanted]


def _allow(size: tuple[int, int], *, error_only: bool = False) -> None:
    """Allow every size, in the place of Pillow's check: the budget was held against it."""


class _Exif(dict[int, int]):
    """The orientation in EXIF, all that a reader asks of it; Pillow's own class warns of the rest."""

    def load(self, data: bytes) -> None:
        """Read it."""
        found = tiff_orientation(data.removeprefix(_EXIF))
        if found:
            self[ExifTags.Base.Orientation] = found

    def tobytes(self) -> bytes:
        """Make EXIF of it."""
        tag = ExifTags.Base.Orientation
        return _EXIF + struct.pack(">2sHLHHHLHxxL", b"MM", 42, 8, 1, tag, 3, 1, self.get(tag, 1), 0)


class _Image:
    """PIL.Image as readers are to see it."""

    Exif = _Exif
    _decompression_bomb_check = staticmethod(_allow)

    def __getattr__(self, name: str) -> Any:
        return getattr(Image, name)


class _Warnings:
    """The module warnings as readers are to see it: what they warn of is in no pixel, and names no image."""

    @staticmethod
    def warn(*_: Any, **__: Any) -> None:
        """Say nothing."""


def _apart(module: ModuleType) -> dict[str, Any]:
    """Return what a module of readers defines, with a namespace of its own.

    In that, Pillow's limit of pixels is met nowhere, and nothing is printed; Pillow itself stays as it is.
    """
    logger = logging.Logger(module.__name__)  # noqa: LOG001 - one that nobody else has
    logger.addHandler(logging.NullHandler())
    namespace = vars(module) | {"Image": _Image(), "warnings": _Warnings, "logger": logger}
    for name, value in vars(module).items():
        ours = isinstance(value, type) and value.__module__ == module.__name__
        if ours and not issubclass(value, tuple | Enum | Exception):
            methods = {
                method: _moved(function, namespace)
                for method, function in vars(value).items()
                if isinstance(function, FunctionType)
            }
            namespace[name] = type(name, (value,), methods)
            if issubclass(value, Image.Image):
                namespace[name].getexif = lambda _: _Exif()  # what is in it is read by ourselves
                crop: Any = Image.Image._crop  # noqa: SLF001 - what readers cut frames with
                allowing = vars(Image) | {"_decompression_bomb_check": _allow}
                namespace[name]._crop = _moved(crop, allowing)  # noqa: SLF001 - as above
    return namespace


def _moved(method: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    """Return a method that looks its global names up in another namespace."""
    code = method.__code__, namespace, method.__name__, method.__defaults__, method.__closure__
    moved = FunctionType(*code)
    moved.__kwdefaults__ = method.__kwdefaults__
    return moved


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height of the canvas (RFC 9649); 0 where the header is none."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
