"""Codecs of single images as compressions: each encodes the arrays that it can hold exactly, and no others.

Formats: PNG (third edition), WebP lossless (RFC 9649), JPEG (ITU-T T.81). Before a library sees a file, its
header is held against the manifest, and anything that brinery does not write is refused.
"""

import io
import struct
from abc import ABC, abstractmethod
from typing import Any, BinaryIO, ClassVar, Final

import numpy as np

from ...errors import CorruptError, DecodeError
from .base import Array, Compression, Spec
from .checks import conform

__all__ = ["IMAGE_COMPRESSIONS", "LOSSY", "ImageCodec", "image_codec"]

_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_DATA: Final = b"IDAT"
_PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_PNG_KINDS: Final = {  # depth and colour type, by dtype and channels
    ("uint8", 0): (8, 0),
    ("uint16", 0): (16, 0),
    ("uint8", 2): (8, 4),
    ("uint8", 3): (8, 2),
    ("uint8", 4): (8, 6),
}
_MOST_OF_PNG: Final = 1_000_000  # what libpng takes unless told otherwise
_MOST_OF_WEBP: Final = 16383  # 14 bits and one
_MOST_OF_JPEG: Final = 65500  # libjpeg's limit
_WEBP_LEVELS: Final = (
    (0, 0),
    (1, 20),
    (2, 25),
    (3, 30),
    (3, 50),
    (4, 50),
    (4, 75),
    (4, 90),
    (5, 90),
    (6, 100),
)
_FRAME: Final = 1 << 16  # bytes that a file may have however few its pixels are


class ImageCodec(ABC):
    """One codec at one level; the same array always gives the same bytes."""

    suffix: ClassVar[str]
    default_level: ClassVar[int]
    imports: ClassVar[str] = "from PIL import Image\n"  # what `Image.open` of its files needs

    def __init__(self, level: int | None = None) -> None:
        self.level = self.default_level if level is None else level

    def encode(self, array: Array) -> bytes | None:
        """Return the encoded image; None if the codec cannot hold the array's dtype, shape or values."""
        return self._encode(array) if self._takes(Spec(array.dtype, array.shape)) else None

    def decode(self, data: bytes, spec: Spec) -> Array:
        """Return the array of an encoded image, by brinery's own decoders.

        Raises:
            CorruptError: it is damaged, or not what `encode` makes of an array of this spec.
        """
        if not self._takes(spec) or not self._begins(data, spec):
            raise CorruptError(f"no {self.suffix} image of shape {spec.shape} and dtype {spec.dtype}")
        return conform(_decoded(data, spec), spec)

    def load(self, file: BinaryIO) -> Array:
        """Return the array of an encoded image by Pillow, as a user's code does."""
        from PIL import Image  # noqa: PLC0415 - known_protocols does not need it

        return np.array(Image.open(file))

    def limit(self, spec: Spec) -> int:
        """Return the most bytes that an encoded image of a spec takes: noise may grow."""
        return 2 * spec.nbytes + _FRAME

    @abstractmethod
    def _takes(self, spec: Spec) -> bool:
        """Return whether arrays of this dtype and shape can be encoded."""

    @abstractmethod
    def _encode(self, array: Array) -> bytes | None: ...

    @abstractmethod
    def _begins(self, data: bytes, spec: Spec) -> bool:
        """Return whether a file's header is that of an array of this spec."""


class _Png(ImageCodec):
    """Lossless: grey (H, W) of 8 and 16 bits, 8-bit grey and alpha, RGB and RGBA; by zlib's levels."""

    suffix = "png"
    default_level = 1

    def _takes(self, spec: Spec) -> bool:
        return _kind(spec) in _PNG_KINDS and _within(spec, _MOST_OF_PNG)

    def _encode(self, array: Array) -> bytes:
        return _by_pillow(array, "PNG", compress_level=self.level)

    def _begins(self, data: bytes, spec: Spec) -> bool:
        height, width = spec.shape[:2]
        depth, colour = _PNG_KINDS[_kind(spec)]
        if data[:29] != _PNG_HEAD + struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0):
            return False
        at = 33
        while data[at + 4 : at + 8] == _PNG_DATA:
            at += 12 + int.from_bytes(data[at : at + 4], "big")
        return data[at:] == _PNG_END


class _Webp(ImageCodec):
    """Lossless: 8-bit RGB, and RGBA that is not all opaque, by the levels of libwebp's `cwebp -z`."""

    suffix = "webp"
    default_level = 1

    def _takes(self, spec: Spec) -> bool:
        return _kind(spec) in {("uint8", 3), ("uint8", 4)} and _within(spec, _MOST_OF_WEBP)

    def _encode(self, array: Array) -> bytes | None:
        if array.shape[2] == 4 and array[..., 3].min() == 255:
            return None  # it would come back without its alpha
        method, effort = _WEBP_LEVELS[self.level]
        return _by_pillow(array, "WEBP", lossless=True, method=method, quality=effort, exact=True)

    def _begins(self, data: bytes, spec: Spec) -> bool:
        height, width, channels = spec.shape
        if len(data) < 25 or len(data) % 2:
            return False
        size = int.from_bytes(data[16:20], "little")
        bits = width - 1 | height - 1 << 14 | (channels == 4) << 28
        return (
            data[:16] == b"RIFF" + (len(data) - 8).to_bytes(4, "little") + b"WEBPVP8L"
            and 20 + size + size % 2 == len(data)
            and data[20:25] == b"\x2f" + bits.to_bytes(4, "little")
        )


class _Jpeg(ImageCodec):
    """Lossy: 8-bit grey (H, W) and RGB, colours at half the resolution; the level is the quality."""

    suffix = "jpg"
    default_level = 90

    def _takes(self, spec: Spec) -> bool:
        return _kind(spec) in {("uint8", 0), ("uint8", 3)} and _within(spec, _MOST_OF_JPEG)

    def _encode(self, array: Array) -> bytes:
        import simplejpeg  # noqa: PLC0415 - known_protocols does not need it

        grey = array.ndim == 2
        return bytes(
            simplejpeg.encode_jpeg(
                array[..., np.newaxis] if grey else array,
                quality=self.level,
                colorspace="GRAY" if grey else "RGB",
                colorsubsampling="Gray" if grey else "420",
            )
        )

    def _begins(self, data: bytes, spec: Spec) -> bool:
        from ...parser.images.jpeg_header import read_header  # noqa: PLC0415 - known_protocols does not need it

        _, width, height, components, plain = read_header(data)
        channels = 1 if len(spec.shape) == 2 else 3
        return (
            data.startswith(b"\xff\xd8\xff")
            and plain
            and (height, width, components) == (*spec.shape[:2], channels)
        )


_CODECS: Final[dict[str, type[ImageCodec]]] = {"png": _Png, "webp": _Webp, "jpg": _Jpeg}

IMAGE_COMPRESSIONS: Final = tuple(_CODECS)
"""The image codecs, by the name of their compression."""

LOSSY: Final = ("jpg",)
"""Those of them that give back other values than they got."""


def image_codec(compression: Compression) -> ImageCodec:
    """Return the codec of one of `IMAGE_COMPRESSIONS`."""
    return _CODECS[compression.name](compression.level)


def _kind(spec: Spec) -> tuple[str, int]:
    """Return an image's dtype and channels, 0 for (H, W); -1 where it is none."""
    dimensions = len(spec.shape)
    return spec.dtype.name, spec.shape[2] if dimensions == 3 else 0 if dimensions == 2 else -1


def _within(spec: Spec, most: int) -> bool:
    height, width = spec.shape[:2]
    return 0 < height <= most and 0 < width <= most


def _by_pillow(array: Array, kind: str, **options: Any) -> bytes:
    from PIL import Image  # noqa: PLC0415 - as above

    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def _decoded(data: bytes, spec: Spec) -> Array:
    """Return the pixels of an image whose header agrees with the spec."""
    from ...parser.decode import decode  # noqa: PLC0415 - known_protocols loads no decoder
    from ...parser.options import DecodeOptions  # noqa: PLC0415

    height, width = spec.shape[:2]
    try:
        first = next(iter(decode(data, DecodeOptions(max_pixels=height * width))))
    except DecodeError as error:
        raise CorruptError(f"the image is damaged: {error}") from error
    array: Array | None = getattr(first, "array", None)
    if array is None:
        raise CorruptError("the image's first frame is damaged")
    return array
