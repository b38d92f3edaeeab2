"""Images that Pillow opens and would change without a word: they are refused with the reason."""

import io
import re
from typing import Any, Final

from PIL import Image, TiffImagePlugin

from ..errors import DecodeError
from .options import Mode

__all__ = ["check_fidelity", "refused_tiff", "sample_bits"]

_HINT: Final = "; modes rgb, gray and rgba take the high byte"
_KINDS: Final = {1: "unsigned", 2: "signed", 3: "float", 5: "complex", 6: "complex"}


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


def refused_tiff(data: bytes) -> str:
    """What a TIFF that Pillow does not open holds, for the message; "" where its tags cannot be read."""
    file = io.BytesIO(data)
    try:
        header = file.read(8)
        if header[2:4] in {b"+\0", b"\0+"}:
            header += file.read(8)  # BigTIFF
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        samples, depths, kinds = _layout(tags)
    except Exception:  # noqa: BLE001  # whatever is wrong with it, Pillow's own words are told instead
        return ""
    depth = "/".join(map(str, sorted(set(depths))))
    return f"TIFF of {samples} x {depth}-bit {'/'.join(sorted(set(kinds)))} samples: Pillow does not read it"


def _check_tiff(image: TiffImagePlugin.TiffImageFile, mode: Mode) -> None:
    """Check a page by its tags (TIFF 6.0: 258, 277, 284, 338, 339)."""
    samples, depths, kinds = _layout(image.tag_v2)
    depth, kind, given = depths[0], kinds[0], len(image.getbands())
    if len(set(depths)) > 1 or len(set(kinds)) > 1:
        raise DecodeError("TIFF whose channels have different depths: Pillow would mix them up")
    if samples > 4:
        raise DecodeError(f"TIFF of {samples} channels: Pillow would give {given}")
    wrapped = {"unsigned": depth > 16, "signed": depth == 8, "float": depth != 32}
    if wrapped.get(kind, True):
        raise DecodeError(f"TIFF of {kind} {depth}-bit samples: Pillow would wrap or round them")
    if samples > 1 and depth > 8 and mode == "native":
        raise DecodeError(f"{depth}-bit colour TIFF: Pillow would give 8 bits{_HINT}")
    if samples > 1 and image.tag_v2.get(284, 1) == 2 and image.mode not in {"RGB", "RGBA", "CMYK"}:
        raise DecodeError(f"planar TIFF of {samples} channels: Pillow would mix them up")
    if samples > given and mode in {"native", "rgba"}:
        raise DecodeError(f"TIFF of {samples} channels: Pillow would give {given}; mode rgb takes those")


def _layout(tags: TiffImagePlugin.ImageFileDirectory_v2) -> tuple[int, tuple[int, ...], list[str]]:
    """Samples of a pixel, their bits, and what kind of numbers they are."""
    kinds = [_KINDS.get(number, "unknown") for number in _numbers(tags.get(339, 1))]
    return int(tags.get(277, 1)), _numbers(tags.get(258, 1)), kinds


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(int(item) for item in value) if isinstance(value, tuple) else (int(value),)
