"""JPEG 2000: the samples of its components as stored, which Pillow shifts and offsets.

Pillow's openjpeg decodes the bare codestream, and its shifts are undone here; palette, order of channels and
colour space are read from the file.
"""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Jpeg2KImagePlugin

from ...errors import DecodeError
from ..options import DecodeOptions
from .jpeg2000_boxes import Component, Jpeg2000, Palette, read_boxes
from .jpeg2000_tiles import largest_tile, lost_tiles
from .modes import as_image, in_bands
from .pillow import load
from .pixels import check_pixels, check_working_memory
from .stored import OneImage, Stored

__all__ = ["Jpeg2000Source"]

_WHITE_IS_ZERO, _CMYK, _SYCC = 0, 12, 18
_COLOURS: Final = {0: 1, 12: 4, 15: 1, 16: 3, 17: 1, 18: 3, 20: 3, 21: 3}
"""How many colours a space has, of those whose samples are kept (sRGB, grey, CMYK ...) or made RGB (sYCC)."""
_REFUSED: Final = {
    1: "YCbCr", 3: "YCbCr", 4: "YCbCr", 9: "PhotoYCC", 11: "CMY", 13: "YCCK", 14: "CIELab", 19: "CIEJab",
    22: "YPbPr", 23: "YPbPr", 24: "e-sYCC",
}  # fmt: skip
_PROFILES: Final = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}


class Jpeg2000Source(OneImage):
    """The image of a file; grey of up to 16 bits, colours of up to 8.

    Samples come in the smallest dtype that holds them, signed ones signed. 1, 2 and 4 bits are spread over 0
    to 255. A palette becomes its colours, sYCC becomes RGB.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: a damaged header, too many pixels, or components that are not read.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        self._data, self._options = data, options
        self._about = about = read_boxes(data)
        if not (about.width and about.height and about.components):
            raise DecodeError("damaged: an image without width, height or components")
        check_pixels(about.width, about.height, options.max_pixels)
        _check_components(about.components)
        _check_colours(about)
        check_working_memory(_most_held(data, about), options.max_pixels)

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: an index beyond the palette.
            Exception: whatever Pillow raises for damage.
        """
        about = self._about
        image = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(self._data[about.start : about.end]))
        salvage = self._options.salvages(about.width, about.height, len(self._data))
        lost = lost_tiles(self._data, about.start, about.end)
        if lost and not salvage:
            raise DecodeError(f"damaged JPEG2000: {lost}")
        salvaged = load(image, salvage=salvage) or bool(lost)
        array = _unshifted(in_bands(image), about.components[0])
        del image
        planes = array.reshape(*array.shape[:2], -1)
        bits, signed = about.components[0].bits, about.components[0].signed
        if about.palette is not None:
            planes = _painted(planes, about.palette, about.mapping)
            bits, signed = about.palette.bits[0], False
        planes, letters = _sorted(planes, about)
        peak = None if signed else (1 << bits) - 1
        if about.space == _WHITE_IS_ZERO and peak:
            planes = planes.dtype.type(peak) - planes
        if bits in {1, 2, 4} and peak:
            planes, peak = planes * np.uint8(255 // peak), 255
        if about.space == _SYCC:
            rgb = np.asarray(as_image(planes[..., :3], "YCbCr").convert("RGB"))
            planes = np.concatenate((rgb, planes[..., 3:]), axis=2)
        array = planes[..., 0] if planes.shape[2] == 1 else planes
        colours = None if letters in {"L", "LA", "RGB", "RGBA"} else letters
        return Stored(np.ascontiguousarray(array), peak, colours, about.orientation, salvaged)


def _most_held(data: bytes, about: Jpeg2000) -> int:
    """Return the bytes that decoding holds at its peak.

    openjpeg makes 32 bits of every sample of a tile, Pillow packs them, and puts the tile into its image.
    """
    samples = len(about.components)
    sample = 1 if about.components[0].bits <= 8 else 2
    pixel = sample if samples == 1 else 4
    return largest_tile(data, about.start) * samples * (4 + sample) + about.width * about.height * pixel


def _check_components(components: tuple[Component, ...]) -> None:
    kinds = {(one.bits, one.signed) for one in components}
    if any((one.across, one.down) != (1, 1) for one in components):
        raise DecodeError("JPEG 2000 with subsampled components, which are not read")
    if len(components) > 4:
        raise DecodeError(f"JPEG 2000 of {len(components)} components: at most 4 are read")
    if len(kinds) > 1:
        depths = ", ".join(f"{bits}{' signed' if signed else ''}" for bits, signed in sorted(kinds))
        raise DecodeError(
            f"JPEG 2000 whose components have different depths ({depths} bits), which are not read"
        )
    bits, _ = kinds.pop()
    if bits > 16 or (bits > 8 and len(components) > 1):
        what = "grey" if len(components) == 1 else "colour"
        raise DecodeError(f"{bits}-bit {what} JPEG2000: Pillow would give {16 if what == 'grey' else 8} bits")


def _check_colours(about: Jpeg2000) -> None:
    """Refuse colour spaces whose samples would pass for something else."""
    name = _REFUSED.get(about.space if about.space is not None else -1)
    if name is not None or about.profile in {b"Lab ", b"YCbr", b"XYZ "}:
        name = name or about.profile.decode("latin-1").strip()
        raise DecodeError(f"JPEG 2000 of {name} colours, which are not read")
    first = about.components[0]
    if about.space == _SYCC and (first.bits, first.signed, about.palette) != (8, False, None):
        raise DecodeError(f"JPEG 2000 of sYCC colours of {first.bits} bits, which are not read")
    palette = about.palette
    if palette is None:
        return
    if first.signed or len(set(palette.bits)) > 1 or not 0 < palette.bits[0] <= 16:
        raise DecodeError("JPEG 2000 with a palette of signed or mixed depths, which is not read")
    columns = [column for component, column in about.mapping]
    sound = columns and all(
        component < len(about.components) and (column is None or column < len(palette.bits))
        for component, column in about.mapping
    )
    if not sound or None in columns:
        raise DecodeError("JPEG 2000 with a palette beside other channels, which is not read")


def _unshifted(array: NDArray[Any], component: Component) -> NDArray[Any]:
    """Return samples as stored; Pillow gives them unsigned, shifted to the top of 8 or 16 bits."""
    width, bits = 8 * array.dtype.itemsize, component.bits
    stored: NDArray[Any] = array >> array.dtype.type(width - bits) if bits < width else array
    if component.signed:
        stored = (stored.astype(np.int32) - (1 << (bits - 1))).astype(f"i{array.dtype.itemsize}")
    return stored


def _painted(
    planes: NDArray[Any], palette: Palette, mapping: tuple[tuple[int, int | None], ...]
) -> NDArray[Any]:
    """Return the colours that indices point at."""
    table = np.array(palette.entries, np.uint8 if palette.bits[0] <= 8 else np.uint16)
    if int(planes.max()) >= len(table):
        raise DecodeError(f"damaged: a colour of number {int(planes.max())} in a palette of {len(table)}")
    return np.stack([table[planes[..., component], column] for component, column in mapping], axis=2)


def _sorted(planes: NDArray[Any], about: Jpeg2000) -> tuple[NDArray[Any], str]:
    """Return channels in the order of their colours, alpha behind them; and a letter for each."""
    count = planes.shape[2]
    colours = _COLOURS.get(about.space if about.space is not None else -1) or _PROFILES.get(about.profile, 0)
    if not about.channels:
        colours = colours or {1: 1, 2: 1}.get(count, 3)
        more = count - colours
        if more < 0:
            raise DecodeError(f"damaged: {count} components where the colours take {colours}")
        marks = "A" * min(more, 1) + "X" * (more - 1)
    else:
        kinds = {channel: (kind, colour) for channel, kind, colour in about.channels if channel < count}
        places = {colour: channel for channel, (kind, colour) in kinds.items() if kind == 0}
        colours = len(places)
        rest = [channel for channel in range(count) if channel not in places.values()]
        if sorted(places) != list(range(1, colours + 1)):
            raise DecodeError("damaged: the channels are not said to be colours 1, 2, 3 ...")
        marks = "".join({1: "A", 2: "a"}.get(kinds.get(channel, (0, 0))[0], "X") for channel in rest)
        planes = planes[..., [places[colour] for colour in range(1, colours + 1)] + rest]
    cmyk = about.space == _CMYK or about.profile == b"CMYK"
    base = "CMYK" if cmyk and colours == 4 else {1: "L", 3: "RGB"}.get(colours)
    if base is None:
        raise DecodeError(f"JPEG 2000 of {colours} colours, which are not read")
    return planes, base + marks
