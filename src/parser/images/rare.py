"""Rare formats: files that Pillow's readers would get wrong without a word are refused with the reason."""

import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from ...errors import DecodeError

__all__ = ["check_later_frames", "check_rare"]

_XPM_HEAD: Final = re.compile(rb'"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)')
_XPM_COLOUR: Final = re.compile(rb"#[0-9a-fA-F]{6}|None")
_FLI_PALETTES: Final = frozenset({4, 11})
_FLI_FRAME: Final = 0xF1FA


def check_rare(data: bytes, kind: str) -> None:
    """Refuse a file of a rare format that its reader would get wrong; other formats pass.

    Raises:
        DecodeError: with what it holds.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        check(data)


def check_later_frames(data: bytes, kind: str) -> None:
    """Refuse the later frames of an animation that would come in the colours of the first.

    Pillow reads a FLI's first palette and no other (chunks of type 4 and 11 in frames).

    Raises:
        DecodeError: more palettes than one.
    """
    if kind != "FLI":
        return
    frames = _fli_chunks(data, 128, len(data), _FLI_FRAME)
    palettes = sum(
        any(True for kind in _FLI_PALETTES for _ in _fli_chunks(data, start + 16, end, kind))
        for start, end in frames
    )
    if palettes > 1:
        raise DecodeError(f"FLI whose frames have {palettes:,} palettes: Pillow would use the first for all")


def _check_xpm(data: bytes) -> None:
    """Refuse colours of all forms but the one that is read right (X PixMap format, version 3)."""
    lines = iter(data.splitlines())
    head = next((found for line in lines if (found := _XPM_HEAD.match(line))), None)
    if head is None:
        raise DecodeError("damaged XPM: no line of sizes")
    count, width = int(head[3]), int(head[4])
    for _, line in zip(range(count), lines, strict=False):
        words = line.rstrip().rstrip(b",").rstrip(b'"')[1 + width :].split()
        colour = next((value for key, value in pairwise(words) if key == b"c"), None)
        if colour is None or not _XPM_COLOUR.fullmatch(colour):
            shown = "none" if colour is None else colour.decode("ascii", "replace")
            raise DecodeError(
                f"XPM whose colours are not all #RRGGBB or None ({shown}): convert it to PNG first"
            )


def _check_xbm(data: bytes) -> None:
    if re.search(rb"\bshort\b", data[: data.find(b"{")]):
        raise DecodeError("X10 bitmap of 16-bit words: convert it to PNG first")


def _fli_chunks(data: bytes, at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    while at + 6 <= end:
        size, kind = struct.unpack_from("<IH", data, at)
        if size < 6:
            return
        if kind == wanted:
            yield at, min(at + size, end)
        at += size


_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {"XPM": _check_xpm, "XBM": _check_xbm}
