"""Images that Pillow opens and would change without a word: they are refused with the reason.

Each check reads the header itself, before anything is decoded.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import Mode
from .isobmff import avif_bits

__all__ = ["as_stored", "check_fidelity", "for_pillow", "sample_bits"]

_HINT: Final = "modes rgb, gray and rgba ask for those"

_NAMED_COLOURS: Final = frozenset({"CMYK", "LAB", "HSV"})

# PSD: Adobe Photoshop file formats specification, file header section.
_PSD_MODES: Final = {
    0: ("bitmap", 1),
    1: ("grey", 1),
    2: ("indexed", 1),
    3: ("RGB", 3),
    4: ("CMYK", 4),
    7: ("multichannel", 0),
    8: ("duotone", 1),
    9: ("Lab", 3),
}
# DDS: Microsoft, DDS_PIXELFORMAT and DXGI_FORMAT.
_DDS_RGB, _DDS_FOURCC = 0x40, 0x4
_DDS_NOT_8_BITS: Final = {
    83: "signed BC4",
    84: "signed BC5",
    95: "BC6H, half floats",
    96: "BC6H, half floats",
}
_DDS_SIGNED: Final = {b"BC4S": "signed BC4", b"BC5S": "signed BC5"}


def check_fidelity(data: bytes, kind: str, mode: Mode) -> None:
    """Refuse an image whose pixels Pillow would not give as they are; formats without a check pass.

    The 8-bit modes accept deeper colours where the decoder makes 8 bits of them, because they ask for those.

    Raises:
        DecodeError: with what the image holds, and what Pillow would make of it.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        try:
            check(data, mode)
        except (struct.error, IndexError) as error:
            raise DecodeError(f"truncated: the header of a {kind} is longer than the file") from error


def for_pillow(data: bytes, kind: str) -> bytes:
    """Return the file as Pillow reads it right; most are so already.

    A QOI's decoder remembers the pixel that it begins with, opaque black, once a run shows it (QOI
    specification, "running array"). Pillow's does not, so that the first of the run is told apart.
    """
    if kind != "QOI" or not b"\xc0" <= data[14:15] <= b"\xfd":
        return data
    rest = data[14] - 0xC0
    return data[:14] + b"\xff\0\0\0\xff" + (bytes([0xC0 + rest - 1]) if rest else b"") + data[15:]


def as_stored(kind: str, array: NDArray[Any], mode: str) -> tuple[NDArray[Any], str | None]:
    """Undo what a reader of Pillow's did to the samples; return them, and what their channels are."""
    if kind == "PSD" and mode == "1":
        return np.uint8(255) - array, None  # a bit that is set is black
    if kind == "PSD" and mode == "LAB":
        array[..., 1:] ^= 0x80
        return array, "ICCLAB"  # a and b from 0 to 255, as ICC profiles have them
    return array, mode if mode in _NAMED_COLOURS else None


def sample_bits(kind: str, data: bytes) -> int:
    """Return the bits of a sample as a PNG says; 8 for other formats."""
    return data[24] if kind == "PNG" else 8  # IHDR is the first chunk: PNG, third edition, 11.2.1


def _check_avif(data: bytes, mode: Mode) -> None:
    bits = avif_bits(data)
    if bits > 8 and mode == "native":
        raise DecodeError(f"{bits}-bit AVIF: Pillow would give 8 bits; {_HINT}")


def _check_sgi(data: bytes, mode: Mode) -> None:
    """SGI image file format, version 1.00: bytes of a sample, and what the samples are."""
    del mode
    if data[3] == 2:
        raise DecodeError("16-bit SGI image: Pillow would give 8 bits")
    (use,) = struct.unpack_from(">I", data, 104)
    if use:
        what = {1: "dithered colours", 2: "indices of a palette", 3: "a palette"}.get(use, "unknown")
        raise DecodeError(f"SGI image of {what}: Pillow would take the samples for grey or RGB")


def _check_pcx(data: bytes, mode: Mode) -> None:
    """PCX: Pillow counts the bytes of a row itself, and shears images that say another number."""
    del mode
    left, right, stated = *struct.unpack_from("<H2xH", data, 4), *struct.unpack_from("<H", data, 66)
    bits = data[3]
    least = ((right + 1 - left) * bits + 7) // 8
    if stated not in {least, least + least % 2}:
        raise DecodeError(
            f"PCX whose rows take {stated:,} bytes instead of {least + least % 2:,}: Pillow would shear it"
        )


def _check_psd(data: bytes, mode: Mode) -> None:
    channels, depth, code = struct.unpack_from(">H8x2H", data, 12)
    name, colours = _PSD_MODES.get(code, ("unknown", 0))
    if depth != (1 if name == "bitmap" else 8) or (name in {"multichannel", "unknown"} and channels > 1):
        raise DecodeError(f"PSD of {channels} x {depth}-bit {name} channels, which are not read")
    if name == "indexed" and struct.unpack_from(">I", data, 26)[0] != 768:
        raise DecodeError("damaged: an indexed PSD without a palette of 256 colours")
    given = 4 if name == "RGB" and channels >= 4 else max(1, colours)
    if channels > given and mode in {"native", "rgba"}:
        raise DecodeError(f"PSD of {channels} channels: Pillow would give {given}; mode rgb takes those")


def _check_dds(data: bytes, mode: Mode) -> None:
    del mode
    flags, code = struct.unpack_from("<I4s", data, 80)
    masks = struct.unpack_from("<4I", data, 92)
    if flags & _DDS_RGB:
        deep = max((mask >> ((mask & -mask).bit_length() - 1)).bit_length() if mask else 0 for mask in masks)
        if deep > 8:
            raise DecodeError(f"DDS of {deep}-bit colours: Pillow would give 8 bits")
    elif flags & _DDS_FOURCC:
        form = struct.unpack_from("<I", data, 128)[0] if code == b"DX10" else 0
        what = _DDS_SIGNED.get(code) or _DDS_NOT_8_BITS.get(form)
        if what is not None:
            raise DecodeError(f"DDS of {what}: Pillow would give unsigned 8 bits")


_CHECKS: Final[dict[str, Callable[[bytes, Mode], None]]] = {
    "AVIF": _check_avif,
    "DDS": _check_dds,
    "PCX": _check_pcx,
    "PSD": _check_psd,
    "SGI": _check_sgi,
}
