"""Images that Pillow opens and would change without a word: they are refused with the reason."""

from typing import Final

from PIL import Image

from ..errors import DecodeError
from .options import Mode

__all__ = ["check_fidelity", "sample_bits"]

_HINT: Final = "; modes rgb, gray and rgba take the high byte"


def check_fidelity(image: Image.Image, kind: str, data: bytes, mode: Mode) -> None:
    """Refuse an opened image whose pixels Pillow would not give as they are.

    The 8-bit modes accept 16-bit colour, because they ask for the high byte.

    Raises:
        DecodeError: with what the image holds, and what Pillow would make of it.
    """
    if kind == "SGI" and data[3:4] == b"\x02":
        raise DecodeError("16-bit SGI image: Pillow would give 8 bits")
    if mode == "native":
        bits = sample_bits(kind, data)
        if bits > 8 and image.mode not in {"I", "I;16", "I;16B", "F"}:
            raise DecodeError(f"{bits}-bit colour {kind}: Pillow would give 8 bits{_HINT}")


def sample_bits(kind: str, data: bytes) -> int:
    """The bits of a sample as a PNG or JPEG 2000 file says; 8 for other formats."""
    if kind == "PNG":
        return data[24]  # IHDR is the first chunk: PNG, third edition, 11.2.1
    if kind == "JPEG2000":
        at = data.find(b"\xff\x4f\xff\x51")  # SOC, SIZ: ITU-T T.800, A.5.1
        count = int.from_bytes(data[at + 40 : at + 42], "big") if at >= 0 else 0
        sizes = data[at + 42 : at + 42 + 3 * count : 3]
        return max(((size & 0x7F) + 1 for size in sizes), default=8)
    return 8
