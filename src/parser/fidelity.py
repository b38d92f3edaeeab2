"""Images that Pillow opens and would change without a word: they are refused with the reason."""

import re
from typing import Any

from PIL import Image, TiffImagePlugin

from ..errors import DecodeError
from .options import Mode

__all__ = ["check_fidelity", "sample_bits"]

_HINT = "; modes rgb, gray and rgba take the high byte"


def check_fidelity(image: Image.Image, kind: str, data: bytes, mode: Mode) -> None:
    """Refuse an opened image whose pixels Pillow would not give as they are.

    The 8-bit modes accept 16-bit colour, because they ask for the high byte.

    Raises:
        DecodeError: with what the image holds, and what Pillow would make of it.
    """
    if kind == "TIFF" and isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image, mode)
    elif kind == "SGI" and data[3:4] == b"\x02":
        raise DecodeError("16-bit SGI image: Pillow would give 8 bits")
    elif mode == "native":
        bits = sample_bits(kind, data)
        if bits > 8 and image.mode not in {"I", "I;16", "I;16B", "F"}:
            raise DecodeError(f"{bits}-bit colour {kind}: Pillow would give 8 bits{_HINT}")


def sample_bits(kind: str, data: bytes) -> int:
    """The bits of a sample as a PNG, PPM or JPEG 2000 file says; 8 for other formats."""
    if kind == "PNG":
        return data[24]  # IHDR is the first chunk: PNG, third edition, 11.2.1
    if kind == "PPM":
        words = re.sub(rb"#[^\r\n]*", b" ", data[:4096]).split(maxsplit=4)
        deep = data[1:2] in b"2356" and len(words) > 3 and words[3].isdigit() and int(words[3]) > 255
        return 16 if deep else 8
    if kind == "JPEG2000":
        at = data.find(b"\xff\x4f\xff\x51")  # SOC, SIZ: ITU-T T.800, A.5.1
        count = int.from_bytes(data[at + 40 : at + 42], "big") if at >= 0 else 0
        sizes = data[at + 42 : at + 42 + 3 * count : 3]
        return max(((size & 0x7F) + 1 for size in sizes), default=8)
    return 8


def _check_tiff(image: TiffImagePlugin.TiffImageFile, mode: Mode) -> None:
    """Check a page by its tags (TIFF 6.0: 258, 277, 284, 338, 339)."""
    tags = image.tag_v2
    samples = int(tags.get(277, 1))
    bits = _numbers(tags.get(258, 1))
    formats = _numbers(tags.get(339, 1))
    kind = {1: "unsigned", 2: "signed", 3: "float"}.get(formats[0], "unknown")
    if len(set(bits)) > 1 or len(set(formats)) > 1:
        raise DecodeError("TIFF whose channels have different depths: Pillow would mix them up")
    depth = bits[0]
    if samples > 4:
        raise DecodeError(f"TIFF of {samples} channels: Pillow would give {len(image.getbands())}")
    if (
        (kind == "unsigned" and depth > 16)
        or (kind == "signed" and depth == 8)
        or (kind == "float" and depth != 32)
    ):
        raise DecodeError(f"TIFF of {kind} {depth}-bit samples: Pillow would wrap or round them")
    if samples > 1 and depth > 8 and mode == "native":
        raise DecodeError(f"{depth}-bit colour TIFF: Pillow would give 8 bits{_HINT}")
    if tags.get(284, 1) == 2 and samples > 1 and image.mode not in {"RGB", "RGBA", "CMYK"}:
        raise DecodeError(f"planar TIFF of {samples} channels: Pillow would mix them up")
    if samples > len(image.getbands()) and mode in {"native", "rgba"}:
        given = len(image.getbands())
        raise DecodeError(f"TIFF of {samples} channels: Pillow would give {given}; mode rgb takes those")


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(item) for item in value) if isinstance(value, tuple) else (int(value),)
